#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "operator/kube/json.h"
#include "operator/kube/resource.h"

namespace etcd::kube {

// An object as the API server gave it. Immutable; copies share it, so that caches and workers may
// keep it as long as they like. metadata.managedFields is dropped: nobody reads it, it is often
// larger than the rest, and it must not be sent back.
class Object {
 public:
  Object() = default;  // no object
  // Errors: kBadAnswer when the JSON has no metadata.name.
  static absl::StatusOr<Object> Make(Json json);
  // Takes away what its reader has no use for. What tells objects apart stays: name, namespace,
  // uid, resourceVersion.
  using Trim = void (*)(Json& json);
  static absl::StatusOr<Object> Make(Json json, Trim trim);

  explicit operator bool() const { return rep_ != nullptr; }
  bool operator==(const Object& other) const { return rep_ == other.rep_; }

  // The rest demands that there is an object.
  const Json& json() const;
  const ObjectKey& key() const;
  const std::string& name() const { return key().name; }
  const std::string& ns() const { return key().ns; }
  std::string_view uid() const;
  // Opaque: fit for comparing for equality, nothing else.
  std::string_view resource_version() const;
  bool is_deleting() const;  // has a deletionTimestamp
  std::string_view label(std::string_view name) const;
  std::string_view annotation(std::string_view name) const;
  // uid of the ownerReference that has `controller: true`; empty when there is none.
  std::string_view controller_uid() const;

 private:
  struct Rep;
  explicit Object(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}

  std::shared_ptr<const Rep> rep_;
};

// uid of the controlling owner that a body (not yet an object) names; empty when there is none.
std::string_view ControllerUidOf(const Json& body);

}  // namespace etcd::kube
