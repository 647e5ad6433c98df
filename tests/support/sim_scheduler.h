#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/base/clock.h"
#include "server/base/executor.h"
#include "server/base/random.h"

namespace etcd::testing {

// Any number of executors on one thread and one virtual clock. Tasks of one executor run in the
// order in which they were posted; which executor comes next is drawn from the seed, so that the
// interleavings that threads could have are tried, and the same seed tries the same. Time passes
// only when nothing is left to do now. Not thread-safe.
class SimScheduler {
 public:
  explicit SimScheduler(std::uint64_t seed);
  ~SimScheduler();
  SimScheduler(const SimScheduler&) = delete;
  SimScheduler& operator=(const SimScheduler&) = delete;

  // Lives as long as the scheduler. `process` groups what dies together.
  base::Executor& NewExecutor(std::uint64_t process = 0);
  const base::Clock& clock() const;

  // The process is killed: its tasks and timers are destroyed unrun, and what is posted to its
  // executors from now on too. Call it from outside of a task.
  void KillProcess(std::uint64_t process);

  // One task; false when nothing is left, timers included.
  bool Step();
  void RunFor(std::chrono::nanoseconds duration);
  // False when `duration` passed (or nothing is left to do) before the condition held.
  bool RunUntil(const std::function<bool()>& condition,
                std::chrono::nanoseconds duration = std::chrono::seconds(60));
  // Lets time pass without running anything: a paused process or a slow disk.
  void Skip(std::chrono::nanoseconds duration);

  std::uint64_t steps() const { return steps_; }

 private:
  class Clock;
  class SimExecutor;
  struct Timer {
    SimExecutor* executor;
    base::Task task;
  };

  bool RunReady();
  void MoveDueTimers();

  base::SeededRandom random_;
  std::unique_ptr<Clock> clock_;
  std::vector<std::unique_ptr<SimExecutor>> executors_;
  std::map<std::pair<base::Clock::Monotonic, std::uint64_t>, Timer> timers_;
  std::uint64_t next_sequence_ = 0;
  std::uint64_t steps_ = 0;
};

}  // namespace etcd::testing
