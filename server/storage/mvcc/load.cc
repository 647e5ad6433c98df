#include <algorithm>
#include <string>
#include <vector>

#include "server/base/bytes.h"
#include "server/base/status.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/mvcc/record_sort.h"
#include "server/storage/mvcc/rev_record.h"
#include "server/storage/mvcc/revision_key.h"
#include "server/storage/mvcc/store_impl.h"

namespace etcd::mvcc {
namespace {

using engine::Family;

absl::StatusOr<Revision> ReadCompactMark(const engine::KvEngine& engine, std::string_view name) {
  ASSIGN_OR_RETURN(const auto bytes,
                   engine.Get(Family::kMeta, engine::MetaKey(engine::kBucketMeta, name)));
  if (!bytes) return Revision(-1);
  const auto decoded = DecodeRevisionKey(*bytes);
  if (!decoded) return base::DataLoss("mvcc: damaged compaction mark");
  return decoded->revision.main;
}

// The explicit current revision; before it was ever written (a fresh store, an imported file) the
// rule of raft-peer-storage.md 8.4.
absl::StatusOr<Revision> ReadCurrent(const engine::KvEngine& engine, Revision scanned,
                                     const LoadedState& state) {
  ASSIGN_OR_RETURN(const auto bytes,
                   engine.Get(Family::kMeta,
                              engine::MetaKey(engine::kBucketMeta, engine::kMetaCurrentRevision)));
  if (!bytes) {
    return std::max({Revision(1), scanned, state.scheduled_compaction, state.finished_compaction});
  }
  if (bytes->size() != 8) return base::DataLoss("mvcc: damaged current revision");
  const Revision current(static_cast<std::int64_t>(base::LoadBigEndian64(bytes->data())));
  if (current < scanned) {
    return base::DataLoss("mvcc: a record is newer than the current revision");
  }
  return current;
}

absl::StatusOr<std::vector<SortItem>> ScanRecords(const engine::KvEngine& engine,
                                                  LoadedState& state, Revision& scanned) {
  std::vector<SortItem> items;
  const auto it = engine.Scan(Family::kRev, "", "");
  for (; it->Valid(); it->Next()) {
    const auto decoded = DecodeRevisionKey(it->key());
    RevRecord record;
    if (!decoded || !DecodeRevRecord(it->value(), decoded->tombstone, record)) {
      for (const SortItem& item : items) Record::Free(item.record);
      return base::DataLoss("mvcc: damaged record in the rev family");
    }
    scanned = decoded->revision.main;
    if (record.key.empty()) {
      state.orphans.push_back(decoded->revision);
      continue;
    }
    if (record.lease != LeaseId()) state.any_lease = true;
    const RevEntry entry{decoded->revision.main.value(),
                         static_cast<std::uint32_t>(decoded->revision.sub), record.encoded_bytes};
    items.push_back(
        {0, Record::New(record.key, entry, {record.create_revision.value(), record.version})});
  }
  if (!it->status().ok()) {
    for (const SortItem& item : items) Record::Free(item.record);
    return it->status();
  }
  return items;
}

}  // namespace

absl::StatusOr<LoadedState> LoadIndex(const engine::KvEngine& engine, KeyIndex& index) {
  LoadedState state;
  ASSIGN_OR_RETURN(state.scheduled_compaction,
                   ReadCompactMark(engine, engine::kMetaScheduledCompactRev));
  ASSIGN_OR_RETURN(state.finished_compaction,
                   ReadCompactMark(engine, engine::kMetaFinishedCompactRev));
  state.scheduled_compaction = std::max(state.scheduled_compaction, state.finished_compaction);
  Revision scanned;
  ASSIGN_OR_RETURN(std::vector<SortItem> items, ScanRecords(engine, state, scanned));
  SortRecords(items);
  std::size_t next = 0;
  index.LoadSorted([&]() -> Record* {
    if (next == items.size()) return nullptr;
    Record* record = items[next++].record;
    // Revisions of one key stand together, oldest first.
    for (; next < items.size() && items[next].record->key() == record->key(); ++next) {
      Record* newer = items[next].record;
      record = Record::Append(record, newer->newest(), newer->generation());
      Record::Free(newer);
    }
    return record;
  });
  ASSIGN_OR_RETURN(state.current, ReadCurrent(engine, scanned, state));
  return state;
}

}  // namespace etcd::mvcc
