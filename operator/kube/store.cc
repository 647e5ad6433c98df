#include "operator/kube/store.h"

#include <mutex>
#include <utility>

namespace etcd::kube {

Object Store::Get(const ObjectKey& key) const {
  const std::shared_lock lock(mu_);
  const auto found = objects_.find(key);
  return found == objects_.end() ? Object() : found->second;
}

std::vector<Object> Store::All() const {
  const std::shared_lock lock(mu_);
  std::vector<Object> all;
  all.reserve(objects_.size());
  for (const auto& [key, object] : objects_) all.push_back(object);
  return all;
}

std::vector<Object> Store::Group(const std::string& group) const {
  const std::shared_lock lock(mu_);
  std::vector<Object> found;
  const auto keys = groups_.find(group);
  if (keys == groups_.end()) return found;
  for (const ObjectKey& key : keys->second) found.push_back(objects_.at(key));
  return found;
}

std::size_t Store::size() const {
  const std::shared_lock lock(mu_);
  return objects_.size();
}

std::vector<Change> Store::Replace(std::vector<Object> objects) {
  const std::unique_lock lock(mu_);
  std::vector<Change> changes;
  std::set<ObjectKey> vanished;
  for (const auto& [key, object] : objects_) vanished.insert(key);
  for (Object& object : objects) {
    vanished.erase(object.key());
    std::optional<Change> change = PutLocked(std::move(object));
    if (change.has_value()) changes.push_back(*std::move(change));
  }
  for (const ObjectKey& key : vanished) changes.push_back(*RemoveLocked(key));
  return changes;
}

std::optional<Change> Store::Put(Object object) {
  const std::unique_lock lock(mu_);
  return PutLocked(std::move(object));
}

std::optional<Change> Store::Remove(const ObjectKey& key) {
  const std::unique_lock lock(mu_);
  return RemoveLocked(key);
}

std::optional<Change> Store::PutLocked(Object object) {
  Object& slot = objects_[object.key()];
  const Object before = slot;
  if (before && before.resource_version() == object.resource_version()) return std::nullopt;
  if (before) Unindex(before);
  slot = object;
  if (group_of_ != nullptr) {
    const std::string group = group_of_(object);
    if (!group.empty()) groups_[group].insert(object.key());
  }
  return Change{before ? ChangeType::kUpdated : ChangeType::kAdded, before, std::move(object)};
}

std::optional<Change> Store::RemoveLocked(const ObjectKey& key) {
  const auto found = objects_.find(key);
  if (found == objects_.end()) return std::nullopt;
  const Object before = found->second;
  Unindex(before);
  objects_.erase(found);
  return Change{ChangeType::kDeleted, before, Object()};
}

void Store::Unindex(const Object& object) {
  if (group_of_ == nullptr) return;
  const auto group = groups_.find(group_of_(object));
  if (group == groups_.end()) return;
  group->second.erase(object.key());
  if (group->second.empty()) groups_.erase(group);
}

}  // namespace etcd::kube
