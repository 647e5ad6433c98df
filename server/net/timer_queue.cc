#include "server/net/timer_queue.h"

namespace etcd::net {

void TimerQueue::RunDue(Time now) {
  // One at a time: a callback may disarm or destroy others.
  while (!armed_.empty() && armed_.begin()->first <= now) {
    Timer* const timer = armed_.begin()->second;
    timer->Disarm();
    timer->callback_();
  }
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

}  // namespace etcd::net
