#include <algorithm>
#include <string>
#include <utility>

#include "server/base/check.h"
#include "server/storage/mvcc/key_index.h"
#include "server/storage/mvcc/key_index_locks.h"

namespace etcd::mvcc {
namespace {

// The entry of a record that is alive at `at`, or null.
const RevEntry* AliveAt(const Record& record, Revision at) {
  const RevEntry* entry = record.FindAt(at);
  return entry == nullptr || entry->is_tombstone() ? nullptr : entry;
}

// The smallest key behind `key`.
std::string After(std::string_view key) {
  std::string next(key);
  next.push_back('\0');
  return next;
}

}  // namespace

// One locked piece of a count.
struct KeyIndex::CountStep {
  std::string_view from;
  const KeyBounds& bounds;
  Revision at;
  std::int64_t count = 0;
  std::size_t visited = 0;
  std::string resume{};  // where the next step starts, when stopped
  bool stopped = false;
};

const Record* KeyIndex::FindRecord(std::string_view key) const {
  const NodeBase* node = root_;
  while (!node->is_leaf) {
    const auto* inner = static_cast<const Inner*>(node);
    node = inner->children[ChildFor(*inner, key)];
  }
  // The key's place is right only if it has the leaf's prefix, but then the comparison below fails
  // all the same; this saves reading another key of the leaf.
  const auto* leaf = static_cast<const Leaf*>(node);
  const std::size_t at = LowerBoundWithin(*leaf, key);
  return at < leaf->count && leaf->KeyAt(at) == key ? leaf->records[at] : nullptr;
}

std::optional<KvRef> KeyIndex::Find(std::string_view key, Revision at) const {
  const ReadGuard guard(*this);
  const Record* record = FindRecord(key);
  const RevEntry* entry = record == nullptr ? nullptr : AliveAt(*record, at);
  return entry == nullptr ? std::nullopt : std::optional(entry->ref());
}

std::int64_t KeyIndex::Count(const KeyBounds& bounds, Revision at) const {
  if (bounds.kind == KeyBounds::Kind::kEmpty) return 0;
  if (bounds.kind == KeyBounds::Kind::kSingle) return Find(bounds.from, at) ? 1 : 0;
  std::int64_t total = 0;
  std::string from(bounds.from);
  while (true) {
    CountStep step{.from = from, .bounds = bounds, .at = at};
    {
      const ReadGuard guard(*this);
      CountIn(root_, true, true, step);
    }
    total += step.count;
    if (!step.stopped) return total;
    from = std::move(step.resume);
  }
}

void KeyIndex::CountIn(const NodeBase* node, bool check_from, bool check_end,
                       CountStep& step) const {
  if (node->is_leaf) {
    const auto& leaf = *static_cast<const Leaf*>(node);
    const std::size_t begin = check_from ? LowerBound(leaf, step.from) : 0;
    const std::size_t end = check_end && step.bounds.kind == KeyBounds::Kind::kRange
                                ? LowerBound(leaf, step.bounds.end)
                                : leaf.count;
    for (std::size_t i = begin; i < end; ++i) {
      if (AliveAt(*leaf.records[i], step.at) != nullptr) ++step.count;
    }
    step.visited += end > begin ? end - begin : 0;
    if (step.visited >= kStepKeys && leaf.count > 0) {
      step.stopped = true;
      step.resume = After(leaf.KeyAt(leaf.count - 1U));
    }
    return;
  }
  const auto& inner = *static_cast<const Inner*>(node);
  const std::size_t first = check_from ? ChildFor(inner, step.from) : 0;
  const std::size_t last = check_end && step.bounds.kind == KeyBounds::Kind::kRange
                               ? ChildFor(inner, step.bounds.end)
                               : inner.count - 1U;
  for (std::size_t i = first; i <= last && !step.stopped; ++i) {
    const bool at_from = check_from && i == first;
    const bool at_end = check_end && i == last;
    const bool whole = !at_from && (!at_end || step.bounds.kind != KeyBounds::Kind::kRange);
    // Unchanged since `at`: what is alive now was alive then.
    if (whole && inner.stats[i].max_mod <= step.at.value()) {
      step.count += inner.stats[i].live;
    } else {
      CountIn(inner.children[i], at_from, at_end, step);
    }
  }
}

void KeyIndex::Walk(const KeyBounds& bounds, Revision at,
                    absl::FunctionRef<bool(std::string_view, const KvRef&)> each) const {
  if (bounds.kind == KeyBounds::Kind::kEmpty) return;
  if (bounds.kind == KeyBounds::Kind::kSingle) {
    if (const auto ref = Find(bounds.from, at)) each(bounds.from, *ref);
    return;
  }
  std::string from(bounds.from);
  while (WalkStep(from, bounds, at, each)) {
  }
}

// True: go on at `from`.
bool KeyIndex::WalkStep(std::string& from, const KeyBounds& bounds, Revision at,
                        absl::FunctionRef<bool(std::string_view, const KvRef&)> each) const {
  const ReadGuard guard(*this);
  return WalkLeaves(from, bounds, at, each);
}

bool KeyIndex::WalkLeaves(std::string& from, const KeyBounds& bounds, Revision at,
                          absl::FunctionRef<bool(std::string_view, const KvRef&)> each) const {
  const Path path = Descend(from);
  std::size_t visited = 0;
  std::size_t position = path.at;
  for (const Leaf* leaf = path.leaf; leaf != nullptr; leaf = leaf->next, position = 0) {
    for (; position < leaf->count; ++position) {
      const Record& record = *leaf->records[position];
      if (bounds.Ends(record.key())) return false;
      const RevEntry* entry = AliveAt(record, at);
      if (entry != nullptr && !each(record.key(), entry->ref())) return false;
      if (++visited == kStepKeys) {
        from = After(record.key());
        return true;
      }
    }
  }
  return false;
}

std::int64_t KeyIndex::Range(const KeyBounds& bounds, Revision at, std::int64_t limit,
                             std::vector<KvRef>& refs) const {
  if (bounds.kind == KeyBounds::Kind::kEmpty) return 0;
  if (bounds.kind == KeyBounds::Kind::kSingle) {
    if (const auto ref = Find(bounds.from, at)) refs.push_back(*ref);
    return static_cast<std::int64_t>(refs.size());
  }
  const bool limited = limit > 0;
  bool cut = false;
  Walk(bounds, at, [&](std::string_view, const KvRef& ref) {
    if (limited && static_cast<std::int64_t>(refs.size()) == limit) {
      cut = true;
      return false;
    }
    refs.push_back(ref);
    return true;
  });
  return cut ? Count(bounds, at) : static_cast<std::int64_t>(refs.size());
}

// ---- Accounting

KeyIndex::Usage KeyIndex::MeasureUsage() const {
  const ReadGuard guard(*this);
  Usage usage;
  std::vector<const NodeBase*> open{root_};
  while (!open.empty()) {
    const NodeBase* node = open.back();
    open.pop_back();
    if (node->is_leaf) {
      const auto* leaf = static_cast<const Leaf*>(node);
      usage.heap_bytes += sizeof(Leaf);
      usage.keys += leaf->count;
      for (std::size_t i = 0; i < leaf->count; ++i) {
        usage.heap_bytes += leaf->records[i]->heap_bytes();
      }
      continue;
    }
    const auto* inner = static_cast<const Inner*>(node);
    usage.heap_bytes += sizeof(Inner);
    open.insert(open.end(), inner->children.begin(), inner->children.begin() + inner->count);
  }
  return usage;
}

namespace {

struct Checked {
  SubtreeStats stats;
  std::size_t depth = 0;
};

void CheckStats(const SubtreeStats& kept, const SubtreeStats& found) {
  CHECK(kept.live == found.live) << "live keys: " << kept.live << " kept, " << found.live;
  CHECK(kept.histories == found.histories) << "histories differ";
  CHECK(kept.max_mod >= found.max_mod) << "an entry is newer than its subtree";
}

Checked CheckNode(const NodeBase* node, std::string_view& last, bool is_root) {
  CHECK(is_root || node->count > 0) << "empty node";
  if (node->is_leaf) {
    const auto& leaf = *static_cast<const Leaf*>(node);
    for (std::size_t i = 0; i < leaf.count; ++i) {
      CHECK(last.data() == nullptr || last < leaf.KeyAt(i)) << "keys out of order";
      CHECK(LowerBound(leaf, leaf.KeyAt(i)) == i) << "digests do not find a key of their leaf";
      last = leaf.KeyAt(i);
    }
    return {leaf.Stats(), 0};
  }
  const auto& inner = *static_cast<const Inner*>(node);
  Checked sum;
  for (std::size_t i = 0; i < inner.count; ++i) {
    CHECK(i == 0 || last < inner.KeyAt(i)) << "a key is beyond its child's bound";
    CHECK(ChildFor(inner, inner.KeyAt(i)) == i) << "digests do not find a child";
    const Checked child = CheckNode(inner.children[i], last, false);
    CHECK(i == 0 || child.depth + 1 == sum.depth) << "leaves at different depths";
    CheckStats(inner.stats[i], child.stats);
    sum.stats.Add(child.stats);
    sum.depth = child.depth + 1;
  }
  return sum;
}

}  // namespace

void KeyIndex::CheckInvariants() const {
  const ReadGuard guard(*this);
  std::string_view last;
  CheckNode(root_, last, true);
}

}  // namespace etcd::mvcc
