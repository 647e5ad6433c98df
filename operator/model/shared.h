// Generated from operator/api/shared.yaml by operator/api/generate.py; do not edit.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "operator/model/values.h"

namespace etcd::model {

// Who may mount a volume at a time.
enum class AccessMode { kReadWriteOnce, kReadWriteOncePod };
std::string_view ToText(AccessMode value);

// What holds a member's data.
enum class Medium { kPersistent, kMemory };
std::string_view ToText(Medium value);

// Whether a condition holds.
enum class ConditionStatus { kTrue, kFalse, kUnknown };
std::string_view ToText(ConditionStatus value);

// Where a member stands on its way.
enum class MemberPhase {
  kPending,
  kAnnounced,
  kStarting,
  kLearner,
  kVoter,
  kRemoving,
  kRemoved,
  kDormant,
  kFailed
};
std::string_view ToText(MemberPhase value);

// A member's part in the cluster.
enum class MemberRole { kVoter, kLearner, kStarting };
std::string_view ToText(MemberRole value);

// The part of Kubernetes' metadata that the operator reads.
struct ObjectMeta {
  std::string name = {};
  std::string namespace_ = {};
  std::string uid = {};
  std::string resource_version = {};
  int64_t generation = {};
  Time creation_timestamp = {};
  Time deletion_timestamp = {};
  std::map<std::string, std::string> labels = {};
  std::map<std::string, std::string> annotations = {};
  std::vector<std::string> finalizers = {};
  std::vector<JsonText> owner_references = {};
  UnknownFields unknown = {};
  bool operator==(const ObjectMeta&) const = default;
};

// One observed aspect of an object, in the form that all of Kubernetes uses.
struct Condition {
  std::string type = {};
  ConditionStatus status = {};
  std::optional<int64_t> observed_generation = {};
  Time last_transition_time = {};
  std::string reason = {};
  std::optional<std::string> message = {};
  UnknownFields unknown = {};
  bool operator==(const Condition&) const = default;
};

// An object in the same namespace, by name.
struct LocalReference {
  std::string name = {};
  UnknownFields unknown = {};
  bool operator==(const LocalReference&) const = default;
};

// One key of a Secret in the same namespace.
struct SecretKeyReference {
  std::string name = {};
  std::string key = "password";
  UnknownFields unknown = {};
  bool operator==(const SecretKeyReference&) const = default;
};

// A file or folder on a volume of the same namespace.
struct VolumePath {
  std::string claim_name = {};
  std::optional<std::string> path = {};
  UnknownFields unknown = {};
  bool operator==(const VolumePath&) const = default;
};

// One key of a ConfigMap or Secret.
struct KeyOfObject {
  std::string name = {};
  std::string key = "ca.crt";
  UnknownFields unknown = {};
  bool operator==(const KeyOfObject&) const = default;
};

// PEM certificates in a ConfigMap or Secret of the same namespace.
struct CaBundle {
  std::optional<KeyOfObject> config_map = {};
  std::optional<KeyOfObject> secret = {};
  UnknownFields unknown = {};
  bool operator==(const CaBundle&) const = default;
};

// A bucket of an S3-compatible object store.
struct S3Location {
  std::string endpoint = {};
  std::string bucket = {};
  std::optional<std::string> prefix = {};
  std::string region = "us-east-1";
  bool force_path_style = true;
  std::optional<CaBundle> ca_bundle = {};
  std::optional<LocalReference> credentials_secret_ref = {};
  std::optional<bool> web_identity = {};
  std::optional<bool> container_credentials = {};
  std::optional<std::string> storage_class = {};
  std::optional<JsonText> sse = {};
  std::optional<JsonText> object_lock = {};
  UnknownFields unknown = {};
  bool operator==(const S3Location&) const = default;
};

// One object in an S3-compatible store.
struct S3Object : S3Location {
  std::string key = {};
  bool operator==(const S3Object&) const = default;
};

// Where data comes from. Exactly one of the fields.
struct RestoreSource {
  std::optional<LocalReference> backup_ref = {};
  std::optional<S3Object> s3 = {};
  std::optional<VolumePath> pvc = {};
  UnknownFields unknown = {};
  bool operator==(const RestoreSource&) const = default;
};

// What a container asks for and may use at most.
struct ResourceRequirements {
  std::map<std::string, Quantity> requests = {};
  std::map<std::string, Quantity> limits = {};
  UnknownFields unknown = {};
  bool operator==(const ResourceRequirements&) const = default;
};

}  // namespace etcd::model
