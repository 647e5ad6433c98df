#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_set.h>
#include <absl/functional/function_ref.h>
#include <absl/hash/hash.h>

#include "server/base/status.h"

namespace etcd::watch {

// A watched range, in the form of mvcc::KeyRange but never empty: end "" = exactly `begin`,
// end "\0" = every key >= begin, else begin <= key < end.
struct WatchRange {
  std::string begin;
  std::string end;
  bool IsExact() const { return end.empty(); }
  bool IsOpenEnded() const { return end.size() == 1 && end[0] == '\0'; }
};

// Base of what is filed under a range.
struct RangeItem {
 protected:
  ~RangeItem() = default;
};

// Which items have a range that holds a key: exact keys in a hash table, ranges in an interval tree
// (a treap ordered by begin, each subtree knowing its largest end). Finding costs O(1) for the
// former and O(log n + found) or so for the latter. Not thread-safe. What Find reports is in an
// order that depends on the history of calls only.
class RangeIndex {
 public:
  RangeIndex();
  ~RangeIndex();
  RangeIndex(const RangeIndex&) = delete;
  RangeIndex& operator=(const RangeIndex&) = delete;

  // Several items may have the same range.
  void Add(const WatchRange& range, RangeItem* item);
  // The item must have been added under this range.
  void Remove(const WatchRange& range, RangeItem* item);

  // Items filed under exactly this range; null when there are none.
  const std::vector<RangeItem*>* Find(const WatchRange& range) const;

  // Calls `each` for every item whose range holds the key.
  void Stab(std::string_view key, absl::FunctionRef<void(RangeItem*)> each) const;

  bool empty() const { return exact_.empty() && root_ == nullptr; }

 private:
  struct Cell {
    std::string key;
    std::vector<RangeItem*> items;
  };
  struct CellHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return absl::HashOf(base::ToAbsl(key)); }
    std::size_t operator()(const std::unique_ptr<Cell>& cell) const { return (*this)(cell->key); }
  };
  struct CellEqual {
    using is_transparent = void;
    static std::string_view KeyOf(std::string_view key) { return key; }
    static std::string_view KeyOf(const std::unique_ptr<Cell>& cell) { return cell->key; }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return KeyOf(a) == KeyOf(b);
    }
  };
  struct Node;
  using NodePtr = std::unique_ptr<Node>;

  static bool Before(const Node& node, const WatchRange& range);
  static void Update(Node& node);
  static NodePtr Merge(NodePtr left, NodePtr right);
  static void Split(NodePtr tree, const WatchRange& range, NodePtr& before, NodePtr& rest);
  static NodePtr Insert(NodePtr tree, NodePtr fresh);
  static NodePtr Erase(NodePtr tree, const WatchRange& range);
  static void StabTree(const Node* node, std::string_view key,
                       absl::FunctionRef<void(RangeItem*)> each);
  Node* FindNode(const WatchRange& range) const;

  absl::flat_hash_set<std::unique_ptr<Cell>, CellHash, CellEqual> exact_;  // never iterated
  NodePtr root_;
  std::uint64_t priority_state_ = 0;  // treap priorities need to look random, not to be secret
};

}  // namespace etcd::watch
