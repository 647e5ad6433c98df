#include "operator/kube/object.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "operator/kube/api_error.h"
#include "server/base/check.h"

namespace etcd::kube {

struct Object::Rep {
  Json json;
  ObjectKey key;
};

absl::StatusOr<Object> Object::Make(Json json) { return Make(std::move(json), nullptr); }

absl::StatusOr<Object> Object::Make(Json json, Trim trim) {
  auto rep = std::make_shared<Rep>();
  rep->json = std::move(json);
  rep->key = {std::string(TextAt(rep->json, {"metadata", "namespace"})),
              std::string(TextAt(rep->json, {"metadata", "name"}))};
  if (rep->key.name.empty()) return ApiError(ApiErrc::kBadAnswer, "an object without a name");
  rep->json["metadata"].erase("managedFields");
  if (trim != nullptr) trim(rep->json);
  return Object(std::shared_ptr<const Rep>(std::move(rep)));
}

const Json& Object::json() const {
  CHECK(rep_ != nullptr) << "no object";
  return rep_->json;
}

const ObjectKey& Object::key() const {
  CHECK(rep_ != nullptr) << "no object";
  return rep_->key;
}

std::string_view Object::uid() const { return TextAt(json(), {"metadata", "uid"}); }

std::string_view Object::resource_version() const {
  return TextAt(json(), {"metadata", "resourceVersion"});
}

bool Object::is_deleting() const {
  return !TextAt(json(), {"metadata", "deletionTimestamp"}).empty();
}

std::string_view Object::label(std::string_view name) const {
  return TextAt(json(), {"metadata", "labels", name});
}

std::string_view Object::annotation(std::string_view name) const {
  return TextAt(json(), {"metadata", "annotations", name});
}

std::string_view Object::controller_uid() const { return ControllerUidOf(json()); }

std::string_view ControllerUidOf(const Json& body) {
  const Json* owners = Find(body, {"metadata", "ownerReferences"});
  if (owners == nullptr || !owners->is_array()) return {};
  for (const Json& owner : *owners) {
    if (BoolAt(owner, {"controller"})) return TextAt(owner, {"uid"});
  }
  return {};
}

}  // namespace etcd::kube
