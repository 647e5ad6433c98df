#include "server/transport/timer_queue.h"

namespace etcd::transport {

void TimerQueue::RunDue(Time now) {
  while (!armed_.empty() && armed_.begin()->first <= now) {
    Timer* timer = armed_.begin()->second;
    timer->Disarm();
    timer->callback_();  // may destroy any timer, this one included
  }
}

std::optional<TimerQueue::Time> TimerQueue::Earliest() const {
  if (armed_.empty()) return std::nullopt;
  return armed_.begin()->first;
}

void Timer::Arm(TimerQueue::Time due) {
  Disarm();
  due_ = due;
  armed_ = true;
  queue_.armed_.insert({due, this});
}

void Timer::Disarm() {
  if (!armed_) return;
  queue_.armed_.erase({due_, this});
  armed_ = false;
}

}  // namespace etcd::transport
