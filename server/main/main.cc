#include <atomic>
#include <csignal>
#include <future>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

#include "server/base/check.h"
#include "server/base/failpoint.h"
#include "server/base/log.h"
#include "server/base/status.h"
#include "server/config/logging.h"
#include "server/config/parse.h"
#include "server/config/version.h"
#include "server/main/commit.h"
#include "server/main/server.h"
#include "server/main/signals.h"
#include "server/main/system.h"
#include "server/metrics/process_metrics.h"

namespace etcd::server {
namespace {

constexpr std::uint64_t kDescriptorsMin = 150;  // kept back for files; etcd's figure

config::ParseInput ReadProcess(int argc, char** argv) {
  config::ParseInput input;
  input.program = argv[0];
  input.arguments.assign(argv + 1, argv + argc);
  for (char** entry = environ; *entry != nullptr; ++entry) input.environment.emplace_back(*entry);
  input.read_file = ReadWholeFile;
  input.default_host = DefaultRouteHost();
  input.commit = GitCommit();
  return input;
}

void CheckDescriptorLimit() {
  const std::uint64_t limit = metrics::DescriptorLimit();
  if (limit > kDescriptorsMin) return;
  LOG_ERROR("file descriptor limit of etcd process is too low; please set higher", {"limit", limit},
            {"recommended-limit", kDescriptorsMin});
  std::exit(1);
}

void LogStart(const config::Config& config) {
  LOG_INFO("starting an etcd server", {"etcd-version", config::kEtcdVersion},
           {"git-sha", GitCommit()}, {"server-version", config::kOwnVersion}, {"name", config.name},
           {"data-dir", config.data_dir}, {"wal-dir", config.wal_dir},
           {"heartbeat-interval", std::chrono::nanoseconds(std::chrono::milliseconds(
                                      static_cast<std::int64_t>(config.heartbeat_interval)))},
           {"election-timeout", std::chrono::nanoseconds(std::chrono::milliseconds(
                                    static_cast<std::int64_t>(config.election_timeout)))},
           {"snapshot-count", config.snapshot_count}, {"max-wals", config.max_wals},
           {"max-snapshots", config.max_snapshots},
           {"snapshot-catchup-entries", config.snapshot_catchup_entries},
           {"listen-client-urls", config::ToStrings(config.listen_client_urls)},
           {"advertise-client-urls", config::ToStrings(config.advertise_client_urls)},
           {"initial-cluster", config.initial_cluster},
           {"initial-cluster-state", config.initial_cluster_state},
           {"initial-cluster-token", config.initial_cluster_token},
           {"quota-backend-bytes", config.quota_backend_bytes}, {"pre-vote", config.pre_vote},
           {"feature-gates", config.feature_gates.ToText()},
           {"initial-corrupt-check", false},  // as etcd 3.6 says whatever the gate
           {"corrupt-check-time-interval", config.corrupt_check_time},
           {"compact-check-time-interval", config.compact_hash_check_time},
           {"auto-rebuild", config.auto_rebuild},
           {"auto-compaction-mode", config.auto_compaction_mode},
           {"auto-compaction-retention", config.auto_compaction_period},
           {"max-request-bytes", config.max_request_bytes});
  if (config.unsafe_no_fsync) {
    LOG_WARN("running without fsync: a crash of the machine loses acknowledged writes");
  }
}

void NotifyServiceManager() {
  LOG_INFO("notifying init daemon");
  const absl::Status notified = NotifyReady();
  if (notified.ok()) {
    LOG_INFO("successfully notified init daemon");
  } else {
    LOG_ERROR("failed to notify systemd for readiness", {"error", notified});
  }
}

// A removed member is not an error of its process: its supervisor should not start it again.
[[noreturn]] void EndRemoved(Server& server) {
  LOG_WARN("server error", {"error", "the member has been permanently removed from the cluster"});
  LOG_WARN("data-dir used by this member must be removed");
  server.Stop();
  std::_Exit(0);
}

// True when the member is ready; false when it has been removed meanwhile, or long ago.
bool StartAndWait(Server& server) {
  struct Start {
    std::atomic<bool> decided{false};
    std::promise<bool> ready;
  };
  const auto start = std::make_shared<Start>();
  const auto decide = [start](bool ready) {
    if (!start->decided.exchange(true)) start->ready.set_value(ready);
  };
  server.Start([decide] { decide(true); },
               [decide] {
                 NoteRemoval();
                 decide(false);
               });
  return start->ready.get_future().get();
}

// Runs a member until a signal ends it.
[[noreturn]] void Run(const config::Config& config, std::vector<std::string> command_line) {
  CheckDescriptorLimit();
  LogStart(config);
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Open(config, std::move(command_line));
  // The message is the one that etcd gives for every failed start.
  if (!server.ok()) base::Fatal("discovery failed", server.status());
  if (!StartAndWait(**server)) EndRemoved(**server);
  CatchStopSignals();
  LOG_INFO("ready to serve client requests");
  (*server)->Serve();
  NotifyServiceManager();
  const int signal = WaitForStop();
  if (signal == 0) EndRemoved(**server);
  LOG_INFO("received signal; shutting down",
           {"signal", signal == SIGINT ? "interrupt" : "terminated"});
  (*server)->Stop();
  EndBySignal(signal);
}

int Main(int argc, char** argv) {
  base::StartFailpoints();
  IgnoreBrokenPipes();
  OpenStopEvent();
  const config::ParseInput input = ReadProcess(argc, argv);
  const config::ParseResult parsed = config::Parse(input);
  static const base::SystemClock clock;
  static std::unique_ptr<base::LogSink> sink;  // lines may come until the process has ended
  if (parsed.proceed) {
    absl::StatusOr<std::unique_ptr<base::LogSink>> opened = OpenLogSink(parsed.config, clock);
    if (!opened.ok()) {
      LOG_WARN("failed to verify flags", {"error", opened.status()});
      return 1;
    }
    sink = *std::move(opened);
    base::SetLogSink(sink.get());
    base::SetLogLevel(LogLevelOf(parsed.config));
  }
  config::Print(parsed);
  if (!parsed.proceed) return parsed.exit_code;
  std::vector<std::string> command_line(argv, argv + argc);
  Run(parsed.config, std::move(command_line));
}

}  // namespace
}  // namespace etcd::server

int main(int argc, char** argv) { return etcd::server::Main(argc, argv); }
