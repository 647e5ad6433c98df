#include "server/storage/mvcc/store.h"

#include <utility>

#include "server/base/bytes.h"
#include "server/base/check.h"
#include "server/base/errc.h"
#include "server/base/failpoint.h"
#include "server/base/status.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/mvcc/rev_record.h"
#include "server/storage/mvcc/revision_key.h"
#include "server/storage/mvcc/store_impl.h"
#include "server/storage/mvcc/write_txn.h"

namespace etcd::mvcc {

using engine::Family;

absl::StatusOr<std::unique_ptr<Store>> OpenStore(engine::KvEngine& engine,
                                                 base::Executor& compaction, StoreOptions options) {
  auto index = std::make_unique<KeyIndex>();
  ASSIGN_OR_RETURN(LoadedState loaded, LoadIndex(engine, *index));
  return std::unique_ptr<Store>(
      new StoreImpl(engine, compaction, options, std::move(index), std::move(loaded)));
}

StoreImpl::StoreImpl(engine::KvEngine& engine, base::Executor& compaction,
                     const StoreOptions& options, std::unique_ptr<KeyIndex> index,
                     LoadedState loaded)
    : engine_(engine),
      index_(std::move(index)),
      published_(loaded.current.value()),
      any_lease_(loaded.any_lease),
      current_(loaded.current),
      compact_(loaded.scheduled_compaction),
      compactor_(engine, compaction, options, *index_, pins_, hashes_) {
  pins_.SetCompactRevision(compact_);
  index_->SetOrphans(loaded.orphans);
  compactor_.SetOrphans(std::move(loaded.orphans));
  compactor_.SetFinished(loaded.finished_compaction);
  if (loaded.scheduled_compaction > loaded.finished_compaction) {
    compactor_.Enqueue({loaded.scheduled_compaction, loaded.finished_compaction, true});
  }
}

StoreImpl::~StoreImpl() { compactor_.Stop(); }

// ---- Reads

absl::StatusOr<StoreImpl::PinnedRead> StoreImpl::PinRead(Revision requested) const {
  while (true) {
    const Revision current = current_revision();
    const Revision at = requested.value() > 0 ? requested : current;
    if (at > current) return Error(Errc::kFutureRevision);
    if (auto pin = pins_.Pin(at)) return PinnedRead{at, current, std::move(*pin)};
    if (requested.value() > 0) return Error(Errc::kCompacted);
    // What is left of the head can still be read, until the new content is loaded.
    if (superseded_.load()) return PinnedRead{at, current, ReadPin()};
    // The current revision was compacted between the two looks: there is a newer one.
  }
}

absl::StatusOr<RangeResult> StoreImpl::Range(const RangeSpec& spec) const {
  reads_.fetch_add(1, std::memory_order_relaxed);
  ASSIGN_OR_RETURN(PinnedRead read, PinRead(spec.revision));
  RangeResult result;
  result.current = read.current;
  result.read_at = read.at;
  const KeyBounds bounds = KeyBounds::Of(spec.range);
  if (spec.count_only) {
    result.count = index_->Count(bounds, read.at);
    return result;
  }
  result.count = index_->Range(bounds, read.at, spec.limit, result.refs);
  if (!result.refs.empty()) result.pin = std::move(read.pin);
  return result;
}

PinnedHead StoreImpl::PinHead() const {
  auto read = PinRead(Revision(0));
  CHECK(read.ok()) << "the current revision is always there";
  return {read->at, std::move(read->pin)};
}

absl::Status StoreImpl::Fetch(std::span<const KvRef> refs,
                              absl::FunctionRef<void(std::size_t, std::string_view)> each) const {
  return FetchRecords(engine_, pins_, refs, each);
}

absl::StatusOr<std::optional<KvRef>> StoreImpl::FindAt(std::string_view key, Revision at) const {
  ASSIGN_OR_RETURN(const PinnedRead read, PinRead(at));
  return index_->Find(key, read.at);
}

absl::Status StoreImpl::ForEachLeasedKey(
    absl::FunctionRef<void(std::string_view, LeaseId)> each) const {
  if (!any_lease_.load()) return absl::OkStatus();
  const Revision current = current_revision();
  const auto it = engine_.Scan(Family::kRev, "", "");
  for (; it->Valid(); it->Next()) {
    const auto decoded = DecodeRevisionKey(it->key());
    RevRecord record;
    if (!decoded || !DecodeRevRecord(it->value(), decoded->tombstone, record)) {
      return base::DataLoss("mvcc: damaged record in the rev family");
    }
    if (record.lease == LeaseId()) continue;
    const auto newest = index_->Find(record.key, current);
    if (newest && newest->revision == decoded->revision) each(record.key, record.lease);
  }
  return it->status();
}

// For comparisons, in which a member that has not compacted yet answers with a hash made on demand.
std::vector<HashResult> StoreImpl::CompactionHashes() const {
  std::vector<HashResult> out;
  const Revision current = current_revision();
  for (const HashCache::Entry& entry : hashes_.All()) {
    if (entry.nothing_lives) continue;
    out.push_back({entry.hash, entry.compact_revision, entry.revision, current});
  }
  return out;
}

absl::StatusOr<HashResult> StoreImpl::HashKv(Revision at) const {
  // As given, before 0 becomes the current revision: after Compact(0) etcd answers HashKV(0) with
  // the hash of that compaction.
  if (const auto cached = hashes_.Find(at)) {
    return HashResult{cached->hash, cached->compact_revision, at, current_revision()};
  }
  HashResult result{.hash_revision = at};
  std::optional<ReadPin> pin;
  // Everything above the compact revision as it is now stays while this runs.
  while (!pin) pin = pins_.Pin(result.compact_revision = compact_revision());
  result.current = current_revision();  // after the pin, so not below it
  if (at.value() == 0) result.hash_revision = result.current;
  if (at.value() > 0 && at < result.compact_revision) return Error(Errc::kCompacted);
  if (at > result.current) return Error(Errc::kFutureRevision);
  RecordHasher hasher(*index_, {.at = result.hash_revision, .compact = result.compact_revision});
  if (at.value() >= 0) {
    const RevisionKey end({result.hash_revision + 1, 0});
    const auto it = engine_.Scan(Family::kKey, "", end.view());
    for (; it->Valid(); it->Next()) RETURN_IF_ERROR(hasher.Add(it->key(), it->value()));
    RETURN_IF_ERROR(it->status());
  }
  result.hash = hasher.hash();
  if (superseded_.load()) return Error(Errc::kCompacted);  // parts may be of the new content
  return result;
}

OperationCounts StoreImpl::counts() const {
  const auto get = [](const std::atomic<std::uint64_t>& n) {
    return n.load(std::memory_order_relaxed);
  };
  return {.ranges = get(reads_) + get(written_.ranges),
          .puts = get(written_.puts),
          .put_bytes = get(written_.put_bytes),
          .deletes = get(written_.deletes),
          .txns = get(read_txns_) + get(written_.txns)};
}

std::int64_t StoreImpl::live_keys() const {
  constexpr std::string_view kZero("\0", 1);  // every key: the index counts without walking
  return index_->Count(KeyBounds::Of({kZero, kZero}), current_revision());
}

// ---- Writes

void StoreImpl::BeginBatch(engine::WriteBatch& batch) {
  CHECK(batch_ == nullptr) << "the last batch was not published";
  batch_ = &batch;
}

std::unique_ptr<WriteTxn> StoreImpl::BeginTxn() { return std::make_unique<TxnImpl>(*this); }

std::string_view StoreImpl::PendingRecord(RevisionPair revision) const {
  CHECK(!pending_.empty()) << "no open batch";
  const std::int64_t offset = revision.main - pending_.front()->revision;
  return pending_[static_cast<std::size_t>(offset)]
      ->changes[static_cast<std::size_t>(revision.sub)]
      .stored.bytes;
}

absl::Status StoreImpl::Compact(Revision revision) {
  CHECK(batch_ != nullptr) << "a compaction outside a batch";
  if (revision <= compact_) return Error(Errc::kCompacted);
  if (revision > current_) return Error(Errc::kFutureRevision);
  batch_->Put(Family::kMeta, engine::MetaKey(engine::kBucketMeta, engine::kMetaScheduledCompactRev),
              std::string(RevisionKey({revision, 0}).view()));
  FAILPOINT("compactBeforeCommitScheduledCompact");
  marked_.push_back({revision, compact_});
  compact_ = revision;
  dirty_ = true;
  return absl::OkStatus();
}

void StoreImpl::SealBatch() {
  CHECK(batch_ != nullptr) << "no open batch";
  if (!dirty_) return;
  std::string current;
  base::AppendBigEndian64(current, static_cast<std::uint64_t>(current_.value()));
  batch_->Put(Family::kMeta, engine::MetaKey(engine::kBucketMeta, engine::kMetaCurrentRevision),
              std::move(current));
  dirty_ = false;
}

void StoreImpl::Publish() {
  CHECK(batch_ != nullptr && !dirty_) << "publish without seal";
  batch_ = nullptr;
  published_.store(current_.value());
  // Only now: a read at the head must not find its revision compacted before a newer one is there.
  if (!marked_.empty()) pins_.SetCompactRevision(compact_);
  if (observer_ != nullptr && !pending_.empty()) {
    observer_->OnRevisions({pending_.begin(), pending_.end()});
  }
  pending_.clear();
  if (!marked_.empty()) FAILPOINT("compactAfterCommitScheduledCompact");
  for (const CompactionJob& job : marked_) compactor_.Enqueue(job);
  marked_.clear();
}

void StoreImpl::Supersede(Revision compact) {
  CHECK(batch_ == nullptr) << "a batch is open";
  compactor_.Retire();
  superseded_.store(true);
  if (compact > compact_) pins_.SetCompactRevision(compact_ = compact);
}

void StoreImpl::WhenCompacted(Revision revision, absl::AnyInvocable<void()> done) {
  compactor_.WhenFinished(revision, std::move(done));
}

}  // namespace etcd::mvcc
