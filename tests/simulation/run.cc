#include "tests/simulation/run.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "server/base/status.h"
#include "tests/simulation/admin_client.h"
#include "tests/simulation/backup_client.h"
#include "tests/simulation/cluster.h"
#include "tests/simulation/converge.h"
#include "tests/simulation/faults.h"
#include "tests/simulation/kv_client.h"
#include "tests/simulation/lease_client.h"
#include "tests/simulation/log_marks.h"
#include "tests/simulation/network.h"
#include "tests/simulation/raft_check.h"
#include "tests/simulation/watch_client.h"

namespace etcd::simulation {
namespace {

using std::chrono::seconds;

// How long the member may take, without faults, to finish what clients wait for.
constexpr seconds kRecovery(60);

struct Current {
  std::uint64_t seed = 0;
  World* world = nullptr;
  const Options* options = nullptr;
  std::string without;
};
// For the report of a crash only: there is no other way to reach a run from a signal handler.
Current current;

class Simulation {
 public:
  Simulation(std::uint64_t seed, const RunSettings& settings);

  RunResult Run();

 private:
  void Safety();
  void Liveness();
  template <typename Client>
  void ExpectAll(const std::vector<std::unique_ptr<Client>>& clients, Nanos within,
                 bool (Client::*holds)() const, const char* what) {
    if (world_.has_failed()) return;
    const auto all = [&] {
      return std::all_of(clients.begin(), clients.end(),
                         [&](const auto& one) { return ((*one).*holds)(); });
    };
    Expect(world_.RunUntil(all, within), what);
  }
  std::vector<int> DrawMinority();
  bool AllServe();
  bool AllIdle() const;
  void Prove();
  void Expect(bool held, const char* what);

  const std::uint64_t seed_;
  const RunSettings settings_;
  World world_;
  LogMarks log_{world_};
  const Options options_;
  Ledger ledger_;
  History history_;
  RaftCheck raft_;
  Network network_;
  Cluster cluster_;
  Faults faults_;
  Clients shared_;
  AdminClient admin_;
  BackupClient backup_;
  std::vector<std::unique_ptr<KvClient>> kv_;
  std::vector<std::unique_ptr<WatchClient>> watchers_;
  std::vector<std::unique_ptr<LeaseClient>> lessees_;
};

Simulation::Simulation(std::uint64_t seed, const RunSettings& settings)
    : seed_(seed),
      settings_(settings),
      world_(seed),
      options_(Options::Draw(world_.random.options).LeaveOut(settings.without)),
      ledger_(world_),
      history_(world_, ledger_),
      raft_(world_),
      network_(world_, raft_, options_),
      cluster_({world_, ledger_, raft_, network_, options_}),
      faults_(world_, cluster_, network_, options_),
      shared_(world_, ledger_, history_, cluster_, options_),
      admin_(shared_),
      backup_(shared_) {
  world_.options = {options_.hop_max, options_.stall_per_mille, options_.stall_max};
  if (settings.verbose) world_.PrintTraceTo(stdout);
  current = {seed, &world_, &options_, settings.without};
  for (int i = 0; i < options_.kv_clients + options_.readers; ++i) {
    kv_.push_back(std::make_unique<KvClient>(shared_, i, /*only_reads=*/i >= options_.kv_clients));
  }
  for (int i = 0; i < options_.watch_clients; ++i) {
    watchers_.push_back(std::make_unique<WatchClient>(shared_, i));
  }
  for (int i = 0; i < options_.lease_clients; ++i) {
    lessees_.push_back(std::make_unique<LeaseClient>(shared_, i));
  }
  // A full device and a failed fsync are the reasons not to start that these faults can give.
  cluster_.may_fail_to_open = [this](int machine) { return faults_.IsFull(machine); };
  ledger_.on_applied = [this](std::uint64_t index, std::uint64_t term) {
    raft_.OnApplied(Index(index), Term(term));
  };
  ledger_.on_lease_removed = [this](std::int64_t id, const Ledger::Lease& lease) {
    for (const auto& one : lessees_) one->OnRemoved(id, lease);
  };
}

RunResult Simulation::Run() {
  cluster_.Start();
  faults_.Start();
  admin_.Start();
  backup_.Start();
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
          world_.steps(),
          world_.marks()};
}

void Simulation::Safety() { world_.RunFor(options_.duration); }

void Simulation::Expect(bool held, const char* what) {
  if (held || world_.has_failed()) return;
  for (const int machine : cluster_.InUse()) {
    world_.Trace(cluster_.machine(machine).Describe());
  }
  for (const auto& one : kv_) {
    if (!one->is_idle()) world_.Trace("a kv client waits");
  }
  world_.Fail(std::string("liveness: ") + what);
}

bool Simulation::AllServe() {
  for (const int machine : cluster_.InUse()) {
    if (cluster_.IsKeptDown(machine)) continue;
    if (!cluster_.machine(machine).is_serving()) return false;
  }
  return true;
}

bool Simulation::AllIdle() const {
  for (const auto& one : kv_) {
    if (!one->is_idle()) return false;
  }
  for (const auto& one : lessees_) {
    if (!one->is_idle()) return false;
  }
  return true;
}

// Nothing breaks any more. First a quorum alone must get on: what is under way ends, every client
// can write and read. Then the others come back, every watch has everything, leases that nobody
// keeps alive go, and all members hold the same.
void Simulation::Liveness() {
  world_.Trace("phase 2");
  const std::vector<int> absent = DrawMinority();
  for (const int machine : absent) cluster_.KeepDown(machine, true);
  faults_.Heal();
  for (int i = 1; i <= cluster_.machines(); ++i) cluster_.machine(i).SetSlowSync(false);
  shared_.quiet = true;
  admin_.Settle();
  Expect(
      world_.RunUntil([this] { return AllServe() && AllIdle() && admin_.IsSettled(); }, kRecovery),
      "a member is not back, or calls hang");
  Prove();
  if (world_.has_failed()) return;
  for (const int machine : absent) cluster_.KeepDown(machine, false);
  Expect(world_.RunUntil([this] { return AllServe(); }, kRecovery), "a member is not back");
  Prove();
  ExpectAll(lessees_, LeaseClient::kTtlMax + kRecovery, &LeaseClient::AllGone,
            "leases that nobody keeps alive stay");
  ExpectAll(watchers_, kRecovery, &WatchClient::HasAll, "a watch misses events");
  // A compaction pauses after every batch.
  const Nanos compaction =
      std::chrono::milliseconds(20) * ledger_.head() / options_.compaction_batch;
  Expect(
      world_.RunUntil([this] { return HaveConverged(cluster_, ledger_); }, kRecovery + compaction),
      "members stay behind");
  if (world_.has_failed()) return;
  if (const std::string wrong = CompareReplicas(cluster_); !wrong.empty()) world_.Fail(wrong);
}

// In half of the runs: as many as the cluster can do without.
std::vector<int> Simulation::DrawMinority() {
  std::vector<int> rest = cluster_.InUse();
  std::vector<int> out;
  // Not while the operator may have members to start.
  const bool is_changing =
      options_.admin.reconfigure_every > Nanos(0) || options_.admin.ruin_every > Nanos(0);
  if (is_changing || world_.random.faults.Below(2) == 0) return out;
  for (std::size_t n = (rest.size() - 1) / 2; n > 0; --n) {
    const std::size_t i = world_.random.faults.Below(rest.size());
    out.push_back(rest[i]);
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (!out.empty()) world_.Count("a quorum alone");
  return out;
}

void Simulation::Prove() {
  if (world_.has_failed()) return;
  std::size_t proved = 0;
  for (const auto& one : kv_) one->Prove([&proved] { ++proved; });
  Expect(world_.RunUntil([&] { return proved == kv_.size(); }, kRecovery),
         "a client cannot write or read");
}

void Report(const Current& run, const std::string& failure, std::FILE* out) {
  fmt::print(out, "seed {}: {}\n{}", run.seed, failure, run.options->ToString());
  for (const std::string& line : run.world->trace()) fmt::print(out, "{}\n", line);
  fmt::print(out, "seed {}: {}\nreplay: build/release/bin/simulation --seed {}{}{}\n", run.seed,
             failure, run.seed, run.without.empty() ? "" : " --without ", run.without);
}

}  // namespace

RunResult Run(std::uint64_t seed, const RunSettings& settings) {
  Simulation simulation(seed, settings);
  RunResult result = simulation.Run();
  if (!result.failure.empty() && settings.report) Report(current, result.failure, stdout);
  current = {};
  return result;
}

void ReportCurrent(const std::string& failure, std::FILE* out) {
  if (current.world != nullptr) Report(current, failure, out);
}

void InterruptCurrent() {
  if (current.world != nullptr) current.world->Interrupt();
}

}  // namespace etcd::simulation
