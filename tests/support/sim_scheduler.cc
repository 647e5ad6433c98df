#include "tests/support/sim_scheduler.h"

namespace etcd::testing {

class SimScheduler::Clock final : public base::Clock {
 public:
  Monotonic Now() const override { return now_; }
  Wall WallNow() const override {
    return Wall(std::chrono::duration_cast<Wall::duration>(now_.time_since_epoch()));
  }
  void Set(Monotonic now) { now_ = now; }

 private:
  Monotonic now_{std::chrono::hours(1)};  // far enough from 0 for "two timeouts ago"
};

class SimScheduler::SimExecutor final : public base::Executor {
 public:
  SimExecutor(SimScheduler& scheduler, std::uint64_t process)
      : scheduler_(scheduler), process_(process) {}

  void Post(base::Task task) override {
    if (alive_) tasks_.push_back(std::move(task));
  }
  void PostAfter(std::chrono::nanoseconds delay, base::Task task) override {
    if (!alive_) return;
    scheduler_.timers_.emplace(
        std::pair(scheduler_.clock_->Now() + delay, scheduler_.next_sequence_++),
        Timer{this, std::move(task)});
  }
  const base::Clock& clock() const override { return *scheduler_.clock_; }

  std::uint64_t process() const { return process_; }
  bool has_tasks() const { return !tasks_.empty(); }
  void RunOne() {
    base::Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
  }
  void Kill() {
    alive_ = false;
    tasks_.clear();
  }

 private:
  SimScheduler& scheduler_;
  const std::uint64_t process_;
  std::deque<base::Task> tasks_;
  bool alive_ = true;
};

SimScheduler::SimScheduler(std::uint64_t seed) : random_(seed), clock_(std::make_unique<Clock>()) {}

SimScheduler::~SimScheduler() {
  for (auto& executor : executors_) executor->Kill();
  timers_.clear();
}

base::Executor& SimScheduler::NewExecutor(std::uint64_t process) {
  executors_.push_back(std::make_unique<SimExecutor>(*this, process));
  return *executors_.back();
}

const base::Clock& SimScheduler::clock() const { return *clock_; }

void SimScheduler::KillProcess(std::uint64_t process) {
  std::erase_if(timers_,
                [&](const auto& item) { return item.second.executor->process() == process; });
  for (auto& executor : executors_) {
    if (executor->process() == process) executor->Kill();
  }
}

void SimScheduler::MoveDueTimers() {
  while (!timers_.empty() && timers_.begin()->first.first <= clock_->Now()) {
    Timer timer = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    timer.executor->Post(std::move(timer.task));
  }
}

bool SimScheduler::RunReady() {
  MoveDueTimers();
  std::vector<SimExecutor*> ready;
  for (auto& executor : executors_) {
    if (executor->has_tasks()) ready.push_back(executor.get());
  }
  if (ready.empty()) return false;
  ++steps_;
  ready[random_.Below(ready.size())]->RunOne();
  return true;
}

bool SimScheduler::Step() {
  if (RunReady()) return true;
  if (timers_.empty()) return false;
  clock_->Set(timers_.begin()->first.first);
  return RunReady();
}

void SimScheduler::RunFor(std::chrono::nanoseconds duration) {
  const auto until = clock_->Now() + duration;
  while (true) {
    if (RunReady()) continue;
    if (timers_.empty() || timers_.begin()->first.first > until) break;
    clock_->Set(timers_.begin()->first.first);
  }
  clock_->Set(until);
}

bool SimScheduler::RunUntil(const std::function<bool()>& condition,
                            std::chrono::nanoseconds duration) {
  const auto until = clock_->Now() + duration;
  while (!condition()) {
    if (clock_->Now() > until || !Step()) return false;
  }
  return true;
}

void SimScheduler::Skip(std::chrono::nanoseconds duration) {
  clock_->Set(clock_->Now() + duration);
}

}  // namespace etcd::testing
