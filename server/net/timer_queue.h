#pragma once

#include <chrono>
#include <optional>
#include <utility>

#include <absl/container/btree_set.h>
#include <absl/functional/any_invocable.h>

namespace etcd::net {

class Timer;

// The timers of one loop, ordered by due time. Arming and disarming is cheap, since every call with
// a deadline and every read of a connection does so, and hardly any timer fires. Loop thread only;
// outlives its timers.
class TimerQueue {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Runs the timers due at `now`, earliest first, also those that a callback arms for a time not
  // after it: callbacks arm theirs for later.
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
  // The callback may destroy any timer, also this one if it touches nothing that it captured
  // afterwards.
  Timer(TimerQueue& queue, absl::AnyInvocable<void()> callback)
      : queue_(queue), callback_(std::move(callback)) {}
  ~Timer() { Disarm(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Moves the timer when it is armed already.
  void Arm(TimerQueue::Time due);
  void Disarm();
  bool armed() const { return armed_; }

 private:
  friend class TimerQueue;
  TimerQueue& queue_;
  absl::AnyInvocable<void()> callback_;
  TimerQueue::Time due_{};
  bool armed_ = false;
};

}  // namespace etcd::net
