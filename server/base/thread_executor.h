#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "server/base/executor.h"

namespace etcd::base {

// An executor with a thread of its own. Queue unbounded: producers bound what they post (proposals
// by the raft queue's limit, notices by what is in flight).
class ThreadExecutor final : public Executor {
 public:
  // `name` (at most 15 characters) is what the thread is called in ps and perf.
  ThreadExecutor(std::string name, const Clock& clock);
  ~ThreadExecutor() override;

  void Post(Task task) override;
  void PostAfter(std::chrono::nanoseconds delay, Task task) override;
  const Clock& clock() const override { return clock_; }

  // Runs what was posted, drops timers, refuses new tasks, then joins. Idempotent; not from a task.
  void Stop();

 private:
  struct Timer {
    Clock::Monotonic due;
    std::uint64_t sequence;  // keeps timers of the same instant in posting order
    Task task;
  };
  static bool Later(const Timer& a, const Timer& b);

  void Run() noexcept;
  void MoveDueTimers();

  const Clock& clock_;
  std::mutex mu_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;     // guarded by mu_
  std::vector<Timer> timers_;  // heap by Later; guarded by mu_
  std::uint64_t next_sequence_ = 0;
  bool sleeping_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace etcd::base
