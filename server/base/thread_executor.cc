#include "server/base/thread_executor.h"

#include <algorithm>
#include <pthread.h>
#include <utility>

namespace etcd::base {

ThreadExecutor::ThreadExecutor(std::string name, const Clock& clock)
    : clock_(clock), thread_([this] { Run(); }) {
  name.resize(std::min<std::size_t>(name.size(), 15));  // the kernel's limit
  pthread_setname_np(thread_.native_handle(), name.c_str());
}

ThreadExecutor::~ThreadExecutor() { Stop(); }

bool ThreadExecutor::Later(const Timer& a, const Timer& b) {
  return a.due != b.due ? a.due > b.due : a.sequence > b.sequence;
}

void ThreadExecutor::Post(Task task) {
  bool wake = false;
  {
    const std::lock_guard lock(mu_);
    if (stopping_) return;
    tasks_.push_back(std::move(task));
    wake = sleeping_;
    sleeping_ = false;
  }
  if (wake) wake_.notify_one();
}

void ThreadExecutor::PostAfter(std::chrono::nanoseconds delay, Task task) {
  bool wake = false;
  {
    const std::lock_guard lock(mu_);
    if (stopping_) return;
    timers_.push_back({clock_.Now() + delay, next_sequence_++, std::move(task)});
    std::push_heap(timers_.begin(), timers_.end(), Later);
    wake = sleeping_;
    sleeping_ = false;
  }
  if (wake) wake_.notify_one();
}

void ThreadExecutor::Stop() {
  {
    const std::lock_guard lock(mu_);
    stopping_ = true;
    timers_.clear();
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void ThreadExecutor::MoveDueTimers() {
  const Clock::Monotonic now = clock_.Now();
  while (!timers_.empty() && timers_.front().due <= now) {
    std::pop_heap(timers_.begin(), timers_.end(), Later);
    tasks_.push_back(std::move(timers_.back().task));
    timers_.pop_back();
  }
}

void ThreadExecutor::Run() noexcept {
  std::deque<Task> batch;
  std::unique_lock lock(mu_);
  while (true) {
    if (!timers_.empty()) MoveDueTimers();
    if (tasks_.empty()) {
      if (stopping_) return;
      sleeping_ = true;
      if (timers_.empty()) {
        wake_.wait(lock);
      } else {
        wake_.wait_until(lock, timers_.front().due);
      }
      sleeping_ = false;
      continue;
    }
    batch.swap(tasks_);
    lock.unlock();
    for (Task& task : batch) task();
    batch.clear();
    lock.lock();
  }
}

}  // namespace etcd::base
