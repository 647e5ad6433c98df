#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <malloc.h>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "operator/main/data_guard.h"
#include "operator/main/flags.h"
#include "operator/main/operator.h"
#include "operator/main/tidy.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::op {
namespace {

// Signals are taken by the main thread only; SIGUSR1 is our own: elected.
constexpr int kElected = SIGUSR1;

sigset_t BlockSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, kElected}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return set;
}

class ConsoleSink final : public base::LogSink {
 public:
  void Write(const base::LogRecord& record) override {
    const std::string line = base::FormatLogConsole(record) + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
  }
};

void SetUpLog(const Flags& flags) {
  static ConsoleSink console;
  if (flags.log_format == "console") base::SetLogSink(&console);
  base::SetLogLevel(flags.log_level == "debug"   ? base::LogLevel::kDebug
                    : flags.log_level == "warn"  ? base::LogLevel::kWarn
                    : flags.log_level == "error" ? base::LogLevel::kError
                                                 : base::LogLevel::kInfo);
}

int Run(const Flags& flags) {
  const sigset_t signals = BlockSignals();
  Operator::Callbacks callbacks{[] { kill(getpid(), kElected); },
                                // Somebody else leads: nothing may be finished any more.
                                [] { std::_Exit(1); }};
  absl::StatusOr<std::unique_ptr<Operator>> made = Operator::Make(flags, std::move(callbacks));
  if (!made.ok()) {
    LOG_ERROR("cannot start", {"error", made.status()});
    return 1;
  }
  constexpr timespec kTidyEvery{60, 0};
  for (;;) {
    const int signal = sigtimedwait(&signals, nullptr, &kTidyEvery);
    if (signal < 0) {
      GiveBackMemory();
      continue;
    }
    if (signal != kElected) {
      LOG_INFO("stopping", {"signal", signal});
      (*made)->Stop();
      return 0;
    }
    (*made)->Work();
  }
}

// The workers are another program, in the same folder.
int BecomeWorker(char** argv) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string worker = self.parent_path() / "etcd-operator-worker";
  execv(worker.c_str(), argv);
  std::fprintf(stderr, "etcd-operator: %s: %s\n", worker.c_str(), std::strerror(errno));
  return 1;
}

int Main(int argc, char** argv) {
  // A heap for each of our many threads, all of them idle, costs more than their lock.
  mallopt(M_ARENA_MAX, 1);
  // Lists come as one large text each: always mapped, so that its end gives it back.
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "data-guard") return DataGuardMain(argc, argv);
  if (verb == "backup-worker" || verb == "restore-worker") return BecomeWorker(argv);
  const absl::StatusOr<Flags> flags = ParseFlags({argv + 1, argv + argc});
  if (!flags.ok()) {
    std::fprintf(stderr, "etcd-operator: %s\n",
                 std::string(base::MessageOf(flags.status())).c_str());
    return 2;
  }
  if (flags->shows_help) {
    std::fputs(FlagsHelp().c_str(), stdout);
    return 0;
  }
  SetUpLog(*flags);
  return Run(*flags);
}

}  // namespace
}  // namespace etcd::op

int main(int argc, char** argv) { return etcd::op::Main(argc, argv); }
