#include "server/watch/range_index.h"

#include <algorithm>
#include <utility>

#include "server/base/check.h"
#include "server/base/random.h"

namespace etcd::watch {

struct RangeIndex::Node {
  WatchRange range;
  std::vector<RangeItem*> items;
  std::uint64_t priority = 0;      // heap order: a parent's is the largest of its subtree
  const Node* furthest = nullptr;  // of the subtree: the node whose range ends last
  NodePtr left;
  NodePtr right;
};

namespace {

// True when range a ends before range b.
bool EndsBefore(const WatchRange& a, const WatchRange& b) {
  if (b.IsOpenEnded()) return !a.IsOpenEnded();
  return !a.IsOpenEnded() && a.end < b.end;
}
bool EndsAtOrBefore(const WatchRange& range, std::string_view key) {
  return !range.IsOpenEnded() && range.end <= key;
}

}  // namespace

RangeIndex::RangeIndex() = default;
RangeIndex::~RangeIndex() = default;

// Order of the tree: by begin, then by the bytes of end.
bool RangeIndex::Before(const Node& node, const WatchRange& range) {
  if (node.range.begin != range.begin) return node.range.begin < range.begin;
  return node.range.end < range.end;
}

void RangeIndex::Update(Node& node) {
  node.furthest = &node;
  for (const Node* child : {node.left.get(), node.right.get()}) {
    if (child != nullptr && EndsBefore(node.furthest->range, child->furthest->range)) {
      node.furthest = child->furthest;
    }
  }
}

RangeIndex::NodePtr RangeIndex::Merge(NodePtr left, NodePtr right) {
  if (left == nullptr) return right;
  if (right == nullptr) return left;
  if (left->priority > right->priority) {
    left->right = Merge(std::move(left->right), std::move(right));
    Update(*left);
    return left;
  }
  right->left = Merge(std::move(left), std::move(right->left));
  Update(*right);
  return right;
}

// `before` gets the nodes ordered before the range.
void RangeIndex::Split(NodePtr tree, const WatchRange& range, NodePtr& before, NodePtr& rest) {
  if (tree == nullptr) {
    before = nullptr;
    rest = nullptr;
    return;
  }
  if (Before(*tree, range)) {
    NodePtr inner;
    Split(std::move(tree->right), range, inner, rest);
    tree->right = std::move(inner);
    Update(*tree);
    before = std::move(tree);
    return;
  }
  NodePtr inner;
  Split(std::move(tree->left), range, before, inner);
  tree->left = std::move(inner);
  Update(*tree);
  rest = std::move(tree);
}

RangeIndex::NodePtr RangeIndex::Insert(NodePtr tree, NodePtr fresh) {
  NodePtr before;
  NodePtr rest;
  Split(std::move(tree), fresh->range, before, rest);
  return Merge(Merge(std::move(before), std::move(fresh)), std::move(rest));
}

RangeIndex::NodePtr RangeIndex::Erase(NodePtr tree, const WatchRange& range) {
  CHECK(tree != nullptr) << "range is not in the index";
  if (tree->range.begin == range.begin && tree->range.end == range.end) {
    return Merge(std::move(tree->left), std::move(tree->right));
  }
  if (Before(*tree, range)) {
    tree->right = Erase(std::move(tree->right), range);
  } else {
    tree->left = Erase(std::move(tree->left), range);
  }
  Update(*tree);
  return tree;
}

RangeIndex::Node* RangeIndex::FindNode(const WatchRange& range) const {
  Node* node = root_.get();
  while (node != nullptr && (node->range.begin != range.begin || node->range.end != range.end)) {
    node = Before(*node, range) ? node->right.get() : node->left.get();
  }
  return node;
}

void RangeIndex::Add(const WatchRange& range, RangeItem* item) {
  if (range.IsExact()) {
    auto it = exact_.find(std::string_view(range.begin));
    if (it == exact_.end()) {
      it = exact_.insert(std::make_unique<Cell>(Cell{range.begin, {}})).first;
    }
    (*it)->items.push_back(item);
    return;
  }
  if (Node* node = FindNode(range)) {
    node->items.push_back(item);
    return;
  }
  auto fresh = std::make_unique<Node>();
  fresh->range = range;
  fresh->items.push_back(item);
  fresh->priority = base::SeededRandom(++priority_state_).Next();
  Update(*fresh);
  root_ = Insert(std::move(root_), std::move(fresh));
}

void RangeIndex::Remove(const WatchRange& range, RangeItem* item) {
  if (range.IsExact()) {
    const auto it = exact_.find(std::string_view(range.begin));
    CHECK(it != exact_.end()) << "key is not in the index";
    std::erase((*it)->items, item);
    if ((*it)->items.empty()) exact_.erase(it);
    return;
  }
  Node* node = FindNode(range);
  CHECK(node != nullptr) << "range is not in the index";
  std::erase(node->items, item);
  if (node->items.empty()) root_ = Erase(std::move(root_), range);
}

const std::vector<RangeItem*>* RangeIndex::Find(const WatchRange& range) const {
  if (range.IsExact()) {
    const auto it = exact_.find(std::string_view(range.begin));
    return it == exact_.end() ? nullptr : &(*it)->items;
  }
  const Node* node = FindNode(range);
  return node == nullptr ? nullptr : &node->items;
}

void RangeIndex::StabTree(const Node* node, std::string_view key,
                          absl::FunctionRef<void(RangeItem*)> each) {
  while (node != nullptr && !EndsAtOrBefore(node->furthest->range, key)) {
    StabTree(node->left.get(), key, each);
    if (node->range.begin > key) return;  // and so does everything to the right
    if (!EndsAtOrBefore(node->range, key)) {
      for (RangeItem* item : node->items) each(item);
    }
    node = node->right.get();
  }
}

void RangeIndex::Stab(std::string_view key, absl::FunctionRef<void(RangeItem*)> each) const {
  if (const auto it = exact_.find(key); it != exact_.end()) {
    for (RangeItem* item : (*it)->items) each(item);
  }
  StabTree(root_.get(), key, each);
}

}  // namespace etcd::watch
