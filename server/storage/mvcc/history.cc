#include <algorithm>
#include <deque>
#include <utility>

#include "server/base/errc.h"
#include "server/base/status.h"
#include "server/storage/mvcc/key_value.h"
#include "server/storage/mvcc/revision_key.h"
#include "server/storage/mvcc/store_impl.h"

namespace etcd::mvcc {
namespace {

// Read at once from the engine; a revision is never split, so one bigger than that comes whole.
constexpr std::size_t kChunkRecords = 1000;
constexpr std::size_t kChunkBytes = 1 << 20;

class Cursor final : public HistoryCursor {
 public:
  Cursor(const engine::KvEngine& engine, const KeyIndex& index, const ReadPins& pins, Revision from,
         Revision to)
      : engine_(engine), index_(index), pins_(pins), next_(from), to_(to) {}

  absl::StatusOr<std::shared_ptr<const RevisionChanges>> Next() override {
    if (ready_.empty() && next_ <= to_) RETURN_IF_ERROR(Fill());
    if (ready_.empty()) return nullptr;
    auto changes = std::move(ready_.front());
    ready_.pop_front();
    return changes;
  }

 private:
  absl::Status Fill();
  absl::Status Append(std::string_view key, std::string_view stored);
  void FindPrevious(ChangeRecord& change) const;

  const engine::KvEngine& engine_;
  const KeyIndex& index_;
  const ReadPins& pins_;
  Revision next_;  // first revision not read yet
  const Revision to_;
  std::deque<std::shared_ptr<RevisionChanges>> ready_;
};

absl::Status Cursor::Fill() {
  // A pin would hold compaction up for as long as the slowest watcher; instead the chunk counts
  // only if nothing of it can have been deleted by the time it was read.
  const RevisionKey begin({next_, 0});
  const RevisionKey end({to_ + 1, 0});
  const auto it = engine_.Scan(engine::Family::kKey, begin.view(), end.view());
  std::size_t bytes = 0;
  std::size_t records = 0;
  for (; it->Valid(); it->Next(), ++records) {
    const auto decoded = DecodeRevisionKey(it->key());
    if (!decoded) return base::DataLoss("mvcc: a key of the key family is not a revision");
    const bool starts = ready_.empty() || ready_.back()->revision != decoded->revision.main;
    if (starts && (records >= kChunkRecords || bytes >= kChunkBytes)) break;
    if (it->value().empty()) continue;
    RETURN_IF_ERROR(Append(it->key(), it->value()));
    bytes += it->value().size();
  }
  RETURN_IF_ERROR(it->status());
  const Revision first = next_;
  next_ = it->Valid() ? DecodeRevisionKey(it->key())->revision.main : to_ + 1;
  for (const auto& revision : ready_) {
    for (ChangeRecord& change : revision->changes) FindPrevious(change);
  }
  if (first < pins_.compact_revision()) {
    ready_.clear();
    next_ = first;
    return Error(Errc::kCompacted);
  }
  return absl::OkStatus();
}

absl::Status Cursor::Append(std::string_view key, std::string_view stored) {
  const auto decoded = DecodeRevisionKey(key);
  ChangeRecord change{
      .kind = decoded->tombstone ? ChangeRecord::Kind::kDelete : ChangeRecord::Kind::kPut,
      .revision = decoded->revision};
  KeyValueFields fields;
  if (!DecodeKeyValue(stored, fields)) {
    return base::DataLoss("mvcc: damaged record at revision " +
                          std::to_string(decoded->revision.main.value()));
  }
  change.is_create = !decoded->tombstone && fields.create_revision == fields.mod_revision;
  change.stored = base::Slice::Own(std::string(stored));
  change.key = KeyOfStored(change.stored.bytes);
  if (ready_.empty() || ready_.back()->revision != decoded->revision.main) {
    ready_.push_back(std::make_shared<RevisionChanges>());
    ready_.back()->revision = decoded->revision.main;
  }
  ready_.back()->changes.push_back(std::move(change));
  return absl::OkStatus();
}

void Cursor::FindPrevious(ChangeRecord& change) const {
  const Revision before = change.revision.main - 1;
  // As etcd, which reads prev_kv at that revision and gives none when it is compacted.
  if (change.is_create || before < pins_.compact_revision()) return;
  const auto previous = index_.Find(change.key, before);
  change.has_prev = previous.has_value();
  if (previous) change.prev = *previous;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HistoryCursor>> StoreImpl::ReadHistory(Revision from,
                                                                      Revision to) const {
  if (from < compact_revision()) return Error(Errc::kCompacted);
  if (to > current_revision()) return Error(Errc::kFutureRevision);
  return std::make_unique<Cursor>(engine_, *index_, pins_, from, to);
}

}  // namespace etcd::mvcc
