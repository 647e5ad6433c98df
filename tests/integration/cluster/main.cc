#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <etcdserverpb/rpc.pb.h>
#include <fcntl.h>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>

#include "bench/load/requests.h"
#include "tests/integration/cluster/endpoint.h"
#include "tests/integration/cluster/recorder.h"
#include "tests/integration/cluster/workload.h"
#include "tests/simulation/history.h"

// cluster_client HOST:PORT,... [--writers=64] [--rate=1200] [--seed=1] [--progress] [--compact]
// Writers and readers over all members of a cluster and a watch on each; ClusterLoad in
// tests/support/cluster.py drives it. Commands on standard input, each answered by one line:
//   mark                  starts a report anew                       -> "ok"
//   report                what happened since                        -> a JSON object
//   endpoints HOST:PORT,...  the members from now on                 -> "ok"
//   stop                  no more operations; judges everything      -> a JSON object, exit 0
// Exit 1 with a line "WRONG: ..." when a promise of the API was broken.
namespace etcd::cluster {
namespace {

constexpr std::string_view kHashKv = "/etcdserverpb.Maintenance/HashKV";
constexpr auto kTick = std::chrono::milliseconds(1);
constexpr auto kSettle = std::chrono::seconds(30);
constexpr auto kCompactionInterval = std::chrono::seconds(1);
constexpr std::int64_t kRevisionsKept = 500;

struct Options {
  std::string endpoints;
  bool progress = false;
  bool compact = false;
  Workload::Options workload;
};

class Client {
 public:
  explicit Client(const Options& options)
      : options_(options),
        world_(1),
        ledger_(world_),
        history_(world_, ledger_),
        feed_(world_, ledger_),
        workload_(endpoints_, options.workload) {
    SetEndpoints(options.endpoints);
  }

  int Run() {
    fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
    while (!world_.has_failed()) {
      if (!ReadCommands()) return Finish();
      TickAll();
    }
    return Wrong();
  }

 private:
  void TickAll() {
    const auto now = SteadyClock::now();
    for (const auto& endpoint : endpoints_) endpoint->Tick(now);
    for (const auto& recorder : recorders_) recorder->Tick(now);
    workload_.Tick(now);
    if (options_.compact && now >= next_compaction_) Compact(now);
    for (const auto& endpoint : endpoints_) endpoint->Tick(now);
    loop_.RunUntil(now + kTick);
  }

  // Those that stay keep their connections and what they were told.
  void SetEndpoints(const std::string& list) {
    Workload::Endpoints endpoints;
    std::vector<std::unique_ptr<Recorder>> recorders;
    std::istringstream in(list);
    for (std::string name; std::getline(in, name, ',');) {
      const std::size_t colon = name.find(':');
      std::size_t known = 0;
      while (known < endpoints_.size() &&
             (endpoints_[known] == nullptr || endpoints_[known]->name() != name)) {
        ++known;
      }
      if (known < endpoints_.size()) {
        endpoints.push_back(std::move(endpoints_[known]));
        recorders.push_back(std::move(recorders_[known]));
        continue;
      }
      endpoints.push_back(std::make_unique<Endpoint>(
          loop_, name.substr(0, colon),
          static_cast<std::uint16_t>(std::atoi(name.c_str() + colon + 1))));
      recorders.push_back(std::make_unique<Recorder>(
          world_, ledger_, feed_, *endpoints.back(),
          Recorder::Options{.prev_kv = recorders.size() == 1, .progress = options_.progress}));
    }
    for (const auto& gone : endpoints_) {
      if (gone != nullptr) gone->Close();
    }
    recorders_ = std::move(recorders);
    endpoints_ = std::move(endpoints);
  }

  // Keeps what some watches may still want: they are told what is gone, and go on from there. Not
  // right behind a delete: what HashKV makes of it there differs between releases of etcd (#18089).
  void Compact(SteadyClock::time_point now) {
    next_compaction_ = now + kCompactionInterval;
    const std::int64_t revision = ledger_.head() - kRevisionsKept;
    if (revision < 2 || !endpoints_.front()->is_connected()) return;
    for (const auto& change : ledger_.At(revision).changes) {
      if (change.deleted) return;
    }
    feed_.OnCompactionRequested(revision);
    endpoints_.front()->Call(
        bench::kCompact, bench::Compaction(revision),
        [this, revision](const bench::Connection::Trailer& trailer, std::string_view) {
          if (trailer.status == 0) workload_.OnCompacted(revision);
        });
  }

  // False: to stop.
  bool ReadCommands() {
    char buffer[4096];
    const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (n == 0) return false;
    if (n > 0) commands_.append(buffer, static_cast<std::size_t>(n));
    for (std::size_t end; (end = commands_.find('\n')) != std::string::npos;) {
      const std::string line = commands_.substr(0, end);
      commands_.erase(0, end + 1);
      if (line == "stop") return false;
      Execute(line);
    }
    return true;
  }

  void Execute(const std::string& line) {
    std::string answer = "ok";
    if (line == "mark") {
      workload_.Mark(SteadyClock::now());
    } else if (line == "report") {
      answer = ReportJson();
    } else if (line.rfind("endpoints ", 0) == 0) {
      SetEndpoints(line.substr(10));
    } else {
      answer = "unknown command";
    }
    std::printf("%s\n", answer.c_str());
    std::fflush(stdout);
  }

  std::string ReportJson() {
    const Workload::Report report = workload_.TakeReport(SteadyClock::now());
    std::string errors;
    for (const auto& [text, count] : report.errors) {
      errors += fmt::format("{}\"{}\": {}", errors.empty() ? "" : ", ", text, count);
    }
    const auto ms = [](std::chrono::nanoseconds time) {
      return std::chrono::duration<double, std::milli>(time).count();
    };
    return fmt::format(
        "{{\"writes\": {}, \"reads\": {}, \"longest_gap_ms\": {:.1f}, \"slowest_ms\": {:.1f}, "
        "\"head\": {}, \"failed_writes\": {}, \"failed_twice\": {}, \"errors\": {{{}}}}}",
        report.writes, report.reads, ms(report.longest_gap), ms(report.slowest), ledger_.head(),
        report.failed_writes, report.failed_twice, errors);
  }

  // ---- The end: every member must come to the same history.

  bool TickUntil(const std::function<bool()>& done) {
    const auto deadline = SteadyClock::now() + kSettle;
    while (!done() && !world_.has_failed()) {
      if (SteadyClock::now() > deadline) return false;
      TickAll();
    }
    return !world_.has_failed();
  }

  int Finish() {
    workload_.Stop();
    TickUntil([this] { return workload_.is_idle(); });
    if (!TickUntil([this] { return AllConnected(); })) return Wrong("a member does not listen");
    std::int64_t head = 0;
    for (const auto& endpoint : endpoints_) {
      // A member that was away may need a while until it reaches the leader.
      const auto read = [&] {
        head = endpoint->is_connected() ? workload_.ReadAll(*endpoint) : 0;
        return head != 0;
      };
      if (!TickUntil(read)) return Wrong("no linearizable read on " + endpoint->name());
    }
    if (!TickUntil([this, head] { return AllWatched(head); })) {
      std::string where;
      for (const auto& recorder : recorders_) where += fmt::format(" {}", recorder->next() - 1);
      return Wrong(fmt::format("watches stay behind revision {}:{}", head, where));
    }
    if (!CompareHashes(head)) return Wrong();
    workload_.Check(history_);
    if (world_.has_failed()) return Wrong();
    std::printf("{\"head\": %lld, \"checked\": %llu}\n", static_cast<long long>(head),
                static_cast<unsigned long long>(history_.checked()));
    return 0;
  }

  bool AllConnected() const {
    for (const auto& endpoint : endpoints_) {
      if (!endpoint->is_connected()) return false;
    }
    return true;
  }

  bool AllWatched(std::int64_t head) const {
    for (const auto& recorder : recorders_) {
      if (!recorder->HasReached(head)) return false;
    }
    return true;
  }

  bool CompareHashes(std::int64_t head) {
    etcdserverpb::HashKVRequest request;
    request.set_revision(head);
    for (const auto& endpoint : endpoints_) {
      etcdserverpb::HashKVResponse response;
      const std::string answer =
          endpoint->CallAndWait(kHashKv, request.SerializeAsString(), kSettle);
      if (answer.empty() || !response.ParseFromString(answer)) {
        world_.Fail("no HashKV of " + endpoint->name());
        return false;
      }
      // Of releases before 3.6, which do not say: what was asked for.
      if (response.hash_revision() == 0) response.set_hash_revision(head);
      history_.CheckHash(head, response);
    }
    return !world_.has_failed();
  }

  int Wrong(const std::string& what = "") {
    std::printf("WRONG: %s\n", world_.has_failed() ? world_.failure().c_str() : what.c_str());
    return 1;
  }

  const Options options_;
  bench::Loop loop_;
  simulation::World world_;
  simulation::Ledger ledger_;
  simulation::History history_;
  Feed feed_;
  Workload::Endpoints endpoints_;
  std::vector<std::unique_ptr<Recorder>> recorders_;  // one for each endpoint
  Workload workload_;
  SteadyClock::time_point next_compaction_;
  std::string commands_;
};

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : argument.substr(equals + 1);
    if (name == "--writers") {
      options.workload.writers = std::stoi(value);
    } else if (name == "--rate") {
      options.workload.rate = std::stod(value);
    } else if (name == "--seed") {
      options.workload.seed = std::stoull(value);
    } else if (name == "--progress") {
      options.progress = true;
    } else if (name == "--compact") {
      options.compact = true;
    } else if (name.rfind("--", 0) != 0 && options.endpoints.empty()) {
      options.endpoints = argument;
    } else {
      std::fprintf(stderr, "cluster_client: unknown argument %s\n", argument.c_str());
      std::exit(2);
    }
  }
  return options;
}

}  // namespace
}  // namespace etcd::cluster

int main(int argc, char** argv) {
  return etcd::cluster::Client(etcd::cluster::Parse(argc, argv)).Run();
}
