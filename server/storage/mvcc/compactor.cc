#include "server/storage/mvcc/compactor.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/base/check.h"
#include "server/base/failpoint.h"
#include "server/base/log.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/mvcc/revision_key.h"

namespace etcd::mvcc {
namespace {

using engine::Family;

// How long to wait for a reader to finish, or for room on the disk.
constexpr std::chrono::milliseconds kReaderWait{10};
constexpr std::chrono::milliseconds kSpaceWait{500};

std::string MainKey(Revision main) { return std::string(RevisionKey({main, 0}).view()); }

bool HasTombstoneAt(const engine::KvEngine& engine, Revision at) {
  const auto it = engine.Scan(Family::kRev, MainKey(at), MainKey(at + 1));
  for (; it->Valid(); it->Next()) {
    if (it->key().size() == kTombstoneKeyBytes) return true;
  }
  return false;
}

// False: no room now, try again later.
bool WriteOrWait(engine::KvEngine& engine, const engine::WriteBatch& batch) {
  const absl::Status status = engine.Write(batch);
  if (status.ok()) return true;
  if (absl::IsResourceExhausted(status)) return false;
  base::Fatal("compaction cannot write", status);
}

}  // namespace

Compactor::Compactor(engine::KvEngine& engine, base::Executor& executor,
                     const StoreOptions& options, KeyIndex& index, const ReadPins& pins,
                     HashCache& hashes)
    : engine_(engine),
      executor_(executor),
      options_(options),
      index_(index),
      pins_(pins),
      hashes_(hashes),
      control_(std::make_shared<Control>()) {}

void Compactor::Enqueue(const CompactionJob& job) {
  {
    const base::MutexLock lock(mu_);
    jobs_.push_back(job);
    if (!started_ || running_) return;
    running_ = true;
  }
  PostStep({});
}

void Compactor::Start() {
  {
    const base::MutexLock lock(mu_);
    if (started_) return;
    started_ = true;
    if (jobs_.empty()) return;
    running_ = true;
  }
  PostStep({});
}

void Compactor::Stop() {
  Retire();
  TakeWaiters();
}

void Compactor::Retire() {
  const base::MutexLock lock(control_->mu);
  control_->stopped = true;
}

std::vector<CompactionWaiter> Compactor::TakeWaiters() {
  const base::MutexLock lock(mu_);
  return std::exchange(waiters_, {});
}

void Compactor::SetFinished(Revision revision) {
  const base::MutexLock lock(mu_);
  finished_ = revision;
}

void Compactor::WhenFinished(Revision revision, absl::AnyInvocable<void()> done) {
  {
    const base::MutexLock lock(mu_);
    if (revision > finished_) {
      waiters_.push_back({revision, std::move(done)});
      return;
    }
  }
  executor_.Post(std::move(done));
}

void Compactor::PostStep(std::chrono::nanoseconds delay) {
  auto step = [this, control = control_] {
    const base::MutexLock lock(control->mu);
    if (!control->stopped) Step();
  };
  if (delay.count() > 0) {
    executor_.PostAfter(delay, std::move(step));
  } else {
    executor_.Post(std::move(step));
  }
}

void Compactor::Step() {
  if (phase_ == Phase::kIdle && !TakeJob()) return;
  if (phase_ == Phase::kHash) {
    StepHash();
  } else {
    StepDrop();
  }
}

bool Compactor::TakeJob() {
  {
    const base::MutexLock lock(mu_);
    if (jobs_.empty()) {
      running_ = false;
      return false;
    }
    job_ = jobs_.front();
    jobs_.pop_front();
  }
  started_at_ = executor_.clock().Now();
  records_deleted_ = 0;
  position_.clear();
  hasher_.reset();
  if (job_.resumed || !options_.hash_compactions) {
    BeginPass(pins_.OldestUpTo(job_.revision));
    return true;
  }
  phase_ = Phase::kHash;
  hasher_.emplace(index_,
                  RecordHasher::Range{.at = job_.revision,
                                      .compact = job_.previous,
                                      .tombstone_at = HasTombstoneAt(engine_, job_.revision)});
  return true;
}

void Compactor::StepHash() {
  bool end = false;
  const absl::Status status = HashSome(end);
  if (!status.ok()) base::Fatal("compaction cannot read", status);
  if (end) BeginPass(pins_.OldestUpTo(job_.revision));
  PostStep(end ? std::chrono::nanoseconds{} : options_.compaction_sleep_interval);
}

// No deletion runs meanwhile and records never change, so a new iterator for each step sees what
// one long one would, without holding files for that long.
absl::Status Compactor::HashSome(bool& end) {
  const auto it = engine_.Scan(Family::kKey, position_, MainKey(job_.revision + 1));
  for (std::int64_t i = 0; i < options_.compaction_batch_limit && it->Valid(); ++i, it->Next()) {
    RETURN_IF_ERROR(hasher_->Add(it->key(), it->value()));
    position_ = it->key();
    position_.push_back('\0');
  }
  RETURN_IF_ERROR(it->status());
  end = !it->Valid();
  return absl::OkStatus();
}

void Compactor::BeginPass(Revision at) {
  phase_ = Phase::kDrop;
  pass_at_ = at;
  position_.clear();
  walked_ = false;
  const std::optional<RevisionPair> kept = index_.NewestOrphan(at);
  std::erase_if(orphans_, [&](const RevisionPair& orphan) {
    if (orphan.main > at || orphan == kept) return false;
    // Any size but 0, which would mark a tombstone.
    dropped_.push_back({orphan.main.value(), static_cast<std::uint32_t>(orphan.sub), 1});
    return true;
  });
}

void Compactor::StepDrop() {
  if (deleted_ < dropped_.size()) {
    PostStep(DeleteSome() ? options_.compaction_sleep_interval : kSpaceWait);
    return;
  }
  dropped_.clear();
  deleted_ = 0;
  if (walked_) {
    if (pass_at_ == job_.revision) {
      FinishJob();
      return;
    }
    const Revision at = pins_.OldestUpTo(job_.revision);
    if (at <= pass_at_) {
      PostStep(std::max<std::chrono::nanoseconds>(kReaderWait, options_.compaction_sleep_interval));
      return;
    }
    BeginPass(at);
  }
  const auto start = executor_.clock().Now();
  if (auto next = index_.CompactStep(position_, pass_at_, dropped_)) {
    position_ = std::move(*next);
  } else {
    walked_ = true;
  }
  if (options_.observer != nullptr) {
    options_.observer->OnIndexPause(executor_.clock().Now() - start);
  }
  PostStep({});
}

// In the order of dropped_, so that within a key older revisions go first.
bool Compactor::DeleteSome() {
  FAILPOINT("compactAfterAcquiredBatchTxLock");
  const auto limit =
      static_cast<std::size_t>(std::max<std::int64_t>(options_.compaction_batch_limit, 1));
  const std::size_t end = std::min(dropped_.size(), deleted_ + limit);
  const auto start = executor_.clock().Now();
  engine::WriteBatch batch;
  for (std::size_t i = deleted_; i < end; ++i) {
    const RevisionKey key(dropped_[i].revision(), dropped_[i].is_tombstone());
    batch.Delete(Family::kKey, std::string(key.view()));
    batch.Delete(Family::kRev, std::string(key.view()));
  }
  FAILPOINT("compactBeforeCommitBatch");
  if (!WriteOrWait(engine_, batch)) return false;
  FAILPOINT("compactAfterCommitBatch");
  records_deleted_ += end - deleted_;
  deleted_ = end;
  if (options_.observer != nullptr) options_.observer->OnPause(executor_.clock().Now() - start);
  return true;
}

void Compactor::FinishJob() {
  engine::WriteBatch batch;
  batch.Put(Family::kMeta, engine::MetaKey(engine::kBucketMeta, engine::kMetaFinishedCompactRev),
            MainKey(job_.revision));
  FAILPOINT("compactBeforeSetFinishedCompact");
  if (!WriteOrWait(engine_, batch)) {
    PostStep(kSpaceWait);
    return;
  }
  FAILPOINT("compactAfterSetFinishedCompact");
  if (hasher_) {
    hashes_.Add({hasher_->hash(), job_.previous, job_.revision, hasher_->nothing_lives()});
  }
  const std::chrono::nanoseconds took = executor_.clock().Now() - started_at_;
  if (options_.observer != nullptr) options_.observer->OnFinished(records_deleted_, took);
  LOG_INFO("finished scheduled compaction", {"compact-revision", job_.revision}, {"took", took});
  phase_ = Phase::kIdle;
  std::vector<CompactionWaiter> ready;
  {
    const base::MutexLock lock(mu_);
    finished_ = job_.revision;
    const auto waits = std::stable_partition(
        waiters_.begin(), waiters_.end(),
        [&](const CompactionWaiter& waiter) { return waiter.revision > finished_; });
    std::move(waits, waiters_.end(), std::back_inserter(ready));
    waiters_.erase(waits, waiters_.end());
  }
  for (CompactionWaiter& waiter : ready) waiter.done();
  PostStep({});
}

}  // namespace etcd::mvcc
