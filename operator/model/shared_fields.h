// Generated from operator/api/shared.yaml by operator/api/generate.py; do not edit.

#pragma once

#include "operator/model/codec.h"
#include "operator/model/shared.h"

namespace etcd::model {

template <>
struct EnumNames<AccessMode> {
  static constexpr std::string_view kNames[] = {"ReadWriteOnce", "ReadWriteOncePod"};
};

template <>
struct EnumNames<Medium> {
  static constexpr std::string_view kNames[] = {"Persistent", "Memory"};
};

template <>
struct EnumNames<ConditionStatus> {
  static constexpr std::string_view kNames[] = {"True", "False", "Unknown"};
};

template <>
struct EnumNames<MemberPhase> {
  static constexpr std::string_view kNames[] = {"Pending", "Announced", "Starting",
                                                "Learner", "Voter",     "Removing",
                                                "Removed", "Dormant",   "Failed"};
};

template <>
struct EnumNames<MemberRole> {
  static constexpr std::string_view kNames[] = {"Voter", "Learner", "Starting"};
};

template <>
struct Fields<ObjectMeta> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("name", self.name);
    archive.Field("namespace", self.namespace_);
    archive.Field("uid", self.uid);
    archive.Field("resourceVersion", self.resource_version);
    archive.Field("generation", self.generation);
    archive.Field("creationTimestamp", self.creation_timestamp);
    archive.Field("deletionTimestamp", self.deletion_timestamp);
    archive.Field("labels", self.labels);
    archive.Field("annotations", self.annotations);
    archive.Field("finalizers", self.finalizers);
    archive.Field("ownerReferences", self.owner_references);
  }
};

template <>
struct Fields<Condition> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("type", self.type);
    archive.Field("status", self.status);
    archive.Field("observedGeneration", self.observed_generation);
    archive.Field("lastTransitionTime", self.last_transition_time);
    archive.Field("reason", self.reason);
    archive.Field("message", self.message);
  }
};

template <>
struct Fields<LocalReference> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("name", self.name);
  }
};

template <>
struct Fields<SecretKeyReference> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("name", self.name);
    archive.Field("key", self.key);
  }
};

template <>
struct Fields<VolumePath> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("claimName", self.claim_name);
    archive.Field("path", self.path);
  }
};

template <>
struct Fields<KeyOfObject> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("name", self.name);
    archive.Field("key", self.key);
  }
};

template <>
struct Fields<CaBundle> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("configMap", self.config_map);
    archive.Field("secret", self.secret);
  }
};

template <>
struct Fields<S3Location> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("endpoint", self.endpoint);
    archive.Field("bucket", self.bucket);
    archive.Field("prefix", self.prefix);
    archive.Field("region", self.region);
    archive.Field("forcePathStyle", self.force_path_style);
    archive.Field("caBundle", self.ca_bundle);
    archive.Field("credentialsSecretRef", self.credentials_secret_ref);
    archive.Field("webIdentity", self.web_identity);
    archive.Field("containerCredentials", self.container_credentials);
    archive.Field("storageClass", self.storage_class);
    archive.Field("sse", self.sse);
    archive.Field("objectLock", self.object_lock);
  }
};

template <>
struct Fields<S3Object> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    Fields<S3Location>::Visit(archive, self);
    archive.Field("key", self.key);
  }
};

template <>
struct Fields<RestoreSource> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("backupRef", self.backup_ref);
    archive.Field("s3", self.s3);
    archive.Field("pvc", self.pvc);
  }
};

template <>
struct Fields<ResourceRequirements> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("requests", self.requests);
    archive.Field("limits", self.limits);
  }
};

}  // namespace etcd::model
