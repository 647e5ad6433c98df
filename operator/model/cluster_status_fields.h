// Generated from operator/api/cluster_status.yaml by operator/api/generate.py; do not edit.

#pragma once

#include "operator/model/cluster_status.h"
#include "operator/model/codec.h"
#include "operator/model/shared_fields.h"

namespace etcd::model {

template <>
struct EnumNames<EtcdClusterStatusPhase> {
  static constexpr std::string_view kNames[] = {
      "Creating",   "Running",    "Scaling",    "Updating", "Healing", "Degraded",
      "QuorumLost", "Recovering", "Hibernated", "Paused",   "Failed",  "Deleting"};
};

template <>
struct Fields<MemberSummary> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("name", self.name);
    archive.Field("slot", self.slot);
    archive.Field("memberID", self.member_id);
    archive.Field("role", self.role);
    archive.Field("phase", self.phase);
    archive.Field("ready", self.ready);
    archive.Field("version", self.version);
    archive.Field("node", self.node);
    archive.Field("zone", self.zone);
    archive.Field("dbSize", self.db_size);
    archive.Field("dbSizeInUse", self.db_size_in_use);
    archive.Field("raftIndex", self.raft_index);
    archive.Field("raftAppliedIndex", self.raft_applied_index);
    archive.Field("alarms", self.alarms);
    archive.Field("podHash", self.pod_hash);
    archive.Field("lastTransitionTime", self.last_transition_time);
    archive.Field("message", self.message);
  }
};

template <>
struct Fields<Operation> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("type", self.type);
    archive.Field("member", self.member);
    archive.Field("step", self.step);
    archive.Field("startedAt", self.started_at);
    archive.Field("deadline", self.deadline);
    archive.Field("attempt", self.attempt);
  }
};

template <>
struct Fields<BackupSummary> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("lastSuccessTime", self.last_success_time);
    archive.Field("lastVerifiedTime", self.last_verified_time);
    archive.Field("lastBackup", self.last_backup);
    archive.Field("nextScheduleTime", self.next_schedule_time);
  }
};

template <>
struct Fields<CertificateSummary> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("serverNotAfter", self.server_not_after);
    archive.Field("peerNotAfter", self.peer_not_after);
    archive.Field("caNotAfter", self.ca_not_after);
    archive.Field("caRotationStage", self.ca_rotation_stage);
  }
};

template <>
struct Fields<EtcdClusterStatus> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("observedGeneration", self.observed_generation);
    archive.Field("phase", self.phase);
    archive.Field("clusterID", self.cluster_id);
    archive.Field("clusterToken", self.cluster_token);
    archive.Field("memberSeq", self.member_seq);
    archive.Field("replicas", self.replicas);
    archive.Field("readyReplicas", self.ready_replicas);
    archive.Field("voters", self.voters);
    archive.Field("learners", self.learners);
    archive.Field("selector", self.selector);
    archive.Field("leader", self.leader);
    archive.Field("currentVersion", self.current_version);
    archive.Field("targetVersion", self.target_version);
    archive.Field("clusterVersion", self.cluster_version);
    archive.Field("members", self.members);
    archive.Field("operation", self.operation);
    archive.Field("backup", self.backup);
    archive.Field("certificates", self.certificates);
    archive.Field("endpoints", self.endpoints);
    archive.Field("conditions", self.conditions);
  }
};

}  // namespace etcd::model
