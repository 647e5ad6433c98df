#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/ids.h"
#include "server/base/rope.h"

namespace etcd::mvcc {

// Which change: the main revision of its transaction and its number within it, from 0.
struct RevisionPair {
  Revision main{};
  std::int64_t sub = 0;
  auto operator<=>(const RevisionPair&) const = default;
};

// A key range as clients give it (v3-api.md 3.1): empty end = exactly `key`; end "\0" = every key
// >= `key`; otherwise key <= x < end, empty when end <= key.
struct KeyRange {
  std::string_view key{};
  std::string_view end{};
};

// A stored KeyValue as the index knows it: enough to know the length of a response before any
// value is read.
struct KvRef {
  RevisionPair revision{};          // mod revision: the record's key in the engine
  std::uint32_t encoded_bytes = 0;  // of the stored mvccpb.KeyValue
};

struct RangeSpec {
  KeyRange range{};
  Revision revision{};     // <= 0: current
  std::int64_t limit = 0;  // number of refs to return; <= 0: all. `count` is not limited.
  bool count_only = false;
};

// Keeps the physical records of a revision from compaction while a read runs. Movable, thread-safe.
class ReadPin {
 public:
  ReadPin() = default;
  explicit ReadPin(std::shared_ptr<const void> hold) : hold_(std::move(hold)) {}

 private:
  std::shared_ptr<const void> hold_;
};

struct RangeResult {
  std::vector<KvRef> refs;  // ascending by user key
  std::int64_t count = 0;   // keys in the range at the revision, whatever the limit
  Revision current;         // store revision when the range was taken
  Revision read_at;         // revision the range was read at
  ReadPin pin;
};

// The current revision and its pin: what is visible there stays readable (Fetch), also when newer
// revisions replace it and compaction marks it.
struct PinnedHead {
  Revision revision{};
  ReadPin pin{};
};

// One change of a key, as watchers need it.
struct ChangeRecord {
  enum class Kind : std::uint8_t { kPut, kDelete };
  Kind kind = Kind::kPut;
  RevisionPair revision{};
  bool is_create = false;  // a put with create_revision == mod_revision
  bool has_prev = false;   // the key existed before this change
  KvRef prev{};            // its state just before this revision (valid iff has_prev)
  std::string_view key{};  // user key, inside `stored`
  base::Slice stored{};    // the stored record: KeyValue bytes; for a delete KeyValue{key}
};

// All changes of one main revision, in sub-revision order. Immutable once published.
struct RevisionChanges {
  Revision revision;
  std::vector<ChangeRecord> changes;
};

class Store;

// Implemented by watch; called on the apply thread for each published batch, revisions ascending,
// after the revisions became readable. Must not block.
class RevisionObserver {
 public:
  virtual ~RevisionObserver() = default;
  virtual void OnRevisions(
      const std::vector<std::shared_ptr<const RevisionChanges>>& revisions) = 0;
  // `store` has got new content that continues the old (ReplaceableStore::Replace); the revisions
  // in between were not announced.
  virtual void OnReplaced(Store& /*store*/) {}
};

}  // namespace etcd::mvcc
