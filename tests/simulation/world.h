#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/clock.h"
#include "server/base/executor.h"
#include "server/base/random.h"
#include "tests/simulation/fibers.h"

// Virtual time, threads and randomness of one simulated run. Everything happens on one real thread,
// in the order of one heap of events, so that a seed replays exactly.
namespace etcd::simulation {

using Nanos = std::chrono::nanoseconds;

// A generator for each concern, so that one more draw in one does not shift the others.
struct Generators {
  explicit Generators(std::uint64_t seed);
  base::SeededRandom options, schedule, network, disk, clock, engine, faults, workload, member;
};

// True with a probability of `per_mille` in a thousand.
inline bool Chance(base::Random& random, std::uint64_t per_mille) {
  return random.Below(1000) < per_mille;
}
// Uniform in [low, high].
inline Nanos Between(base::Random& random, Nanos low, Nanos high) {
  const auto span = static_cast<std::uint64_t>((high - low).count()) + 1;
  return low + Nanos(static_cast<std::int64_t>(random.Below(span)));
}

class World;

// How the failure of a run that does not come to its end begins.
inline constexpr std::string_view kHangs = "the run hangs";

// The threads and the clock of one process. It dies in two steps: Doom makes it fall silent at any
// point, even in the middle of a task; once no task of it is on the stack, its owner destroys it.
class Process {
 public:
  // Its clocks run `clock_rate` times as fast as the world's.
  Process(World& world, std::uint64_t id, Nanos wall_offset, double clock_rate = 1);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  base::Executor& NewExecutor(std::string_view name);
  const base::Clock& clock() const;
  // What its monotonic clock shows at a time of the world.
  base::Clock::Monotonic MonotonicAt(Nanos time) const;
  void JumpWallClock(Nanos by);

  // From now on nothing of it has an effect any more: no task starts, a task that blocks returns.
  void Doom();
  bool is_doomed() const { return doomed_; }
  // SIGSTOP: no task starts, one that waits goes on only after Resume. Time passes.
  void Pause();
  void Resume();
  // A task of it is under way (it may wait for a device; see World::Block).
  bool is_on_stack() const { return running_ > 0; }
  // Destroys what is queued and what will be.
  void DropTasks();

 private:
  friend class World;
  class ProcessClock;
  class ProcessExecutor;
  // A task that waits for a device.
  struct Wait {
    Fibers::Fiber* fiber;
    bool is_over = false;  // resumed
    bool is_due = false;   // while the process was paused
  };

  void EndWait(const std::shared_ptr<Wait>& wait);

  World& world_;
  const std::uint64_t id_;
  std::unique_ptr<ProcessClock> clock_;
  std::vector<std::unique_ptr<ProcessExecutor>> executors_;
  std::vector<std::shared_ptr<Wait>> waits_;
  bool doomed_ = false;
  bool paused_ = false;
  bool dropped_ = false;
  int running_ = 0;
};

struct WorldOptions {
  // A task starts up to this long after it was posted ...
  Nanos hop_max = std::chrono::microseconds(50);
  // ... and one in so many up to stall_max later: the thread was not scheduled.
  std::uint64_t stall_per_mille = 5;
  Nanos stall_max = std::chrono::milliseconds(5);
};

class World {
 public:
  explicit World(std::uint64_t seed);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Nanos now() const { return now_; }  // since the start of the run
  // Number of events so far; orders what happens at the same time.
  std::uint64_t steps() const { return steps_; }

  // What happens outside of processes: clients, faults, the network.
  void After(Nanos delay, base::Task task);

  // False when `duration` passed before the condition held, or the run failed.
  bool RunUntil(const std::function<bool()>& condition, Nanos duration);
  void RunFor(Nanos duration);

  // Called by a task that waits for a device: the world goes on, on another stack, for so long.
  // Returns early when the process was doomed meanwhile.
  void Block(Process& process, Nanos duration);

  // A promise was broken: nothing runs any more. The first one counts.
  void Fail(std::string what);
  const std::string& failure() const { return failure_; }  // "": none
  bool has_failed() const { return !failure_.empty(); }

  // The run has taken too long: it fails at the next event. For signal handlers.
  void Interrupt() { interrupted_ = 1; }

  // One line of what happened; the last ones are printed when a run fails. Every line and every
  // event goes into the hash.
  void Trace(const std::string& line);
  // The same without a part in the hash.
  void Note(const std::string& line);
  const std::deque<std::string>& trace() const { return trace_; }
  std::uint64_t trace_hash() const { return hash_; }
  void PrintTraceTo(std::FILE* out) { live_ = out; }

  // How often something rare happened; a long run in which one never did has lost its point.
  void Count(const std::string& mark) { ++marks_[mark]; }
  const std::map<std::string, std::uint64_t>& marks() const { return marks_; }

  Generators random;
  WorldOptions options;

 private:
  friend class Process;
  struct Event {
    Nanos due;
    std::uint64_t sequence;
    // Order of a heap whose front is the earliest.
    bool operator<(const Event& other) const {
      return due != other.due ? due > other.due : sequence > other.sequence;
    }
    std::uint64_t who = 0;  // for the hash
    std::shared_ptr<base::Task> task;
  };

  void Push(Nanos due, std::uint64_t who, base::Task task);
  void Mix(std::uint64_t value);
  void RunNext();
  void Loop();
  bool IsDone() const;
  void CheckProgress();
  Nanos DrawHop();

  Fibers fibers_;
  const std::function<bool()>* condition_ = nullptr;  // of the RunUntil under way
  Nanos until_{0};
  Nanos now_{0};
  std::uint64_t next_sequence_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t steps_at_now_ = 0;  // since time last went on
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
  std::vector<Event> heap_;
  std::deque<std::string> trace_;
  std::map<std::string, std::uint64_t> marks_;
  std::string failure_;
  volatile std::sig_atomic_t interrupted_ = 0;
  std::FILE* live_ = nullptr;
};

}  // namespace etcd::simulation
