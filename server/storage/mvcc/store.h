#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/base/executor.h"
#include "server/storage/engine/kv_engine.h"
#include "server/storage/mvcc/types.h"

// The multi-version key space: key index in memory, records in the engine. One writer (the apply
// thread), any number of readers.
namespace etcd::mvcc {

// What the metrics want to know of compactions. Called on the compaction executor; must not block.
class CompactionObserver {
 public:
  virtual ~CompactionObserver() = default;
  virtual void OnIndexPause(std::chrono::nanoseconds took) = 0;  // one step over the index
  virtual void OnPause(std::chrono::nanoseconds took) = 0;       // one step of deletion
  virtual void OnFinished(std::uint64_t records_deleted, std::chrono::nanoseconds took) = 0;
};

// Operations since the start, as etcd counts them: a range is also a look-up for a compare or for
// ignore_value, a transaction is one of more than one operation, a delete is one request.
struct OperationCounts {
  std::uint64_t ranges = 0;
  std::uint64_t puts = 0;
  std::uint64_t put_bytes = 0;  // keys and values
  std::uint64_t deletes = 0;
  std::uint64_t txns = 0;
};

struct StoreOptions {
  std::int64_t compaction_batch_limit = 1000;  // revisions removed per step
  std::chrono::nanoseconds compaction_sleep_interval = std::chrono::milliseconds(10);
  // Each compaction reads all records up to its revision for HashKV's cache, which the members
  // compare (--compact-hash-check). Off saves that read; HashKV then always computes.
  bool hash_compactions = true;
  CompactionObserver* observer = nullptr;  // may be null; outlives the store
};

struct HashResult {
  std::uint32_t hash = 0;
  Revision compact_revision{};  // -1: never compacted
  Revision hash_revision{};
  Revision current{};
};

// The write transaction of one applied request: at most one new main revision. Sees its own writes
// and those of earlier transactions of the batch. Apply thread only; the caller validates
// everything before the first mutation, since there is no rollback.
class WriteTxn {
 public:
  virtual ~WriteTxn() = default;

  // Revision that a write of this transaction gets (current + 1).
  virtual Revision next_revision() const = 0;
  // next_revision() once something changed, else the current revision.
  virtual Revision revision() const = 0;
  virtual bool changed() const = 0;

  // Errors kCompacted, kFutureRevision. A revision > 0 reads history as it was before this
  // transaction unless it equals revision().
  virtual absl::StatusOr<RangeResult> Range(const RangeSpec& spec) const = 0;

  // Stored bytes of the refs, in order, also of records that this batch has not written out yet.
  virtual absl::Status Fetch(std::span<const KvRef> refs,
                             absl::FunctionRef<void(std::size_t, std::string_view)> each) const = 0;

  // Newest live record of a key.
  virtual std::optional<KvRef> Find(std::string_view key) const = 0;

  // New version of a key. Returns the state before it, if it existed.
  virtual std::optional<KvRef> Put(std::string_view key, std::string_view value, LeaseId lease) = 0;

  // Deletes existing keys ascending, one sub-revision each; `each(key, previous)` per deleted key
  // before it goes. Returns how many.
  virtual std::int64_t DeleteRange(
      const KeyRange& range, absl::FunctionRef<void(std::string_view, const KvRef&)> each) = 0;
};

// Records in revision order, for watchers that catch up.
class HistoryCursor {
 public:
  virtual ~HistoryCursor() = default;
  // The changes of the next revision, or null at the end (`to` reached). kCompacted when the
  // position fell behind compaction.
  virtual absl::StatusOr<std::shared_ptr<const RevisionChanges>> Next() = 0;
};

class Store {
 public:
  virtual ~Store() = default;

  // ---- Reads: thread-safe, lock only for about 1,000 index entries at a time.

  virtual Revision current_revision() const = 0;  // last published
  virtual Revision compact_revision() const = 0;  // -1 before the first compaction

  // Errors kCompacted (revision < compact revision), kFutureRevision.
  virtual absl::StatusOr<RangeResult> Range(const RangeSpec& spec) const = 0;

  // Cheap; for watch, which reads the values that live events replace a little later.
  virtual PinnedHead PinHead() const = 0;

  // Stored KeyValue bytes of refs of a RangeResult whose pin is still held; in order. Reads the
  // engine in sorted chunks of about 1,000. The view is valid during the call. kCompacted when a
  // ref was not pinned and is gone; DataLoss when a record is not what the index says.
  virtual absl::Status Fetch(std::span<const KvRef> refs,
                             absl::FunctionRef<void(std::size_t, std::string_view)> each) const = 0;

  // The key's state at a revision, if it was alive there; for prev_kv. kCompacted as Range.
  virtual absl::StatusOr<std::optional<KvRef>> FindAt(std::string_view key, Revision at) const = 0;

  // Changes in [from, to], both published. kCompacted when from < compact revision.
  virtual absl::StatusOr<std::unique_ptr<HistoryCursor>> ReadHistory(Revision from,
                                                                     Revision to) const = 0;

  // HashKV by etcd's algorithm (v3-api.md 7.5), including the cache of finished compactions.
  virtual absl::StatusOr<HashResult> HashKv(Revision at) const = 0;

  // Live keys and the lease each one is attached to (non-zero ones only), at the head. At start.
  virtual absl::Status ForEachLeasedKey(
      absl::FunctionRef<void(std::string_view, LeaseId)> each) const = 0;

  // ---- Figures for metrics: thread-safe.
  virtual OperationCounts counts() const = 0;
  // A transaction that only reads is made of Range calls; counts it as one.
  virtual void CountReadTxn() const = 0;
  virtual std::int64_t live_keys() const = 0;
  // Revisions that readers hold; those at the head share one.
  virtual std::size_t open_reads() const = 0;

  // ---- Writes: apply thread only.

  // Opens the batch that the next transactions write into. `batch` must outlive Publish.
  virtual void BeginBatch(engine::WriteBatch& batch) = 0;
  virtual std::unique_ptr<WriteTxn> BeginTxn() = 0;

  // Marks everything below `revision` compacted, in the open batch (kCompacted if <= the last one,
  // kFutureRevision if > current incl. this batch). Physical deletion starts after Publish, in
  // bounded steps on the compaction executor, below the oldest pinned reader only.
  virtual absl::Status Compact(Revision revision) = 0;

  // Adds the current revision to the batch; call before the engine writes it.
  virtual void SealBatch() = 0;
  // After the engine took the batch: makes its revisions readable and tells the observer.
  virtual void Publish() = 0;

  // Calls `done` once compaction up to `revision` is finished physically (at once if it is), on
  // the compaction executor. `done` must not stop the store.
  virtual void WhenCompacted(Revision revision, absl::AnyInvocable<void()> done) = 0;

  virtual void SetObserver(RevisionObserver* observer) = 0;

  // ---- Lifecycle.
  // Resumes a compaction that a crash interrupted. Call once after Open and the replay of the log.
  virtual void StartCompaction() = 0;
  virtual void Stop() = 0;
};

// Loads the index by one scan of the rev family. `compaction` runs the physical deletions.
absl::StatusOr<std::unique_ptr<Store>> OpenStore(engine::KvEngine& engine,
                                                 base::Executor& compaction, StoreOptions options);

}  // namespace etcd::mvcc
