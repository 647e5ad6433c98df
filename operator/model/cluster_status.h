// Generated from operator/api/cluster_status.yaml by operator/api/generate.py; do not edit.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "operator/model/shared.h"
#include "operator/model/values.h"

namespace etcd::model {

// One word, for display.
enum class EtcdClusterStatusPhase {
  kCreating,
  kRunning,
  kScaling,
  kUpdating,
  kHealing,
  kDegraded,
  kQuorumLost,
  kRecovering,
  kHibernated,
  kPaused,
  kFailed,
  kDeleting
};
std::string_view ToText(EtcdClusterStatusPhase value);

// One member as the operator last saw it.
struct MemberSummary {
  std::string name = {};
  std::optional<int32_t> slot = {};
  std::optional<std::string> member_id = {};
  std::optional<MemberRole> role = {};
  std::optional<MemberPhase> phase = {};
  std::optional<bool> ready = {};
  std::optional<std::string> version = {};
  std::optional<std::string> node = {};
  std::optional<std::string> zone = {};
  std::optional<int64_t> db_size = {};
  std::optional<int64_t> db_size_in_use = {};
  std::optional<int64_t> raft_index = {};
  std::optional<int64_t> raft_applied_index = {};
  std::vector<std::string> alarms = {};
  std::optional<std::string> pod_hash = {};
  std::optional<Time> last_transition_time = {};
  std::optional<std::string> message = {};
  UnknownFields unknown = {};
  bool operator==(const MemberSummary&) const = default;
};

// A step in flight.
struct Operation {
  std::optional<std::string> type = {};
  std::optional<std::string> member = {};
  std::optional<std::string> step = {};
  std::optional<Time> started_at = {};
  std::optional<Time> deadline = {};
  std::optional<int32_t> attempt = {};
  UnknownFields unknown = {};
  bool operator==(const Operation&) const = default;
};

// Backups of the cluster.
struct BackupSummary {
  std::optional<Time> last_success_time = {};
  std::optional<Time> last_verified_time = {};
  std::optional<std::string> last_backup = {};
  std::optional<Time> next_schedule_time = {};
  UnknownFields unknown = {};
  bool operator==(const BackupSummary&) const = default;
};

// Ends of certificates.
struct CertificateSummary {
  std::optional<Time> server_not_after = {};
  std::optional<Time> peer_not_after = {};
  std::optional<Time> ca_not_after = {};
  std::optional<std::string> ca_rotation_stage = {};
  UnknownFields unknown = {};
  bool operator==(const CertificateSummary&) const = default;
};

// What the operator last saw. Logic uses conditions; phase is for people.
struct EtcdClusterStatus {
  std::optional<int64_t> observed_generation = {};
  std::optional<EtcdClusterStatusPhase> phase = {};
  std::optional<std::string> cluster_id = {};
  std::optional<std::string> cluster_token = {};
  std::optional<int64_t> member_seq = {};
  std::optional<int32_t> replicas = {};
  std::optional<int32_t> ready_replicas = {};
  std::optional<int32_t> voters = {};
  std::optional<int32_t> learners = {};
  std::optional<std::string> selector = {};
  std::optional<std::string> leader = {};
  std::optional<std::string> current_version = {};
  std::optional<std::string> target_version = {};
  std::optional<std::string> cluster_version = {};
  std::vector<MemberSummary> members = {};
  std::optional<Operation> operation = {};
  std::optional<BackupSummary> backup = {};
  std::optional<CertificateSummary> certificates = {};
  std::vector<std::string> endpoints = {};
  std::vector<Condition> conditions = {};
  UnknownFields unknown = {};
  bool operator==(const EtcdClusterStatus&) const = default;
};

}  // namespace etcd::model
