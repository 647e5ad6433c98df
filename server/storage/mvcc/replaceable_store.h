#pragma once

#include <memory>

#include <absl/functional/function_ref.h>

#include "server/base/mutex.h"
#include "server/storage/mvcc/store_impl.h"

namespace etcd::mvcc {

// A store whose whole content can be exchanged under its readers and watchers: a snapshot of
// another member takes the place of what a member has. Everything else is passed on to the store of
// the moment. A read that began before the exchange ends with what it began with, or with
// kCompacted where that is gone.
class ReplaceableStore final : public Store {
 public:
  static absl::StatusOr<std::unique_ptr<ReplaceableStore>> Open(engine::KvEngine& engine,
                                                                base::Executor& compaction,
                                                                StoreOptions options);
  ~ReplaceableStore() override = default;

  // Apply thread, no batch open. `exchange` puts the engine's new content in place; nothing else
  // writes to the engine meanwhile. The new content must continue the history of the old one and
  // be compacted at `compact` (-1: never). Watchers resume from it. kResourceExhausted of
  // `exchange` leaves the old content: call again. After any other error the store is of no use.
  absl::Status Replace(Revision compact, absl::FunctionRef<absl::Status()> exchange);

  Revision current_revision() const override { return store()->current_revision(); }
  Revision compact_revision() const override { return store()->compact_revision(); }
  absl::StatusOr<RangeResult> Range(const RangeSpec& spec) const override {
    return store()->Range(spec);
  }
  PinnedHead PinHead() const override { return store()->PinHead(); }
  absl::Status Fetch(std::span<const KvRef> refs,
                     absl::FunctionRef<void(std::size_t, std::string_view)> each) const override {
    return store()->Fetch(refs, each);
  }
  absl::StatusOr<std::optional<KvRef>> FindAt(std::string_view key, Revision at) const override {
    return store()->FindAt(key, at);
  }
  absl::StatusOr<std::unique_ptr<HistoryCursor>> ReadHistory(Revision from,
                                                             Revision to) const override;
  absl::StatusOr<HashResult> HashKv(Revision at) const override { return store()->HashKv(at); }
  // Of the newest finished compactions (at most ten, of this process), oldest first.
  std::vector<HashResult> CompactionHashes() const { return store()->CompactionHashes(); }
  absl::Status ForEachLeasedKey(
      absl::FunctionRef<void(std::string_view, LeaseId)> each) const override {
    return store()->ForEachLeasedKey(each);
  }
  OperationCounts counts() const override;
  void CountReadTxn() const override { store()->CountReadTxn(); }
  std::int64_t live_keys() const override { return store()->live_keys(); }
  std::size_t open_reads() const override { return store()->open_reads(); }

  void BeginBatch(engine::WriteBatch& batch) override { writer_->BeginBatch(batch); }
  std::unique_ptr<WriteTxn> BeginTxn() override { return writer_->BeginTxn(); }
  absl::Status Compact(Revision revision) override { return writer_->Compact(revision); }
  void SealBatch() override { writer_->SealBatch(); }
  void Publish() override { writer_->Publish(); }
  void WhenCompacted(Revision revision, absl::AnyInvocable<void()> done) override {
    store()->WhenCompacted(revision, std::move(done));
  }
  void SetObserver(RevisionObserver* observer) override;
  void StartCompaction() override;
  void Stop() override { store()->Stop(); }

 private:
  ReplaceableStore(engine::KvEngine& engine, base::Executor& compaction, StoreOptions options)
      : engine_(engine), compaction_(compaction), options_(std::move(options)) {}

  absl::StatusOr<std::shared_ptr<StoreImpl>> Load() const;
  void Install(std::shared_ptr<StoreImpl> store);
  std::shared_ptr<StoreImpl> store() const {
    const base::MutexLock lock(mu_);
    return store_;
  }

  engine::KvEngine& engine_;
  base::Executor& compaction_;
  const StoreOptions options_;

  mutable base::Mutex mu_;
  std::shared_ptr<StoreImpl> store_ ABSL_GUARDED_BY(mu_);
  OperationCounts counts_before_ ABSL_GUARDED_BY(mu_);  // of the stores before this one

  // Apply thread.
  StoreImpl* writer_ = nullptr;  // store_
  RevisionObserver* observer_ = nullptr;
  bool compacting_ = false;  // StartCompaction was called
};

}  // namespace etcd::mvcc
