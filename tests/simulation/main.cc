// simulation: runs seeds of the deterministic simulation. See docs/testing.md.
//
//   simulation --seed N [--verbose]         one run, with a report when it fails
//   simulation --seeds N [--from S]         N fresh seeds (from the clock, or S, S+1, ...)
//   simulation --seconds T                  fresh seeds for so long
//   simulation --list FILE                  the seeds of a file first (past failures); what a seed
//                                           shall leave out may follow it in its line
//   --check-replay K                        every K-th seed runs twice, in another process
//   --require-marks                         fail when something rare never happened
//   --without WHAT[,WHAT]                   leaves out what Options::LeaveOut names; nothing else
//                                           that is drawn changes

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/time.h>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>

#include "server/base/log.h"
#include "tests/simulation/run.h"
#include "tests/simulation/world.h"

namespace etcd::simulation {
namespace {

// What a long run must have met; what a run counts beyond these is only printed.
constexpr std::string_view kRequired[] = {
    "a quorum alone",
    "append refused",
    "backend replaced by a snapshot",
    "broken link",
    "clean stop",
    "clogged link",
    "compaction",
    "compaction at a head where nothing lives",
    "death at a disk or engine operation",
    "defragmentation",
    "disk full",
    "election on demand",
    "engine full",
    "failed fsync",
    "fragmented watch response",
    "hash compared",
    "kill",
    "leader elected",
    "lease expired",
    "lease renewed",
    "lease revoked",
    "log: found orphaned .snap.db file; deleting",
    "member stopped itself",
    "message doubled",
    "message lost",
    "message overtaken",
    "mute leader",
    "nested transaction",
    "one-way partition",
    "partition",
    "pause",
    "power loss",
    "pre-vote refused",
    "read index asked of the leader",
    "revision applied again",
    "slow fsync",
    "slow link",
    "snapshot received",
    "snapshot sent",
    "streamed unary response",
    "swizzle",
    "vote refused",
    "wall clock jump",
    "watch canceled by compaction",
    "watch client stalls",
    "watch progress",
    "watch stream broke",
    "write of unknown outcome happened",
    "write refused by the state machine",
    "write refused: no space",
    "write refused: too many requests",
};

// The same, when nothing is left out.
constexpr std::string_view kRequiredOfAll[] = {
    "call refused by a learner",
    "compared at its start",
    "damage on disk",
    "damage on disk found",
    "disks lost",
    "failed write of the engine",
    "fsync without room",
    "leader lost when its snapshot arrived",
    "leader moved",
    "learner joins",
    "machine retired",
    "member removed",
    "member updated",
    "removed member told so",
    "snapshot saved",
    "voter joins",
};

// And what only a longer one must have met.
constexpr std::string_view kRequiredLong[] = {
    "death at: engine flush",
    "death at: engine replaced",
    "death at: engine written",
    "death at: log directory sync",
    "death at: log rename",
    "death at: log sync",
    "death at: log write",
    "death at: received database rename",
    "death at: received database sync",
    "death at: snapshot rename",
    "death at: snapshot write",
    "entries replaced by another leader's",
    "learner promoted",
    "log: failed to preallocate space when creating a new WAL",
    "log: finished peer corruption check",
    "log: installing a snapshot that was received before",
    "log: no room for a snapshot",
    "log: repaired WAL",
    "log: successfully checked hash on whole cluster",
    "log: the backend quota is exceeded, raising alarm NOSPACE",
    "log: waiting for ReadIndex response took too long, retrying",
    "snapshot transfer failed",
};

// So many that none of the marks is missing by chance once in a hundred thousand times: of 50 runs
// a tenth were without the rarest.
constexpr std::uint64_t kRunsForMarks = 300;
constexpr std::uint64_t kRunsForLongMarks = 3'000;

// Exit codes beside 0 (all held), 1 (a run failed) and 2 (usage).
constexpr int kAborted = 3;
constexpr int kHung = 4;

// CPU time of one run; most take less than a second. It covers what the limits of World do not see:
// one event that does not end, and checks at the end of a run.
constexpr int kRunSecondsMax = 100;
constexpr int kGraceSeconds = 5;

struct Arguments {
  std::optional<std::uint64_t> seed;
  std::uint64_t seeds = 0;
  std::uint64_t from = 0;
  double seconds = 0;
  std::string list;
  std::string without;
  std::uint64_t check_replay = 0;
  bool require_marks = false;
  bool verbose = false;
  bool print_hash = false;
  std::uint64_t failures_max = 1;
};

double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

bool ParseArguments(int argc, char** argv, Arguments& out) {
  std::map<std::string_view, std::uint64_t*> numbers = {{"--seeds", &out.seeds},
                                                        {"--from", &out.from},
                                                        {"--check-replay", &out.check_replay},
                                                        {"--failures", &out.failures_max}};
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (name == "--verbose") {
      out.verbose = true;
    } else if (name == "--require-marks") {
      out.require_marks = true;
    } else if (name == "--print-hash") {
      out.print_hash = true;
    } else if (value == nullptr) {
      return false;
    } else if (name == "--seed") {
      out.seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (name == "--seconds") {
      out.seconds = std::strtod(argv[++i], nullptr);
    } else if (name == "--list") {
      out.list = argv[++i];
    } else if (name == "--without") {
      out.without = argv[++i];
    } else if (const auto number = numbers.find(name); number != numbers.end()) {
      *number->second = std::strtoull(argv[++i], nullptr, 10);
    } else {
      return false;
    }
  }
  return out.seed || out.seeds > 0 || out.seconds > 0 || !out.list.empty();
}

// Where a run says why it ends early; stdout may be another's.
std::FILE* report_to = stdout;

void Abandon(const char* failure, int code) {
  alarm(kGraceSeconds);  // should the report wait for a lock that is held here
  ReportCurrent(failure, report_to);
  std::fflush(report_to);
  std::_Exit(code);
}

// A broken invariant of the code under test aborts: say in which run.
void OnAbort(int /*signal*/) { Abandon("the process aborts", kAborted); }

volatile std::sig_atomic_t overdue = 0;

// The first time the run fails at its next event; if there is none, the second time ends it.
void OnOverdue(int /*signal*/) {
  if (overdue != 0) Abandon("the run hangs in one event", kHung);
  overdue = 1;
  InterruptCurrent();
}

void CatchSignals() {
  std::signal(SIGABRT, OnAbort);
  std::signal(SIGSEGV, OnAbort);
  std::signal(SIGFPE, OnAbort);
  std::signal(SIGPROF, OnOverdue);
}

RunResult RunWatched(std::uint64_t seed, const RunSettings& settings) {
  overdue = 0;
  const itimerval limit = {.it_interval = {kGraceSeconds, 0}, .it_value = {kRunSecondsMax, 0}};
  setitimer(ITIMER_PROF, &limit, nullptr);
  return Run(seed, settings);
}

bool IsHang(const RunResult& result) { return result.failure.starts_with(kHangs); }

// The same seed in a process of its own, where addresses and hash seeds differ.
std::optional<std::uint64_t> HashInOtherProcess(std::uint64_t seed, const std::string& without) {
  char self[4096];
  const ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
  if (size <= 0) return std::nullopt;
  const std::string command =
      fmt::format("'{}' --seed {} --print-hash --without '{}'",
                  std::string_view(self, static_cast<std::size_t>(size)), seed, without);
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return std::nullopt;
  unsigned long long hash = 0;
  const int read = fscanf(pipe, "%llx", &hash);
  pclose(pipe);
  return read == 1 ? std::optional<std::uint64_t>(hash) : std::nullopt;
}

class Campaign {
 public:
  explicit Campaign(const Arguments& arguments) : arguments_(arguments) {}

  int Run();

 private:
  void RunList(std::istream& list);
  void RunSeed(std::uint64_t seed, const std::string& without);
  void CheckReplay(std::uint64_t seed, std::uint64_t hash, const std::string& without);
  bool CheckMarks() const;
  void PrintSummary() const;
  bool Enough() const { return failures_ >= arguments_.failures_max; }

  const Arguments& arguments_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  struct Mark {
    std::uint64_t count = 0;
    std::uint64_t runs = 0;  // in which it happened
  };
  std::map<std::string, Mark> marks_;
  std::uint64_t runs_ = 0;
  std::uint64_t failures_ = 0;
  std::uint64_t replays_ = 0;
  std::uint64_t operations_ = 0;
  std::uint64_t revisions_ = 0;
  std::uint64_t events_max_ = 0;
  double cpu_seconds_max_ = 0;
  double virtual_seconds_ = 0;
  bool hung_ = false;
};

// Lines of a seed, and what it leaves out beside what the whole campaign does.
void Campaign::RunList(std::istream& list) {
  for (std::string line; std::getline(list, line) && !Enough();) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::uint64_t seed = 0;
    std::string without;
    words >> seed >> without;
    RunSeed(seed, without.empty() ? arguments_.without : without + "," + arguments_.without);
  }
}

void Campaign::RunSeed(std::uint64_t seed, const std::string& without) {
  const double start = CpuSeconds();
  const RunResult result = RunWatched(seed, {.verbose = arguments_.verbose, .without = without});
  cpu_seconds_max_ = std::max(cpu_seconds_max_, CpuSeconds() - start);
  events_max_ = std::max(events_max_, result.events);
  ++runs_;
  virtual_seconds_ += result.virtual_seconds;
  operations_ += result.operations;
  revisions_ += result.revisions;
  for (const auto& [name, count] : result.marks) {
    Mark& mark = marks_[name];
    mark.count += count;
    ++mark.runs;
  }
  if (!result.failure.empty()) ++failures_;
  hung_ |= IsHang(result);
  if (arguments_.check_replay > 0 && runs_ % arguments_.check_replay == 0) {
    CheckReplay(seed, result.trace_hash, without);
  }
}

void Campaign::CheckReplay(std::uint64_t seed, std::uint64_t hash, const std::string& without) {
  ++replays_;
  const auto other = HashInOtherProcess(seed, without);
  if (other == hash) return;
  ++failures_;
  fmt::print("seed {}: NOT DETERMINISTIC: {:016x}, another process {:016x}\n", seed, hash,
             other.value_or(0));
}

int Campaign::Run() {
  if (!arguments_.list.empty()) {
    std::ifstream file(arguments_.list);
    if (!file) {
      fmt::print("cannot read {}\n", arguments_.list);
      return 2;
    }
    RunList(file);
  }
  std::uint64_t seed = arguments_.from;
  if (seed == 0) {
    seed = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  }
  const auto until = start_ + std::chrono::duration<double>(arguments_.seconds);
  for (std::uint64_t i = 0; !Enough(); ++i) {
    if (i >= arguments_.seeds && std::chrono::steady_clock::now() >= until) break;
    RunSeed(seed + i, arguments_.without);
  }
  PrintSummary();
  if (hung_) return kHung;
  return failures_ == 0 && (!arguments_.require_marks || CheckMarks()) ? 0 : 1;
}

void Campaign::PrintSummary() const {
  for (const auto& [name, mark] : marks_) {
    fmt::print("  {:44} {}, in {} runs\n", name, mark.count, mark.runs);
  }
  fmt::print(
      "{} runs, {} failed, {} replayed; {} answers, {} revisions; {:.0f} virtual s, {:.0f} per CPU "
      "second; the longest run: {} events, {:.1f} CPU s\n",
      runs_, failures_, replays_, operations_, revisions_, virtual_seconds_,
      virtual_seconds_ / CpuSeconds(), events_max_, cpu_seconds_max_);
}

bool Campaign::CheckMarks() const {
  bool all = true;
  const auto require = [&](std::span<const std::string_view> marks) {
    for (const std::string_view mark : marks) {
      if (marks_.count(std::string(mark)) != 0) continue;
      fmt::print("never happened: {}\n", mark);
      all = false;
    }
  };
  // Shorter ones cannot be expected to have met everything.
  const bool has_all = arguments_.without.empty();
  if (runs_ >= kRunsForMarks) require(kRequired);
  if (runs_ >= kRunsForMarks && has_all) require(kRequiredOfAll);
  if (runs_ >= kRunsForLongMarks && has_all) require(kRequiredLong);
  return all;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  if (!ParseArguments(argc, argv, arguments)) {
    fmt::print(
        "usage: simulation --seed N | --seeds N [--from S] | --seconds T | --list FILE "
        "[--check-replay K] [--require-marks] [--failures N] [--without WHAT] [--verbose]\n");
    return 2;
  }
  base::SetLogLevel(base::LogLevel::kFatal);
  CatchSignals();
  if (arguments.print_hash) report_to = stderr;
  if (!arguments.seed) return Campaign(arguments).Run();
  const RunResult result = RunWatched(*arguments.seed, {.verbose = arguments.verbose,
                                                        .report = !arguments.print_hash,
                                                        .without = arguments.without});
  if (arguments.print_hash) {
    fmt::print("{:016x}\n", result.trace_hash);
  } else {
    fmt::print("seed {}: {}; {} answers, {} revisions, {:.1f} virtual s, trace {:016x}\n",
               *arguments.seed, result.failure.empty() ? "ok" : result.failure, result.operations,
               result.revisions, result.virtual_seconds, result.trace_hash);
  }
  if (IsHang(result)) return kHung;
  return result.failure.empty() ? 0 : 1;
}

}  // namespace
}  // namespace etcd::simulation

int main(int argc, char** argv) { return etcd::simulation::Main(argc, argv); }
