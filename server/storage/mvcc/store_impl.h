#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/storage/mvcc/compactor.h"
#include "server/storage/mvcc/hash_cache.h"
#include "server/storage/mvcc/key_index.h"
#include "server/storage/mvcc/read_pins.h"
#include "server/storage/mvcc/store.h"

// Private to the folder.
namespace etcd::mvcc {

// What a restart finds in the engine.
struct LoadedState {
  Revision current{1};
  Revision scheduled_compaction{-1};
  Revision finished_compaction{-1};
  std::vector<RevisionPair> orphans;  // records without a KeyValue (rev_record.h), for compaction
  bool any_lease = false;             // some record was put with a lease
};

// Fills the index by one scan of the rev family (load.cc).
absl::StatusOr<LoadedState> LoadIndex(const engine::KvEngine& engine, KeyIndex& index);

// Reads records by revision in chunks that bound what is in memory at once (fetch.cc). `refs` in
// any order; kCompacted when a record at or below the compact revision is gone.
absl::Status FetchRecords(const engine::KvEngine& engine, const ReadPins& pins,
                          std::span<const KvRef> refs,
                          absl::FunctionRef<void(std::size_t, std::string_view)> each);

class StoreImpl final : public Store {
 public:
  StoreImpl(engine::KvEngine& engine, base::Executor& compaction, const StoreOptions& options,
            std::unique_ptr<KeyIndex> index, LoadedState loaded);
  ~StoreImpl() override;

  Revision current_revision() const override { return Revision(published_.load()); }
  Revision compact_revision() const override { return pins_.compact_revision(); }
  absl::StatusOr<RangeResult> Range(const RangeSpec& spec) const override;
  PinnedHead PinHead() const override;
  absl::Status Fetch(std::span<const KvRef> refs,
                     absl::FunctionRef<void(std::size_t, std::string_view)> each) const override;
  absl::StatusOr<std::optional<KvRef>> FindAt(std::string_view key, Revision at) const override;
  absl::StatusOr<std::unique_ptr<HistoryCursor>> ReadHistory(Revision from,
                                                             Revision to) const override;
  absl::StatusOr<HashResult> HashKv(Revision at) const override;
  // Hashes of the newest finished compactions (at most ten, of this process), oldest first.
  std::vector<HashResult> CompactionHashes() const;
  absl::Status ForEachLeasedKey(
      absl::FunctionRef<void(std::string_view, LeaseId)> each) const override;
  OperationCounts counts() const override;
  void CountReadTxn() const override { read_txns_.fetch_add(1, std::memory_order_relaxed); }
  std::int64_t live_keys() const override;
  std::size_t open_reads() const override { return pins_.size(); }

  void BeginBatch(engine::WriteBatch& batch) override;
  std::unique_ptr<WriteTxn> BeginTxn() override;
  absl::Status Compact(Revision revision) override;
  void SealBatch() override;
  void Publish() override;
  void WhenCompacted(Revision revision, absl::AnyInvocable<void()> done) override;
  void SetObserver(RevisionObserver* observer) override { observer_ = observer; }
  void StartCompaction() override { compactor_.Start(); }
  void Stop() override { compactor_.Stop(); }

  // The engine is about to get other content, compacted at `compact`: from now on a record that is
  // missing has been compacted, and nothing is deleted here any more. Apply thread.
  void Supersede(Revision compact);
  std::vector<CompactionWaiter> TakeCompactionWaiters() { return compactor_.TakeWaiters(); }

 private:
  friend class TxnImpl;

  struct PinnedRead {
    Revision at;
    Revision current;
    ReadPin pin;
  };
  // Resolves and pins the revision of a read.
  absl::StatusOr<PinnedRead> PinRead(Revision requested) const;

  // The stored bytes of a record of the open batch.
  std::string_view PendingRecord(RevisionPair revision) const;

  engine::KvEngine& engine_;
  const std::unique_ptr<KeyIndex> index_;
  ReadPins pins_;
  HashCache hashes_;
  std::atomic<std::int64_t> published_;
  std::atomic<bool> superseded_{false};
  std::atomic<bool> any_lease_;  // else there is no need to look for leased keys

  // Written by readers and by the apply thread, apart from each other.
  mutable std::atomic<std::uint64_t> reads_{0};
  mutable std::atomic<std::uint64_t> read_txns_{0};
  struct alignas(64) {
    std::atomic<std::uint64_t> ranges{0}, puts{0}, put_bytes{0}, deletes{0}, txns{0};
  } written_;

  // Apply thread only.
  Revision current_;  // including the open batch
  Revision compact_;  // including the open batch
  engine::WriteBatch* batch_ = nullptr;
  bool dirty_ = false;  // the open batch must carry the current revision
  RevisionObserver* observer_ = nullptr;
  // Revisions of the open batch, consecutive and ending at current_: the overlay that transactions
  // read before the engine has them.
  std::vector<std::shared_ptr<RevisionChanges>> pending_;
  std::vector<CompactionJob> marked_;  // compactions of the open batch

  Compactor compactor_;
};

}  // namespace etcd::mvcc
