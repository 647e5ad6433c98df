#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include <absl/functional/any_invocable.h>

#include "server/apply/applier.h"
#include "server/base/mutex.h"
#include "server/node/deletion_waits.h"
#include "server/node/shared.h"
#include "server/raft/types.h"

namespace etcd::node {

// What a published batch tells the rest of the member; called on the thread that applied it.
class ApplyObserver {
 public:
  virtual ~ApplyObserver() = default;
  // Something that the raft thread must look at soon (see ApplyLoop::TakeReport).
  virtual void OnReport() = 0;
  virtual void OnOverQuota() = 0;
  // Everything up to here is applied and published.
  virtual void OnApplied(Index index, Term term) = 0;
  // Before OnApplied of its batch.
  virtual void OnClusterVersionSet(bool lowered) = 0;
};

// Runs committed entries through the Applier in batches, answers their waiters after Publish, and
// keeps the reads that wait for an index. One thread at a time works: the apply executor, or the
// raft thread itself when nothing is under way (a lone put then needs no hand-over).
//
// Queue: bounded by raft's Config::applying_bytes_max (it hands out no more), full: raft waits.
class ApplyLoop {
 public:
  ApplyLoop(Shared& shared, ApplyObserver& observer);

  absl::Status Load() { return applier_.Load(); }
  Index consistent_index() const { return applier_.consistent_index(); }

  // Raft thread. `may_run_here`: apply on this thread if nothing is under way.
  void Enqueue(std::vector<raft::Entry> committed, bool may_run_here);

  // Raft thread. Runs `step` where entries are applied, after all that was enqueued before it and
  // with no batch open. False: no room on the disk, it is tried again.
  using Step = absl::AnyInvocable<bool()>;
  void EnqueueStep(Step step);
  // In a step: the state has been replaced by that of a snapshot at `index`.
  absl::Status Reload(Index index);
  Term consistent_term() const { return applier_.consistent_term(); }

  // Raft thread: report (OnReport) also when `index` is applied. One index at a time; an index that
  // is applied already is reported with the next batch.
  void ReportAt(Index index) { report_at_.store(index.value(), std::memory_order_relaxed); }

  // Thread-safe. Calls `reads` with OK once `index` is applied, at once if it is.
  void WhenApplied(Index index, std::vector<ReadDone> reads);
  void FailReads(const absl::Status& status);
  // After the store's Stop: physical compactions that were not over by then.
  void FailDeletions(const absl::Status& status) { deletions_->FailAll(status); }

  // What the raft core must be told, in this order: the snapshot, the configuration changes, then
  // the index.
  struct Report {
    Index installed;  // of the last snapshot; the changes came after it
    std::vector<raft::ConfChange> conf_changes;
    Index applied;
    Term term_started;  // the highest whose first entry is applied
  };
  Report TakeReport();

  // Finishes what is queued, except when the disk is full or the member halted; then calls `done`.
  void Stop(absl::AnyInvocable<void()> done);

 private:
  // Soft bounds of one engine batch: it takes whole hand-overs (1 MiB at most each) until there.
  static constexpr std::size_t kBatchEntriesMax = 1024;
  static constexpr std::uint64_t kBatchBytesMax = 2 << 20;
  static constexpr std::uint64_t kNever = UINT64_MAX;

  // One of both.
  struct Work {
    std::vector<raft::Entry> entries;
    Step step;
  };

  void Add(Work work, bool may_run_here);
  void RunQueue();
  // Into batch_ or step_; false: the queue is empty.
  bool TakeWork();
  // False when it must be tried again; RunQueue goes on later.
  bool RunStep();
  // False when the disk has no room: the batch stays open and RunQueue goes on later.
  bool ApplyBatch();
  bool WriteBatch();
  void AwaitSpace();
  void Finish();
  void Answer(std::vector<apply::Outcome>& outcomes);
  void AnswerReads(Index applied);

  Shared& shared_;
  ApplyObserver& observer_;
  const std::shared_ptr<DeletionWaits> deletions_ = std::make_shared<DeletionWaits>();

  // Of the thread that works.
  apply::Applier applier_;
  std::vector<raft::Entry> batch_;  // being applied
  Step step_;                       // being run
  apply::BatchOutcome outcome_;
  base::Clock::Monotonic batch_start_;

  base::Mutex mu_;
  std::deque<Work> queue_ ABSL_GUARDED_BY(mu_);
  bool running_ ABSL_GUARDED_BY(mu_) = false;
  Report report_ ABSL_GUARDED_BY(mu_);
  std::vector<std::pair<Index, ReadDone>> reads_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool waits_for_space_ ABSL_GUARDED_BY(mu_) = false;
  absl::AnyInvocable<void()> when_idle_ ABSL_GUARDED_BY(mu_);
  std::atomic<std::size_t> reads_waiting_{0};
  std::atomic<std::uint64_t> report_at_{kNever};
};

}  // namespace etcd::node
