#pragma once

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include <absl/container/btree_set.h>
#include <absl/functional/any_invocable.h>

namespace etcd::rafthttp {

class Timer;

// The timers of the loop, ordered by due time: connections move theirs with every read and hardly
// any fires. Loop thread only; outlives its timers.
class TimerQueue {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Runs the timers due at `now`; those armed meanwhile wait for the next call.
  void RunDue(Time now);
  std::optional<Time> Earliest() const {
    return armed_.empty() ? std::nullopt : std::optional(armed_.begin()->first);
  }

 private:
  friend class Timer;
  absl::btree_set<std::pair<Time, Timer*>> armed_;
};

class Timer {
 public:
  // The callback may destroy the timer, if it touches nothing that it captured afterwards.
  Timer(TimerQueue& queue, absl::AnyInvocable<void()> callback)
      : queue_(queue), callback_(std::move(callback)) {}
  ~Timer() { Disarm(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Moves the timer when it is armed already.
  void Arm(TimerQueue::Time due) {
    Disarm();
    due_ = due;
    armed_ = true;
    queue_.armed_.insert({due_, this});
  }
  void Disarm() {
    if (armed_) queue_.armed_.erase({due_, this});
    armed_ = false;
  }
  bool armed() const { return armed_; }

 private:
  friend class TimerQueue;
  TimerQueue& queue_;
  absl::AnyInvocable<void()> callback_;
  TimerQueue::Time due_{};
  bool armed_ = false;
};

inline void TimerQueue::RunDue(Time now) {
  // One at a time: a callback may disarm or destroy others. Those that it arms are due later than
  // `now`, so this ends.
  while (!armed_.empty() && armed_.begin()->first <= now) {
    Timer* const timer = armed_.begin()->second;
    armed_.erase(armed_.begin());
    timer->armed_ = false;
    timer->callback_();
  }
}

}  // namespace etcd::rafthttp
