#include "server/storage/mvcc/key_index.h"

#include <limits>
#include <utility>

#include "server/base/check.h"
#include "server/storage/mvcc/key_index_locks.h"

namespace etcd::mvcc {
namespace {

void FreeTree(NodeBase* node) {
  if (node->is_leaf) {
    auto* leaf = static_cast<Leaf*>(node);
    for (std::size_t i = 0; i < leaf->count; ++i) Record::Free(leaf->records[i]);
    delete leaf;
    return;
  }
  auto* inner = static_cast<Inner*>(node);
  for (std::size_t i = 0; i < inner->count; ++i) FreeTree(inner->children[i]);
  delete inner;
}

template <typename Array, typename Value>
void InsertAt(Array& array, std::size_t count, std::size_t at, Value&& value) {
  for (std::size_t i = count; i > at; --i) array[i] = std::move(array[i - 1]);
  array[at] = std::forward<Value>(value);
}

// Keeps the digests right after a key was put at `at` (count already raised).
template <typename Node>
void DigestInserted(Node& node, std::size_t at) {
  const std::string_view key = node.KeyAt(at);
  const std::string_view other = node.KeyAt(at == 0 ? node.count - 1U : 0);
  if (node.count > 1 && key.size() >= node.prefix_bytes &&
      key.substr(0, node.prefix_bytes) == other.substr(0, node.prefix_bytes)) {
    InsertAt(node.digest, node.count - 1U, at, KeyDigest(key, node.prefix_bytes));
    return;
  }
  RebuildDigests(node);
}

}  // namespace

KeyIndex::KeyIndex() : root_(new Leaf) {}
KeyIndex::~KeyIndex() { FreeTree(root_); }

// ---- Writer

KeyIndex::PutResult KeyIndex::Put(std::string_view key, RevisionPair revision,
                                  absl::FunctionRef<std::uint32_t(Generation)> bytes_of) {
  CHECK(revision.sub <= std::numeric_limits<std::uint32_t>::max()) << "sub-revision overflow";
  const WriteGuard guard(*this);
  PutResult result;
  Path path = Descend(key);
  const bool known = Holds(path, key);
  Record* record = known ? path.leaf->records[path.at] : nullptr;
  if (known && record->is_live()) {
    result.previous = record->newest().ref();
    result.generation = record->generation();
    ++result.generation.version;
  } else {
    result.generation = {revision.main.value(), 1};
  }
  result.bytes = bytes_of(result.generation);
  CHECK(result.bytes != 0) << "a live record has a size";
  const RevEntry entry{revision.main.value(), static_cast<std::uint32_t>(revision.sub),
                       result.bytes};
  if (!known) {
    Insert(path, Record::New(key, entry, result.generation));
    return result;
  }
  CHECK(record->newest().revision() < revision) << "revisions ascend";
  const SubtreeStats before = SubtreeStats::Of(*record);
  record = Record::Append(record, entry, result.generation);
  path.leaf->records[path.at] = record;
  ApplyDelta(path, before, SubtreeStats::Of(*record));
  return result;
}

std::optional<KvRef> KeyIndex::Delete(std::string_view key, RevisionPair revision) {
  CHECK(revision.sub <= std::numeric_limits<std::uint32_t>::max()) << "sub-revision overflow";
  const WriteGuard guard(*this);
  const Path path = Descend(key);
  if (!Holds(path, key) || !path.leaf->records[path.at]->is_live()) return std::nullopt;
  Record* record = path.leaf->records[path.at];
  const KvRef previous = record->newest().ref();
  CHECK(record->newest().revision() < revision) << "revisions ascend";
  const SubtreeStats before = SubtreeStats::Of(*record);
  record = Record::Append(record,
                          {revision.main.value(), static_cast<std::uint32_t>(revision.sub), 0}, {});
  path.leaf->records[path.at] = record;
  ApplyDelta(path, before, SubtreeStats::Of(*record));
  return previous;
}

KeyIndex::Path KeyIndex::Descend(std::string_view key) const {
  Path path;
  NodeBase* node = root_;
  while (!node->is_leaf) {
    auto* inner = static_cast<Inner*>(node);
    const std::size_t child = ChildFor(*inner, key);
    path.nodes[path.depth] = inner;
    path.indexes[path.depth] = child;
    ++path.depth;
    node = inner->children[child];
  }
  path.leaf = static_cast<Leaf*>(node);
  path.at = LowerBound(*path.leaf, key);
  return path;
}

bool KeyIndex::Holds(const Path& path, std::string_view key) {
  return path.at < path.leaf->count && path.leaf->KeyAt(path.at) == key;
}

void KeyIndex::ApplyDelta(const Path& path, const SubtreeStats& before, const SubtreeStats& after) {
  for (std::size_t level = 0; level < path.depth; ++level) {
    SubtreeStats& stats = path.nodes[level]->stats[path.indexes[level]];
    stats.live += after.live - before.live;  // modular: the sum is never negative
    stats.histories += after.histories - before.histories;
    stats.max_mod = std::max(stats.max_mod, after.max_mod);
  }
}

void KeyIndex::Insert(Path& path, Record* record) {
  if (path.leaf->count == kFanout) SplitLeaf(path);
  Leaf& leaf = *path.leaf;
  InsertAt(leaf.records, leaf.count, path.at, record);
  ++leaf.count;
  DigestInserted(leaf, path.at);
  ApplyDelta(path, {}, SubtreeStats::Of(*record));
}

// Splits the path's full leaf; the path then points into the half that takes the new key.
void KeyIndex::SplitLeaf(Path& path) {
  Leaf& left = *path.leaf;
  auto* right = new Leaf;
  // Keys that arrive in ascending order fill leaves completely.
  const bool appending = left.next == nullptr && path.at == kFanout;
  const std::size_t keep = appending ? kFanout - 1 : kFanout / 2;
  right->count = static_cast<std::uint16_t>(kFanout - keep);
  std::copy(left.records.begin() + static_cast<std::ptrdiff_t>(keep), left.records.end(),
            right->records.begin());
  left.count = static_cast<std::uint16_t>(keep);
  RebuildDigests(left);
  RebuildDigests(*right);
  right->prev = &left;
  right->next = left.next;
  if (left.next != nullptr) left.next->prev = right;
  left.next = right;

  const std::size_t at = path.at;
  InsertChild(path, path.depth, right, std::string(right->KeyAt(0)));
  if (at >
      keep) {  // at == keep goes to the left half: it sorts before the right half's lower bound
    path.leaf = right;
    path.at = at - keep;
    ++path.indexes[path.depth - 1];
  }
}

// Hangs `right` behind the child on the path whose parent is level - 1, growing a root if there is
// none. On return the path leads to the left half still.
void KeyIndex::InsertChild(Path& path, std::size_t level, NodeBase* right, std::string lower) {
  if (level == 0) {
    auto* root = new Inner;
    root->count = 1;
    root->children[0] = root_;
    // Any key of the left child does: child 0 takes what is smaller as well.
    root->lower[0] =
        root_->is_leaf ? static_cast<Leaf*>(root_)->KeyAt(0) : static_cast<Inner*>(root_)->KeyAt(0);
    RebuildDigests(*root);
    root_ = root;
    CHECK(path.depth < kMaxDepth) << "index too deep";
    for (std::size_t i = path.depth; i > 0; --i) {
      path.nodes[i] = path.nodes[i - 1];
      path.indexes[i] = path.indexes[i - 1];
    }
    path.nodes[0] = root;
    path.indexes[0] = 0;
    ++path.depth;
    level = 1;
  } else if (path.nodes[level - 1]->count == kFanout) {
    const std::size_t depth = path.depth;
    SplitInner(path, level - 1);
    level += path.depth - depth;  // a new root moves every level down
  }
  Inner& parent = *path.nodes[level - 1];
  const std::size_t at = path.indexes[level - 1] + 1;
  if (at == 1 && parent.lower[0] >= lower) {
    // Child 0 was holding keys below its own bound: lower the bound, so that bounds stay ascending.
    NodeBase* left = parent.children[0];
    parent.lower[0] =
        left->is_leaf ? static_cast<Leaf*>(left)->KeyAt(0) : static_cast<Inner*>(left)->KeyAt(0);
    RebuildDigests(parent);
  }
  InsertAt(parent.lower, parent.count, at, std::move(lower));
  InsertAt(parent.children, parent.count, at, right);
  InsertAt(parent.stats, parent.count, at, SubtreeStats{});
  ++parent.count;
  DigestInserted(parent, at);
  for (const std::size_t i : {at - 1, at}) {
    NodeBase* child = parent.children[i];
    parent.stats[i] =
        child->is_leaf ? static_cast<Leaf*>(child)->Stats() : static_cast<Inner*>(child)->Stats();
  }
}

// Splits the full inner node at `level` of the path; afterwards the path leads through whichever
// half holds its child.
void KeyIndex::SplitInner(Path& path, std::size_t level) {
  Inner& left = *path.nodes[level];
  auto* right = new Inner;
  const bool appending = path.indexes[level] == kFanout - 1;
  const std::size_t keep = appending ? kFanout - 1 : kFanout / 2;
  for (std::size_t i = keep; i < kFanout; ++i) {
    right->lower[i - keep] = std::move(left.lower[i]);
    right->children[i - keep] = left.children[i];
    right->stats[i - keep] = left.stats[i];
  }
  right->count = static_cast<std::uint16_t>(kFanout - keep);
  left.count = static_cast<std::uint16_t>(keep);
  RebuildDigests(left);
  RebuildDigests(*right);
  const std::size_t depth = path.depth;
  InsertChild(path, level, right, right->lower[0]);
  level += path.depth - depth;
  if (path.indexes[level] >= keep) {
    path.indexes[level] -= keep;
    path.nodes[level] = right;
    ++path.indexes[level - 1];
  }
}

// ---- Loading

void KeyIndex::LoadSorted(absl::FunctionRef<Record*()> next) {
  const WriteGuard guard(*this);
  CHECK(root_->count == 0) << "the index is loaded once";
  // Each record goes behind the last one, down the right edge.
  Path path = Descend("");
  while (Record* record = next()) {
    Leaf* leaf = path.leaf;
    if (leaf->count == kFanout) {
      auto* right = new Leaf;
      right->prev = leaf;
      leaf->next = right;
      RebuildDigests(*leaf);
      right->records[0] = record;  // gives the new leaf its lower bound
      right->count = 1;
      InsertChild(path, path.depth, right, std::string(record->key()));
      path.leaf = right;
      ++path.indexes[path.depth - 1];
      continue;
    }
    leaf->records[leaf->count++] = record;
  }
  RebuildDigests(*path.leaf);
  for (std::size_t level = path.depth; level > 0; --level) RefreshStats(path, level - 1);
}

std::optional<RevisionPair> KeyIndex::NewestOrphan(Revision at) const {
  for (auto it = orphans_.rbegin(); it != orphans_.rend(); ++it) {
    if (it->main <= at) return *it;
  }
  return std::nullopt;
}

void KeyIndex::RefreshStats(const Path& path, std::size_t level) {
  Inner& inner = *path.nodes[level];
  NodeBase* child = inner.children[path.indexes[level]];
  inner.stats[path.indexes[level]] =
      child->is_leaf ? static_cast<Leaf*>(child)->Stats() : static_cast<Inner*>(child)->Stats();
}

}  // namespace etcd::mvcc
