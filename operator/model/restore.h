// Generated from operator/api/restore.yaml by operator/api/generate.py; do not edit.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <nlohmann/json_fwd.hpp>

#include "operator/model/cluster.h"
#include "operator/model/shared.h"
#include "operator/model/values.h"

namespace etcd::model {

// The cluster that is made.
struct ClusterTemplate {
  std::string name = {};
  std::map<std::string, std::string> labels = {};
  std::map<std::string, std::string> annotations = {};
  EtcdClusterSpec spec;
  UnknownFields unknown = {};
  bool operator==(const ClusterTemplate&) const = default;
};

// A cluster that exists.
struct InPlaceTarget {
  std::string cluster_name = {};
  std::string confirm_cluster_uid = {};
  UnknownFields unknown = {};
  bool operator==(const InPlaceTarget&) const = default;
};

// What becomes of the data. Exactly one of the fields.
struct RestoreTarget {
  std::optional<ClusterTemplate> new_cluster = {};
  std::optional<InPlaceTarget> in_place = {};
  UnknownFields unknown = {};
  bool operator==(const RestoreTarget&) const = default;
};

// The volume of a member that is left.
struct SurvivorSource {
  std::string member = "Auto";
  UnknownFields unknown = {};
  bool operator==(const SurvivorSource&) const = default;
};

// Where data comes from. Exactly one of the fields.
struct RestoreFrom {
  std::optional<LocalReference> backup_ref = {};
  std::optional<S3Object> s3 = {};
  std::optional<VolumePath> pvc = {};
  std::optional<SurvivorSource> survivor = {};
  UnknownFields unknown = {};
  bool operator==(const RestoreFrom&) const = default;
};

// What to restore, and into what. It cannot be changed; make another one.
struct EtcdRestoreSpec {
  RestoreTarget target;
  RestoreFrom source;
  int64_t bump_revision = 1000000000;
  bool mark_compacted = true;
  Duration keep_old_volumes_for = "168h";
  bool verify_first = true;
  Duration timeout = "1h";
  UnknownFields unknown = {};
  bool operator==(const EtcdRestoreSpec&) const = default;
};

// Where it stands.
enum class EtcdRestoreStatusPhase {
  kValidating,
  kStopping,
  kRestoring,
  kBootstrapping,
  kGrowing,
  kCompleted,
  kFailed
};
std::string_view ToText(EtcdRestoreStatusPhase value);

// One thing that was done.
struct RestoreStep {
  Time at = {};
  std::string message = {};
  UnknownFields unknown = {};
  bool operator==(const RestoreStep&) const = default;
};

// How the restore goes.
struct EtcdRestoreStatus {
  std::optional<int64_t> observed_generation = {};
  std::optional<std::string> target = {};
  std::optional<std::string> type = {};
  std::optional<EtcdRestoreStatusPhase> phase = {};
  std::vector<RestoreStep> steps = {};
  std::vector<std::string> old_volumes = {};
  std::optional<int64_t> restored_revision = {};
  std::optional<Time> start_time = {};
  std::optional<Time> completion_time = {};
  std::optional<std::string> message = {};
  std::vector<Condition> conditions = {};
  UnknownFields unknown = {};
  bool operator==(const EtcdRestoreStatus&) const = default;
};

// Brings a backup back into a new cluster.
struct EtcdRestore {
  static constexpr std::string_view kKind = "EtcdRestore";
  static constexpr std::string_view kPlural = "etcdrestores";
  ObjectMeta metadata;
  EtcdRestoreSpec spec;
  EtcdRestoreStatus status;
  UnknownFields unknown = {};
  bool operator==(const EtcdRestore&) const = default;
};
// Invalid argument with the path of the field that is not as the schema says.
absl::StatusOr<EtcdRestore> ParseEtcdRestore(const nlohmann::json& object);
nlohmann::json ToJson(const EtcdRestore& object);
nlohmann::json ToJson(const EtcdRestoreSpec& spec);
nlohmann::json ToJson(const EtcdRestoreStatus& status);

}  // namespace etcd::model
