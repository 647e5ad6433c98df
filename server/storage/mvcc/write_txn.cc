#include "server/storage/mvcc/write_txn.h"

#include <algorithm>
#include <utility>

#include "server/base/check.h"
#include "server/base/errc.h"
#include "server/base/status.h"
#include "server/storage/mvcc/key_value.h"
#include "server/storage/mvcc/rev_record.h"
#include "server/storage/mvcc/revision_key.h"

namespace etcd::mvcc {

using engine::Family;

TxnImpl::~TxnImpl() {
  const auto add = [](std::atomic<std::uint64_t>& total, std::uint64_t n) {
    // One writer: no atomic addition is needed.
    if (n > 0) total.store(total.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  };
  add(store_.written_.ranges, ranges_);
  add(store_.written_.puts, puts_);
  add(store_.written_.put_bytes, put_bytes_);
  add(store_.written_.deletes, deletes_);
  add(store_.written_.txns, ranges_ + puts_ + deletes_ > 1 ? 1 : 0);
}

absl::StatusOr<RangeResult> TxnImpl::Range(const RangeSpec& spec) const {
  ++ranges_;
  const Revision at = spec.revision.value() > 0 ? spec.revision : revision();
  if (at > revision()) return Error(Errc::kFutureRevision);
  if (at < store_.compact_) return Error(Errc::kCompacted);
  // No pin: compactions are marked by this very thread, and none marked so far reaches above `at`.
  RangeResult result;
  result.current = revision();
  result.read_at = at;
  const KeyBounds bounds = KeyBounds::Of(spec.range);
  result.count = spec.count_only ? store_.index_->Count(bounds, at)
                                 : store_.index_->Range(bounds, at, spec.limit, result.refs);
  return result;
}

absl::Status TxnImpl::Fetch(std::span<const KvRef> refs,
                            absl::FunctionRef<void(std::size_t, std::string_view)> each) const {
  const Revision written = store_.current_revision();
  for (std::size_t first = 0; first < refs.size();) {
    if (refs[first].revision.main > written) {
      each(first, store_.PendingRecord(refs[first].revision));
      ++first;
      continue;
    }
    std::size_t end = first + 1;
    while (end < refs.size() && refs[end].revision.main <= written) ++end;
    RETURN_IF_ERROR(
        FetchRecords(store_.engine_, store_.pins_, refs.subspan(first, end - first),
                     [&](std::size_t i, std::string_view stored) { each(first + i, stored); }));
    first = end;
  }
  return absl::OkStatus();
}

std::optional<KvRef> TxnImpl::Find(std::string_view key) const {
  ++ranges_;
  return store_.index_->Find(key, revision());
}

RevisionPair TxnImpl::NextSub() {
  CHECK(store_.batch_ != nullptr) << "a write outside a batch";
  if (sub_ == 0) {
    CHECK(store_.current_ == base_) << "two write transactions at once";
    store_.current_ = next_revision();
    store_.dirty_ = true;
    store_.pending_.push_back(std::make_shared<RevisionChanges>());
    store_.pending_.back()->revision = next_revision();
  }
  return {next_revision(), sub_++};
}

void TxnImpl::Record(ChangeRecord change, std::string stored, std::string rev_record) {
  const RevisionKey key(change.revision, change.kind == ChangeRecord::Kind::kDelete);
  store_.batch_->Put(Family::kKey, std::string(key.view()), stored);
  store_.batch_->Put(Family::kRev, std::string(key.view()), std::move(rev_record));
  change.stored = base::Slice::Own(std::move(stored));
  change.key = KeyOfStored(change.stored.bytes);
  store_.pending_.back()->changes.push_back(std::move(change));
}

// A watcher's prev_kv is the state before the whole revision, not before this change of it.
void TxnImpl::SetPrevious(ChangeRecord& change, std::string_view key, const KvRef& previous) const {
  if (previous.revision.main <= base_) {
    change.has_prev = true;
    change.prev = previous;
  } else if (const auto earlier = store_.index_->Find(key, base_)) {
    change.has_prev = true;
    change.prev = *earlier;
  }
}

std::optional<KvRef> TxnImpl::Put(std::string_view key, std::string_view value, LeaseId lease) {
  CHECK(!key.empty()) << "empty key";
  ++puts_;
  put_bytes_ += key.size() + value.size();
  const RevisionPair revision = NextSub();
  if (lease != LeaseId()) store_.any_lease_.store(true);
  KeyValueFields fields{.key = key, .mod_revision = revision.main, .value = value, .lease = lease};
  const KeyIndex::PutResult put =
      store_.index_->Put(key, revision, [&fields](Generation generation) {
        fields.create_revision = Revision(generation.create);
        fields.version = generation.version;
        return static_cast<std::uint32_t>(EncodedKeyValueBytes(fields));
      });
  ChangeRecord change{.kind = ChangeRecord::Kind::kPut,
                      .revision = revision,
                      .is_create = fields.create_revision == revision.main};
  if (put.previous && !change.is_create) SetPrevious(change, key, *put.previous);
  Record(std::move(change), EncodeKeyValue(fields),
         EncodeRevRecord({.create_revision = fields.create_revision,
                          .version = fields.version,
                          .lease = lease,
                          .encoded_bytes = put.bytes,
                          .key = key}));
  return put.previous;
}

std::int64_t TxnImpl::DeleteRange(const KeyRange& range,
                                  absl::FunctionRef<void(std::string_view, const KvRef&)> each) {
  ++deletes_;
  // All keys first: the walk must not run over an index that changes under it.
  std::vector<std::pair<std::string, KvRef>> doomed;
  store_.index_->Walk(KeyBounds::Of(range), revision(),
                      [&doomed](std::string_view key, const KvRef& ref) {
                        doomed.emplace_back(key, ref);
                        return true;
                      });
  for (const auto& [key, previous] : doomed) {
    each(key, previous);
    Delete(key, previous);
  }
  return static_cast<std::int64_t>(doomed.size());
}

void TxnImpl::Delete(std::string_view key, const KvRef& previous) {
  const RevisionPair revision = NextSub();
  CHECK(store_.index_->Delete(key, revision)) << "a key vanished under its only writer";
  ChangeRecord change{.kind = ChangeRecord::Kind::kDelete, .revision = revision};
  SetPrevious(change, key, previous);
  Record(std::move(change), EncodeKeyValue({.key = key}), EncodeRevRecord({.key = key}));
}

}  // namespace etcd::mvcc
