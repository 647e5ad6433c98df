#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <utility>

#include "server/base/executor.h"

namespace etcd::testing {

class VirtualClock final : public base::Clock {
 public:
  Monotonic Now() const override { return now_; }
  Wall WallNow() const override { return Wall(now_.time_since_epoch()); }
  void Set(Monotonic now) { now_ = now; }

 private:
  Monotonic now_{std::chrono::hours(1)};
};

// Runs tasks on the test's own thread, in virtual time: nothing happens until the test says so.
// Tasks of the same instant run in posting order.
class VirtualExecutor final : public base::Executor {
 public:
  void Post(base::Task task) override { PostAfter(std::chrono::nanoseconds(0), std::move(task)); }
  void PostAfter(std::chrono::nanoseconds delay, base::Task task) override {
    tasks_.emplace(std::pair(clock_.Now() + delay, next_sequence_++), std::move(task));
  }
  const base::Clock& clock() const override { return clock_; }

  // One task that is due now. False when there is none.
  bool RunOne() {
    if (tasks_.empty() || tasks_.begin()->first.first > clock_.Now()) return false;
    base::Task task = std::move(tasks_.begin()->second);
    tasks_.erase(tasks_.begin());
    task();
    return true;
  }
  // Everything that is due now, including what the tasks post.
  void RunDue() {
    while (RunOne()) {
    }
  }
  // Lets `delay` pass, stopping at each timer on the way.
  void Advance(std::chrono::nanoseconds delay) {
    const auto until = clock_.Now() + delay;
    RunDue();
    while (!tasks_.empty() && tasks_.begin()->first.first <= until) {
      clock_.Set(tasks_.begin()->first.first);
      RunDue();
    }
    clock_.Set(until);
  }
  std::size_t pending() const { return tasks_.size(); }

 private:
  VirtualClock clock_;
  std::map<std::pair<base::Clock::Monotonic, std::uint64_t>, base::Task> tasks_;
  std::uint64_t next_sequence_ = 0;
};

}  // namespace etcd::testing
