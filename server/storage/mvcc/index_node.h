#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "server/base/bytes.h"
#include "server/storage/mvcc/key_record.h"

// Nodes of the key index: a B+tree whose inner nodes count what is below each child.
namespace etcd::mvcc {

inline constexpr std::size_t kFanout = 64;

// What a subtree holds.
struct SubtreeStats {
  std::uint32_t live = 0;       // keys alive at the newest revision, published or not
  std::uint32_t histories = 0;  // records that compaction must look at
  std::int64_t max_mod = 0;     // no entry below is newer

  void Add(const SubtreeStats& other) {
    live += other.live;
    histories += other.histories;
    max_mod = std::max(max_mod, other.max_mod);
  }
  static SubtreeStats Of(const Record& record) {
    return {record.is_live() ? 1U : 0U, record.has_history() ? 1U : 0U, record.newest().main};
  }
};

// Keys of a node share `prefix_bytes`; the 8 bytes behind them, as a number, order the keys almost
// always without touching the keys themselves (one cache miss a key otherwise). Equal digests are
// settled by the keys.
struct NodeBase {
  std::uint16_t count = 0;
  bool is_leaf;
  std::uint32_t prefix_bytes = 0;
  std::array<std::uint64_t, kFanout> digest;

  explicit NodeBase(bool leaf) : is_leaf(leaf) {}
};

struct Leaf : NodeBase {
  std::array<Record*, kFanout> records;
  Leaf* prev = nullptr;
  Leaf* next = nullptr;

  Leaf() : NodeBase(true) {}
  std::string_view KeyAt(std::size_t i) const { return records[i]->key(); }
  SubtreeStats Stats() const {
    SubtreeStats sum;
    for (std::size_t i = 0; i < count; ++i) sum.Add(SubtreeStats::Of(*records[i]));
    return sum;
  }
};

struct Inner : NodeBase {
  // lower[i] <= every key below child i, except that child 0 takes all smaller keys too.
  std::array<std::string, kFanout> lower;
  std::array<NodeBase*, kFanout> children;
  std::array<SubtreeStats, kFanout> stats;

  Inner() : NodeBase(false) {}
  std::string_view KeyAt(std::size_t i) const { return lower[i]; }
  SubtreeStats Stats() const {
    SubtreeStats sum;
    for (std::size_t i = 0; i < count; ++i) sum.Add(stats[i]);
    return sum;
  }
};

inline std::uint64_t KeyDigest(std::string_view key, std::size_t offset) {
  if (key.size() >= offset + 8) return base::LoadBigEndian64(key.data() + offset);
  char padded[8] = {};
  if (key.size() > offset) std::memcpy(padded, key.data() + offset, key.size() - offset);
  return base::LoadBigEndian64(padded);
}

inline std::size_t CommonPrefixBytes(std::string_view a, std::string_view b) {
  const std::size_t limit = std::min(a.size(), b.size());
  return static_cast<std::size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(limit), b.begin()).first -
      a.begin());
}

// Recomputes prefix and digests after keys moved.
template <typename Node>
void RebuildDigests(Node& node) {
  if (node.count == 0) return;
  const std::string_view first = node.KeyAt(0);
  node.prefix_bytes =
      static_cast<std::uint32_t>(CommonPrefixBytes(first, node.KeyAt(node.count - 1U)));
  for (std::size_t i = 0; i < node.count; ++i) {
    node.digest[i] = KeyDigest(node.KeyAt(i), node.prefix_bytes);
  }
}

// Number of keys < key, provided that `key` has the node's prefix.
template <typename Node>
std::size_t LowerBoundWithin(const Node& node, std::string_view key) {
  const std::uint64_t digest = KeyDigest(key, node.prefix_bytes);
  const std::uint64_t* const begin = node.digest.data();
  const std::uint64_t* const end = begin + node.count;
  auto at = static_cast<std::size_t>(std::lower_bound(begin, end, digest) - begin);
  auto tie_end = at;
  while (tie_end < node.count && node.digest[tie_end] == digest) ++tie_end;
  while (at < tie_end) {
    const std::size_t middle = (at + tie_end) / 2;
    if (node.KeyAt(middle) < key) {
      at = middle + 1;
    } else {
      tie_end = middle;
    }
  }
  return at;
}

// Number of keys < key.
template <typename Node>
std::size_t LowerBound(const Node& node, std::string_view key) {
  if (node.count == 0) return 0;
  if (node.prefix_bytes != 0) {
    const std::string_view prefix = node.KeyAt(0).substr(0, node.prefix_bytes);
    const int order = key.substr(0, node.prefix_bytes).compare(prefix);
    if (order != 0) return order < 0 ? 0 : node.count;
  }
  return LowerBoundWithin(node, key);
}

// The child whose range holds `key`.
inline std::size_t ChildFor(const Inner& node, std::string_view key) {
  const std::size_t at = LowerBound(node, key);
  if (at < node.count && node.KeyAt(at) == key) return at;
  return at == 0 ? 0 : at - 1;
}

}  // namespace etcd::mvcc
