#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <absl/container/btree_map.h>
#include <absl/functional/function_ref.h>

#include "server/watch/event_block.h"
#include "server/watch/watcher.h"

namespace etcd::watch {

// Collects in each matching item's `hits` the changes that it wants, and in `matched` the items, in
// the order in which they were first hit. `Item` derives from RangeItem and has hits and flags.
template <typename Item>
void MatchRevision(const RangeIndex& index, const mvcc::RevisionChanges& revision,
                   std::vector<Item*>& matched) {
  matched.clear();
  for (std::uint32_t i = 0; i < revision.changes.size(); ++i) {
    const mvcc::ChangeRecord& change = revision.changes[i];
    const std::uint8_t unwanted =
        change.kind == mvcc::ChangeRecord::Kind::kPut ? kNoPut : kNoDelete;
    index.Stab(change.key, [&](RangeItem* found) {
      auto* item = static_cast<Item*>(found);
      if ((item->flags & unwanted) != 0) return;
      if (item->hits.empty()) matched.push_back(item);
      item->hits.push_back(i);
    });
  }
}

// Encodes the events of one revision, each selection of them once.
class RevisionEncoder {
 public:
  // The stored KeyValue before a change; nullopt when there was none or it is compacted.
  using PrevOf = absl::FunctionRef<std::optional<base::Slice>(const mvcc::ChangeRecord&)>;

  RevisionEncoder(const mvcc::RevisionChanges& revision, PrevOf prev_of)
      : revision_(revision), prev_of_(prev_of) {}

  // Valid until the next call.
  const EventBlock& Block(const std::vector<std::uint32_t>& hits, bool with_prev);
  void Append(std::string& out, const std::vector<std::uint32_t>& hits, bool with_prev);

 private:
  const std::optional<base::Slice>& Prev(std::uint32_t change);

  const mvcc::RevisionChanges& revision_;
  PrevOf prev_of_;
  absl::btree_map<std::uint32_t, std::optional<base::Slice>> prev_;
  absl::btree_map<std::vector<std::uint32_t>, EventBlock> blocks_[2];  // [with_prev]
};

}  // namespace etcd::watch
