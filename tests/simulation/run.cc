#include "tests/simulation/run.h"

#include <memory>
#include <vector>

#include <fmt/format.h>

#include "server/base/status.h"
#include "server/ports/peer_transport.h"
#include "tests/simulation/faults.h"
#include "tests/simulation/kv_client.h"
#include "tests/simulation/lease_client.h"
#include "tests/simulation/member.h"
#include "tests/simulation/watch_client.h"

namespace etcd::simulation {
namespace {

using std::chrono::seconds;

// How long the member may take, without faults, to finish what clients wait for.
constexpr seconds kRecovery(60);

struct Current {
  std::uint64_t seed = 0;
  const World* world = nullptr;
  const Options* options = nullptr;
};
// For the report of a crash only: there is no other way to reach a run from a signal handler.
Current current;

class Simulation {
 public:
  Simulation(std::uint64_t seed, const RunSettings& settings);

  RunResult Run();

 private:
  void StartMember();
  void OnDown();
  void Safety();
  void Liveness();
  bool AllIdle() const;
  void Prove();
  void Expect(bool held, const char* what) {
    if (!held) world_.Fail(std::string("liveness: ") + what);
  }

  const std::uint64_t seed_;
  const RunSettings settings_;
  World world_;
  const Options options_;
  ports::NoPeers peers_;
  Ledger ledger_;
  History history_;
  SimMember member_;
  Faults faults_;
  Clients shared_;
  std::vector<std::unique_ptr<KvClient>> kv_;
  std::vector<std::unique_ptr<WatchClient>> watchers_;
  std::vector<std::unique_ptr<LeaseClient>> lessees_;
};

Simulation::Simulation(std::uint64_t seed, const RunSettings& settings)
    : seed_(seed),
      settings_(settings),
      world_(seed),
      options_(Options::Draw(world_.random.options)),
      ledger_(world_),
      history_(world_, ledger_),
      member_(world_, ledger_, options_, peers_),
      faults_(world_, member_, options_),
      shared_(world_, ledger_, history_, member_, options_) {
  world_.options = {options_.hop_max, options_.stall_per_mille, options_.stall_max};
  if (settings.verbose) world_.PrintTraceTo(stdout);
  current = {seed, &world_, &options_};
  for (int i = 0; i < options_.kv_clients; ++i) {
    kv_.push_back(std::make_unique<KvClient>(shared_, i));
  }
  for (int i = 0; i < options_.watch_clients; ++i) {
    watchers_.push_back(std::make_unique<WatchClient>(shared_, i));
  }
  for (int i = 0; i < options_.lease_clients; ++i) {
    lessees_.push_back(std::make_unique<LeaseClient>(shared_, i));
  }
  member_.on_down = [this] { OnDown(); };
  ledger_.on_lease_removed = [this](std::int64_t id, const Ledger::Lease& lease) {
    for (const auto& one : lessees_) one->OnRemoved(id, lease);
  };
}

void Simulation::StartMember() {
  if (member_.is_running()) return;
  const absl::Status status = member_.Start();
  // A full disk and a failed fsync are the reasons not to start that these faults can give.
  if (status.ok() || faults_.disk_is_full()) return;
  if (base::MessageOf(status).starts_with("simulated:")) return;
  world_.Fail(fmt::format("the member does not start: {}", base::MessageOf(status)));
}

void Simulation::OnDown() {
  world_.After(Between(world_.random.faults, Nanos(0), seconds(2)), [this] { StartMember(); });
}

RunResult Simulation::Run() {
  StartMember();
  faults_.Start();
  for (const auto& one : kv_) one->Start();
  for (const auto& one : watchers_) one->Start();
  for (const auto& one : lessees_) one->Start();
  Safety();
  if (!world_.has_failed()) Liveness();
  if (!world_.has_failed()) history_.CheckUnclaimed();
  return {world_.failure(),
          world_.trace_hash(),
          std::chrono::duration<double>(world_.now()).count(),
          shared_.operations,
          static_cast<std::uint64_t>(ledger_.head()),
          world_.marks()};
}

void Simulation::Safety() { world_.RunFor(options_.duration); }

bool Simulation::AllIdle() const {
  for (const auto& one : kv_) {
    if (!one->is_idle()) return false;
  }
  for (const auto& one : lessees_) {
    if (!one->is_idle()) return false;
  }
  return true;
}

// Nothing breaks any more: the member comes back, what is under way ends, every client can write
// and read, every watch has everything, leases that nobody keeps alive go.
void Simulation::Liveness() {
  world_.Trace("phase 2");
  faults_.Heal();
  member_.SetSlowSync(false);
  shared_.quiet = true;
  Expect(world_.RunUntil([this] { return member_.is_serving() && AllIdle(); }, kRecovery),
         "the member is not back, or calls hang");
  if (world_.has_failed()) return;
  Prove();
  Expect(world_.RunUntil(
             [this] {
               for (const auto& one : lessees_) {
                 if (!one->AllGone()) return false;
               }
               return true;
             },
             LeaseClient::kTtlMax + kRecovery),
         "leases that nobody keeps alive stay");
  Expect(world_.RunUntil(
             [this] {
               for (const auto& one : watchers_) {
                 if (!one->HasAll()) return false;
               }
               return true;
             },
             kRecovery),
         "a watch misses events");
}

void Simulation::Prove() {
  std::size_t proved = 0;
  for (const auto& one : kv_) one->Prove([&proved] { ++proved; });
  Expect(world_.RunUntil([&] { return proved == kv_.size(); }, kRecovery),
         "a client cannot write or read");
}

void Report(const Current& run, const std::string& failure, std::FILE* out) {
  fmt::print(out, "seed {}: {}\n{}", run.seed, failure, run.options->ToString());
  for (const std::string& line : run.world->trace()) fmt::print(out, "{}\n", line);
  fmt::print(out, "seed {}: {}\nreplay: build/release/bin/simulation --seed {}\n", run.seed,
             failure, run.seed);
}

}  // namespace

RunResult Run(std::uint64_t seed, const RunSettings& settings) {
  Simulation simulation(seed, settings);
  RunResult result = simulation.Run();
  if (!result.failure.empty() && settings.report) Report(current, result.failure, stdout);
  current = {};
  return result;
}

void ReportCurrent(std::FILE* out) {
  if (current.world != nullptr) Report(current, "the process aborts", out);
}

}  // namespace etcd::simulation
