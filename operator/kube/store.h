#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <vector>

#include "operator/kube/object.h"

namespace etcd::kube {

enum class ChangeType : std::uint8_t { kAdded, kUpdated, kDeleted };
struct Change {
  ChangeType type;
  Object before;  // none when added
  Object after;   // none when deleted
};

// The objects of one kind as a watch has told them. One thread writes (the informer's); any thread
// reads. What is read may be old: before an irreversible step the object is asked for again.
class Store {
 public:
  // The group that an object is found under, say its cluster; empty for none.
  using GroupOf = std::function<std::string(const Object&)>;

  explicit Store(GroupOf group_of = nullptr) : group_of_(std::move(group_of)) {}

  Object Get(const ObjectKey& key) const;  // no object when it is not there
  std::vector<Object> All() const;         // in the order of their keys
  std::vector<Object> Group(const std::string& group) const;
  std::size_t size() const;

  // All that exists; what is missing is reported as deleted, what has the resourceVersion that we
  // know is not reported.
  std::vector<Change> Replace(std::vector<Object> objects);
  std::optional<Change> Put(Object object);
  std::optional<Change> Remove(const ObjectKey& key);

 private:
  std::optional<Change> PutLocked(Object object);
  std::optional<Change> RemoveLocked(const ObjectKey& key);
  void Unindex(const Object& object);

  const GroupOf group_of_;
  mutable std::shared_mutex mu_;
  std::map<ObjectKey, Object> objects_;                // guarded by mu_
  std::map<std::string, std::set<ObjectKey>> groups_;  // guarded by mu_; no empty sets
};

}  // namespace etcd::kube
