#include "server/node/apply_loop.h"

#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::node {
namespace {

// How soon a batch that met a full disk is tried again: well within the promise of writing again
// 10 s after space came back.
constexpr std::chrono::milliseconds kFullDiskRetry(500);

apply::State StateOf(Shared& shared) {
  return {shared.ports.engine, *shared.store, *shared.lessor,
          shared.cluster,      shared.alarms, shared.quota};
}

}  // namespace

ApplyLoop::ApplyLoop(Shared& shared, ApplyObserver& observer)
    : shared_(shared), observer_(observer), applier_(StateOf(shared)) {}

void ApplyLoop::Enqueue(std::vector<raft::Entry> committed, bool may_run_here) {
  Add({std::move(committed), nullptr}, may_run_here);
}

void ApplyLoop::EnqueueStep(Step step) { Add({{}, std::move(step)}, /*may_run_here=*/false); }

void ApplyLoop::Add(Work work, bool may_run_here) {
  {
    const base::MutexLock lock(mu_);
    queue_.push_back(std::move(work));
    if (running_) return;
    running_ = true;
  }
  if (may_run_here) {
    RunQueue();
  } else {
    shared_.ports.apply.Post([this] { RunQueue(); });
  }
}

void ApplyLoop::RunQueue() {
  while (!shared_.halted()) {
    if (batch_.empty() && !step_ && !TakeWork()) return;
    if (step_) {
      if (!RunStep()) return;
      continue;
    }
    if (!WriteBatch()) return;
    Finish();
  }
}

bool ApplyLoop::TakeWork() {
  absl::AnyInvocable<void()> when_idle;
  bool is_idle = false;
  {
    const base::MutexLock lock(mu_);
    std::uint64_t bytes = 0;
    while (!queue_.empty() && batch_.size() < kBatchEntriesMax && bytes < kBatchBytesMax) {
      Work& next = queue_.front();
      if (next.step && !batch_.empty()) break;
      for (const raft::Entry& entry : next.entries) bytes += entry.data.size();
      step_ = std::move(next.step);
      batch_.insert(batch_.end(), std::make_move_iterator(next.entries.begin()),
                    std::make_move_iterator(next.entries.end()));
      queue_.pop_front();
      if (step_) break;
    }
    is_idle = batch_.empty() && !step_;
    if (is_idle) {
      running_ = false;
      when_idle = std::exchange(when_idle_, nullptr);
    }
  }
  if (is_idle) {
    // From here on another thread may be at work: nothing of the worker's is ours to look at.
    if (when_idle) when_idle();
    return false;
  }
  return step_ ? true : ApplyBatch();
}

bool ApplyLoop::RunStep() {
  if (step_()) {
    step_ = nullptr;
    return true;
  }
  if (!shared_.halted()) AwaitSpace();
  return false;
}

absl::Status ApplyLoop::Reload(Index index) {
  RETURN_IF_ERROR(applier_.Load());
  shared_.applied.store(index.value());
  {
    const base::MutexLock lock(mu_);
    report_.installed = report_.applied = index;
    report_.conf_changes.clear();  // the snapshot's configuration has them
  }
  AnswerReads(index);
  observer_.OnReport();
  return absl::OkStatus();
}

bool ApplyLoop::ApplyBatch() {
  batch_start_ = shared_.ports.apply.clock().Now();
  applier_.Begin();
  MemberObserver* const observer = shared_.ports.observer;
  base::Clock::Monotonic start = batch_start_;
  for (const raft::Entry& entry : batch_) {
    if (absl::Status status = applier_.Apply(entry, outcome_); !status.ok()) {
      LOG_ERROR("cannot apply an entry", {"index", entry.index}, {"error", status});
      shared_.Halt("failed to apply a committed entry", status);
      return false;
    }
    if (observer == nullptr || outcome_.last.operation == apply::Operation::kNone) continue;
    const base::Clock::Monotonic end = shared_.ports.apply.clock().Now();
    observer->OnRequestApplied(outcome_.last, entry.data, end - start);
    outcome_.last = {};
    start = end;
  }
  return true;
}

bool ApplyLoop::WriteBatch() {
  const base::Clock::Monotonic start = shared_.ports.apply.clock().Now();
  const absl::Status status = applier_.Write();
  if (status.ok()) {
    if (MemberObserver* observer = shared_.ports.observer; observer != nullptr) {
      observer->OnCommitted(shared_.ports.apply.clock().Now() - start);
    }
    return true;
  }
  if (status.code() == absl::StatusCode::kResourceExhausted) {
    // Committed entries cannot be refused any more: they wait for space, still running.
    AwaitSpace();
  } else {
    shared_.Halt("the backend failed", status);
  }
  return false;
}

void ApplyLoop::AwaitSpace() {
  absl::AnyInvocable<void()> when_idle;
  {
    const base::MutexLock lock(mu_);
    waits_for_space_ = true;
    if (stopping_) when_idle = std::exchange(when_idle_, nullptr);
  }
  if (when_idle) return when_idle();
  shared_.ports.apply.PostAfter(kFullDiskRetry, [this] {
    {
      const base::MutexLock lock(mu_);
      if (stopping_) return;
      waits_for_space_ = false;
    }
    RunQueue();
  });
}

void ApplyLoop::Finish() {
  applier_.Publish();
  const Index index = batch_.back().index;
  const Term term = batch_.back().term;
  shared_.applied.store(index.value());  // sequentially consistent: see WhenApplied
  const bool tell_raft = !outcome_.conf_changes.empty() || outcome_.term_started ||
                         index.value() >= report_at_.load(std::memory_order_relaxed);
  {
    const base::MutexLock lock(mu_);
    report_.applied = index;
    if (outcome_.term_started) report_.term_started = outcome_.term_started;
    for (raft::ConfChange& change : outcome_.conf_changes) {
      report_.conf_changes.push_back(std::move(change));
    }
  }
  if (MemberObserver* observer = shared_.ports.observer; observer != nullptr) {
    observer->OnApplied(outcome_.entries, shared_.ports.apply.clock().Now() - batch_start_);
    if (outcome_.alarms_changed) observer->OnAlarms(shared_.alarms.current());
  }
  Answer(outcome_.outcomes);
  AnswerReads(index);
  if (outcome_.over_quota) observer_.OnOverQuota();
  if (outcome_.cluster_version_set) {
    observer_.OnClusterVersionSet(outcome_.cluster_version_lowered);
  }
  if (tell_raft) {
    report_at_.store(kNever, std::memory_order_relaxed);
    observer_.OnReport();
  }
  observer_.OnApplied(index, term);
  batch_.clear();
  outcome_ = {};
}

void ApplyLoop::Answer(std::vector<apply::Outcome>& outcomes) {
  std::vector<RequestId> ids;
  ids.reserve(outcomes.size());
  for (const apply::Outcome& outcome : outcomes) ids.push_back(outcome.id);
  std::vector<Waiter> waiters = shared_.waiters.TakeAll(ids);
  for (std::size_t i = 0; i < waiters.size(); ++i) {
    if (!waiters[i].done) continue;
    if (!outcomes[i].physical.has_value()) {
      waiters[i].done(std::move(outcomes[i].result));
      continue;
    }
    shared_.store->WhenCompacted(
        *outcomes[i].physical,
        deletions_->Add(std::move(waiters[i].done), std::move(outcomes[i].result)));
  }
}

void ApplyLoop::WhenApplied(Index index, std::vector<ReadDone> reads) {
  {
    const base::MutexLock lock(mu_);
    if (Index(shared_.applied.load(std::memory_order_acquire)) < index) {
      for (ReadDone& read : reads) reads_.emplace_back(index, std::move(read));
      reads_waiting_.store(reads_.size());
      // The batch that reaches `index` may have been published since the load: it looks at
      // reads_waiting_ after it stored `applied`, we look at `applied` after storing that.
      if (Index(shared_.applied.load()) < index) return;
      reads.clear();
    }
  }
  for (ReadDone& read : reads) read(absl::OkStatus());
  AnswerReads(Index(shared_.applied.load()));
}

void ApplyLoop::AnswerReads(Index applied) {
  if (reads_waiting_.load() == 0) return;
  std::vector<ReadDone> answered;
  {
    const base::MutexLock lock(mu_);
    std::erase_if(reads_, [&](auto& read) {
      if (read.first > applied) return false;
      answered.push_back(std::move(read.second));
      return true;
    });
    reads_waiting_.store(reads_.size());
  }
  for (ReadDone& read : answered) read(absl::OkStatus());
}

void ApplyLoop::FailReads(const absl::Status& status) {
  std::vector<std::pair<Index, ReadDone>> failed;
  {
    const base::MutexLock lock(mu_);
    failed.swap(reads_);
    reads_waiting_.store(0);
  }
  for (auto& [index, read] : failed) read(status);
}

ApplyLoop::Report ApplyLoop::TakeReport() {
  const base::MutexLock lock(mu_);
  Report report = report_;
  report_.conf_changes.clear();
  return report;
}

void ApplyLoop::Stop(absl::AnyInvocable<void()> done) {
  {
    const base::MutexLock lock(mu_);
    stopping_ = true;
    // A batch that waits for room is in the log: the next start applies it again.
    if (running_ && !waits_for_space_ && !shared_.halted()) {
      when_idle_ = std::move(done);
      return;
    }
  }
  done();
}

}  // namespace etcd::node
