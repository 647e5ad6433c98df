#include "tests/simulation/world.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "server/base/check.h"

namespace etcd::simulation {
namespace {

constexpr std::size_t kTraceLines = 200;
// Far above what any seed needs: see the figures of docs/testing.md.
constexpr std::uint64_t kStepsMax = 20'000'000;
constexpr std::uint64_t kStepsAtOnceMax = 1'000'000;
constexpr Nanos kEpoch = std::chrono::hours(1);  // far enough from 0 for "two timeouts ago"
constexpr std::chrono::seconds kWallEpoch(1'700'000'000);

std::uint64_t Derive(std::uint64_t seed, std::uint64_t concern) {
  base::SeededRandom random(seed ^ (concern * 0x9e3779b97f4a7c15ULL));
  return random.Next();
}

}  // namespace

Generators::Generators(std::uint64_t seed)
    : options(Derive(seed, 1)),
      schedule(Derive(seed, 2)),
      network(Derive(seed, 3)),
      disk(Derive(seed, 4)),
      clock(Derive(seed, 5)),
      engine(Derive(seed, 6)),
      faults(Derive(seed, 7)),
      workload(Derive(seed, 8)),
      member(Derive(seed, 9)) {}

// ---- Process

class Process::ProcessClock final : public base::Clock {
 public:
  ProcessClock(const World& world, Nanos wall_offset, double rate)
      : world_(world), rate_(rate), wall_offset_(wall_offset) {}
  Monotonic Now() const override { return At(world_.now()); }
  Wall WallNow() const override {
    return Wall(
        std::chrono::duration_cast<Wall::duration>(kWallEpoch + Own(world_.now()) + wall_offset_));
  }
  Monotonic At(Nanos time) const { return Monotonic(kEpoch + Own(time)); }
  // How long the world waits while this clock counts `delay`. A clock that is asked then shows at
  // least so much.
  Nanos Foreign(Nanos delay) const {
    if (rate_ == 1) return delay;
    return Nanos(static_cast<std::int64_t>(static_cast<double>(delay.count()) / rate_) + 1);
  }
  void Jump(Nanos by) { wall_offset_ += by; }

 private:
  Nanos Own(Nanos time) const {
    if (rate_ == 1) return time;
    return Nanos(static_cast<std::int64_t>(static_cast<double>(time.count()) * rate_));
  }

  const World& world_;
  const double rate_;
  Nanos wall_offset_;
};

class Process::ProcessExecutor final : public base::Executor {
 public:
  ProcessExecutor(Process& process, std::uint64_t id) : process_(process), id_(id) {}

  void Post(base::Task task) override {
    if (process_.doomed_ || process_.dropped_) return;
    tasks_.push_back(std::move(task));
    World& world = process_.world_;
    // Wake-ups do not overtake each other, so that the heap shows the order in which tasks run.
    last_due_ = std::max(last_due_, world.now() + world.DrawHop());
    world.Push(last_due_, id_, [this] { Run(); });
  }

  void PostAfter(Nanos delay, base::Task task) override {
    if (process_.doomed_ || process_.dropped_) return;
    const std::uint64_t timer = next_timer_++;
    timers_.emplace(timer, std::move(task));
    World& world = process_.world_;
    world.Push(world.now() + process_.clock_->Foreign(std::max(delay, Nanos(0))), id_,
               [this, timer] {
                 auto node = timers_.extract(timer);
                 if (!node.empty()) Post(std::move(node.mapped()));
               });
  }

  const base::Clock& clock() const override { return *process_.clock_; }

  // What was held back while the process was paused or this executor busy.
  void CatchUp() {
    World& world = process_.world_;
    for (; missed_ > 0; --missed_) world.Push(world.now(), id_, [this] { Run(); });
  }
  void DropTasks() {
    // Destroying a task may post another one.
    while (!tasks_.empty() || !timers_.empty()) {
      const auto tasks = std::move(tasks_);
      const auto timers = std::move(timers_);
      tasks_.clear();
      timers_.clear();
    }
  }

 private:
  void Run() {
    if (process_.doomed_ || process_.dropped_) return;
    if (busy_ || process_.paused_) {
      ++missed_;
      return;
    }
    CHECK(!tasks_.empty()) << "a wake-up without a task";
    base::Task task = std::move(tasks_.front());
    tasks_.pop_front();
    busy_ = true;
    ++process_.running_;
    task();
    --process_.running_;
    busy_ = false;
    CatchUp();
  }

  Process& process_;
  const std::uint64_t id_;
  std::deque<base::Task> tasks_;
  std::map<std::uint64_t, base::Task> timers_;
  std::uint64_t next_timer_ = 0;
  std::uint64_t missed_ = 0;
  Nanos last_due_{0};
  bool busy_ = false;
};

Process::Process(World& world, std::uint64_t id, Nanos wall_offset, double clock_rate)
    : world_(world),
      id_(id),
      clock_(std::make_unique<ProcessClock>(world, wall_offset, clock_rate)) {}

Process::~Process() { DropTasks(); }

base::Executor& Process::NewExecutor(std::string_view /*name*/) {
  executors_.push_back(std::make_unique<ProcessExecutor>(*this, id_ * 100 + executors_.size() + 1));
  return *executors_.back();
}

const base::Clock& Process::clock() const { return *clock_; }
base::Clock::Monotonic Process::MonotonicAt(Nanos time) const { return clock_->At(time); }
void Process::JumpWallClock(Nanos by) { clock_->Jump(by); }
void Process::Pause() { paused_ = true; }

void Process::Doom() {
  doomed_ = true;
  for (const auto& wait : waits_) {
    world_.After(Nanos(0), [this, wait] { EndWait(wait); });
  }
}

void Process::EndWait(const std::shared_ptr<Wait>& wait) {
  if (wait->is_over) return;
  if (paused_ && !doomed_) {
    wait->is_due = true;
    return;
  }
  wait->is_over = true;
  std::erase(waits_, wait);
  world_.fibers_.Resume(wait->fiber);
}

void Process::Resume() {
  paused_ = false;
  for (const auto& wait : waits_) {
    if (!wait->is_due) continue;
    world_.After(Nanos(0), [this, wait] { EndWait(wait); });
  }
  for (auto& executor : executors_) executor->CatchUp();
}

void Process::DropTasks() {
  dropped_ = true;
  for (auto& executor : executors_) executor->DropTasks();
}

// ---- World

World::World(std::uint64_t seed) : random(seed), fibers_([this] { Loop(); }) {}
World::~World() = default;

void World::Push(Nanos due, std::uint64_t who, base::Task task) {
  Event event{due, next_sequence_++, who, std::make_shared<base::Task>(std::move(task))};
  heap_.push_back(std::move(event));
  std::push_heap(heap_.begin(), heap_.end());
}

void World::After(Nanos delay, base::Task task) { Push(now_ + delay, 0, std::move(task)); }

Nanos World::DrawHop() {
  Nanos hop = Between(random.schedule, Nanos(0), options.hop_max);
  if (Chance(random.schedule, options.stall_per_mille)) {
    hop += Between(random.schedule, Nanos(0), options.stall_max);
  }
  return hop;
}

void World::Mix(std::uint64_t value) {
  hash_ = (hash_ ^ value) * 0x100000001b3ULL;
  hash_ ^= hash_ >> 29;
}

void World::RunNext() {
  std::pop_heap(heap_.begin(), heap_.end());
  Event event = std::move(heap_.back());
  heap_.pop_back();
  steps_at_now_ = event.due > now_ ? 0 : steps_at_now_ + 1;
  now_ = std::max(now_, event.due);
  ++steps_;
  Mix(static_cast<std::uint64_t>(now_.count()));
  Mix(event.who);
  (*event.task)();
  CheckProgress();
}

// Every run comes to its end: what goes round and round fails, the same on every machine.
void World::CheckProgress() {
  if (steps_at_now_ > kStepsAtOnceMax) Fail(fmt::format("{}: time stands still", kHangs));
  if (steps_ > kStepsMax) Fail(fmt::format("{}: {} events", kHangs, steps_));
  if (interrupted_ != 0) Fail(fmt::format("{}: {} events took too long", kHangs, steps_));
}

bool World::IsDone() const {
  return has_failed() || (*condition_)() || heap_.empty() || heap_.front().due > until_;
}

void World::Loop() {
  while (true) {
    while (!IsDone()) RunNext();
    fibers_.ReturnToCaller();
  }
}

bool World::RunUntil(const std::function<bool()>& condition, Nanos duration) {
  condition_ = &condition;
  until_ = now_ + duration;
  fibers_.Enter();
  if (has_failed()) return false;
  if (condition()) return true;
  now_ = std::max(now_, until_);
  return false;
}

void World::RunFor(Nanos duration) {
  RunUntil([] { return false; }, duration);
}

void World::Block(Process& process, Nanos duration) {
  auto wait = std::make_shared<Process::Wait>(Process::Wait{fibers_.current()});
  process.waits_.push_back(wait);
  After(duration, [&process, wait] { process.EndWait(wait); });
  fibers_.Suspend();
}

void World::Fail(std::string what) {
  if (has_failed()) return;
  Trace("FAILED: " + what);
  failure_ = std::move(what);
}

void World::Trace(const std::string& line) {
  for (const char c : line) Mix(static_cast<unsigned char>(c));
  Note(line);
}

void World::Note(const std::string& line) {
  const double seconds = std::chrono::duration<double>(now_).count();
  std::string dated = fmt::format("{:12.6f} {}", seconds, line);
  if (live_ != nullptr) fmt::print(live_, "{}\n", dated);
  trace_.push_back(std::move(dated));
  if (trace_.size() > kTraceLines) trace_.pop_front();
}

}  // namespace etcd::simulation
