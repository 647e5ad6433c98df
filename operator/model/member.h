// Generated from operator/api/member.yaml by operator/api/generate.py; do not edit.

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

// The volume of a member, as the cluster wanted it when the member was made.
struct MemberStorage {
  Quantity size = {};
  std::optional<std::string> class_name = {};
  AccessMode access_mode = AccessMode::kReadWriteOnce;
  Medium medium = Medium::kPersistent;
  UnknownFields unknown = {};
  bool operator==(const MemberStorage&) const = default;
};

// Written once, when the member is made.
struct EtcdMemberSpec {
  std::string cluster_name = {};
  int32_t slot = {};
  int64_t seq = {};
  bool bootstrap = false;
  MemberStorage storage;
  std::optional<Bootstrap> restore_from = {};
  bool dormant = false;
  int32_t replicas = 1;
  UnknownFields unknown = {};
  bool operator==(const EtcdMemberSpec&) const = default;
};

// How a container ended.
struct LastExit {
  std::optional<int32_t> code = {};
  std::optional<std::string> reason = {};
  std::optional<Time> at = {};
  UnknownFields unknown = {};
  bool operator==(const LastExit&) const = default;
};

// What the operator knows about the member.
struct EtcdMemberStatus {
  std::optional<MemberPhase> phase = {};
  std::optional<MemberRole> role = {};
  std::optional<std::string> member_id = {};
  std::optional<std::string> initial_cluster = {};
  std::optional<bool> joined_once = {};
  std::optional<std::string> pod_uid = {};
  std::optional<std::string> pod_name = {};
  std::optional<std::string> pvc_name = {};
  std::optional<std::string> pvc_uid = {};
  std::optional<std::string> node = {};
  std::optional<std::string> version = {};
  std::optional<std::string> image = {};
  std::optional<int32_t> restarts = {};
  std::optional<LastExit> last_exit = {};
  std::optional<int32_t> replicas = {};
  std::optional<std::string> selector = {};
  std::vector<Condition> conditions = {};
  UnknownFields unknown = {};
  bool operator==(const EtcdMemberStatus&) const = default;
};

// The operator's record of one member of an EtcdCluster. Only the operator writes it.
struct EtcdMember {
  static constexpr std::string_view kKind = "EtcdMember";
  static constexpr std::string_view kPlural = "etcdmembers";
  ObjectMeta metadata;
  EtcdMemberSpec spec;
  EtcdMemberStatus status;
  UnknownFields unknown = {};
  bool operator==(const EtcdMember&) const = default;
};
// Invalid argument with the path of the field that is not as the schema says.
absl::StatusOr<EtcdMember> ParseEtcdMember(const nlohmann::json& object);
nlohmann::json ToJson(const EtcdMember& object);
nlohmann::json ToJson(const EtcdMemberSpec& spec);
nlohmann::json ToJson(const EtcdMemberStatus& status);

}  // namespace etcd::model
