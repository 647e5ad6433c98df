#include <algorithm>
#include <utility>

#include "server/base/check.h"
#include "server/storage/mvcc/key_index.h"
#include "server/storage/mvcc/key_index_locks.h"

namespace etcd::mvcc {
namespace {

template <typename Array>
void EraseAt(Array& array, std::size_t count, std::size_t at) {
  for (std::size_t i = at; i + 1 < count; ++i) array[i] = std::move(array[i + 1]);
}

}  // namespace

std::optional<std::string> KeyIndex::CompactStep(std::string_view from, Revision at,
                                                 std::vector<RevEntry>& dropped) {
  const WriteGuard guard(*this);
  std::string next(from);
  const std::size_t dropped_max = dropped.size() + kStepKeys;
  for (std::size_t visited = 0; visited < kStepKeys && dropped.size() < dropped_max;) {
    Path path;
    if (!FindHistories(root_, next, true, path)) return std::nullopt;
    visited += path.leaf->count;
    next = CompactLeaf(path, at, dropped_max, dropped);
  }
  return next;
}

// The first leaf at or behind `from` with a record that has history; false: none. `bounded` is
// false once the walk is strictly behind `from`.
bool KeyIndex::FindHistories(NodeBase* node, std::string_view from, bool bounded,
                             Path& path) const {
  if (node->is_leaf) {
    auto* leaf = static_cast<Leaf*>(node);
    for (std::size_t i = bounded ? LowerBound(*leaf, from) : 0; i < leaf->count; ++i) {
      if (!leaf->records[i]->has_history()) continue;
      path.leaf = leaf;
      path.at = i;
      return true;
    }
    return false;
  }
  auto* inner = static_cast<Inner*>(node);
  const std::size_t level = path.depth++;
  const std::size_t first = bounded ? ChildFor(*inner, from) : 0;
  for (std::size_t i = first; i < inner->count; ++i) {
    if (inner->stats[i].histories == 0) continue;
    path.nodes[level] = inner;
    path.indexes[level] = i;
    if (FindHistories(inner->children[i], from, bounded && i == first, path)) return true;
  }
  --path.depth;
  return false;
}

// Compacts the path's leaf from its position on until `dropped` holds `max` entries. Returns the
// key to go on at: the last one looked at when that bound was met, since more of it may have to go.
std::string KeyIndex::CompactLeaf(Path& path, Revision at, std::size_t max,
                                  std::vector<RevEntry>& dropped) {
  Leaf& leaf = *path.leaf;
  std::string next(leaf.KeyAt(leaf.count - 1U));
  next.push_back('\0');
  const SubtreeStats before = leaf.Stats();
  std::size_t kept = path.at;
  for (std::size_t i = path.at; i < leaf.count; ++i) {
    Record* record = leaf.records[i];
    if (dropped.size() < max) {
      const std::size_t before_key = dropped.size();
      const bool may_stop_here = record->entries().size() >= max - before_key;
      std::string key = may_stop_here ? std::string(record->key()) : std::string();
      record = Record::Compact(record, at, max - before_key, dropped);
      if (dropped.size() == max) next = std::move(key);
    }
    if (record != nullptr) leaf.records[kept++] = record;
  }
  const bool removed = kept != leaf.count;
  leaf.count = static_cast<std::uint16_t>(kept);
  ApplyDelta(path, before, leaf.Stats());
  if (removed) {
    RebuildDigests(leaf);
    ShrinkAfterRemoval(path);
  }
  return next;
}

// Joins or removes nodes that became small, from the leaf upwards.
void KeyIndex::ShrinkAfterRemoval(Path& path) {
  if (path.depth == 0) return;
  if (path.leaf->count == 0) {
    Leaf* leaf = path.leaf;
    if (leaf->prev != nullptr) leaf->prev->next = leaf->next;
    if (leaf->next != nullptr) leaf->next->prev = leaf->prev;
    delete leaf;
    RemoveChild(path, path.depth - 1, path.indexes[path.depth - 1]);
  } else if (!MergeLeaf(path)) {
    return;
  }
  while (!root_->is_leaf && root_->count == 1) {
    auto* old = static_cast<Inner*>(root_);
    root_ = old->children[0];
    delete old;
  }
}

// Takes the right neighbour's records in when both fit well into one leaf.
bool KeyIndex::MergeLeaf(Path& path) {
  Inner& parent = *path.nodes[path.depth - 1];
  const std::size_t left_index =
      std::min<std::size_t>(path.indexes[path.depth - 1], parent.count < 2 ? 0 : parent.count - 2U);
  if (parent.count < 2) return false;
  auto* left = static_cast<Leaf*>(parent.children[left_index]);
  auto* right = static_cast<Leaf*>(parent.children[left_index + 1]);
  if (left->count + right->count > kFanout * 3 / 4) return false;
  std::copy(right->records.begin(), right->records.begin() + right->count,
            left->records.begin() + left->count);
  left->count = static_cast<std::uint16_t>(left->count + right->count);
  RebuildDigests(*left);
  left->next = right->next;
  if (right->next != nullptr) right->next->prev = left;
  parent.stats[left_index].Add(parent.stats[left_index + 1]);
  delete right;
  RemoveChild(path, path.depth - 1, left_index + 1);
  return true;
}

// Takes a child (already freed, or merged into its neighbour) out of the inner node at `level`,
// then looks after that node's own size.
void KeyIndex::RemoveChild(Path& path, std::size_t level, std::size_t index) {
  Inner& inner = *path.nodes[level];
  EraseAt(inner.lower, inner.count, index);
  EraseAt(inner.children, inner.count, index);
  EraseAt(inner.stats, inner.count, index);
  --inner.count;
  RebuildDigests(inner);
  if (level == 0) {
    CHECK(inner.count > 0) << "an inner root lost its last child";
    return;
  }
  Inner& parent = *path.nodes[level - 1];
  const std::size_t own = path.indexes[level - 1];
  if (inner.count == 0) {
    delete &inner;
    RemoveChild(path, level - 1, own);
    return;
  }
  if (parent.count < 2) return;
  const std::size_t left_index = std::min<std::size_t>(own, parent.count - 2U);
  auto* left = static_cast<Inner*>(parent.children[left_index]);
  auto* right = static_cast<Inner*>(parent.children[left_index + 1]);
  if (left->count + right->count > kFanout / 2) return;
  for (std::size_t i = 0; i < right->count; ++i) {
    left->lower[left->count] = std::move(right->lower[i]);
    left->children[left->count] = right->children[i];
    left->stats[left->count] = right->stats[i];
    ++left->count;
  }
  // The first bound of `right` may be above what its child 0 takes; the parent's bound is exact.
  left->lower[left->count - right->count] = parent.lower[left_index + 1];
  RebuildDigests(*left);
  parent.stats[left_index].Add(parent.stats[left_index + 1]);
  delete right;
  RemoveChild(path, level - 1, left_index + 1);
}

}  // namespace etcd::mvcc
