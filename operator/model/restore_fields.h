// Generated from operator/api/restore.yaml by operator/api/generate.py; do not edit.

#pragma once

#include "operator/model/cluster_fields.h"
#include "operator/model/codec.h"
#include "operator/model/restore.h"
#include "operator/model/shared_fields.h"

namespace etcd::model {

template <>
struct Fields<ClusterTemplate> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("name", self.name);
    archive.Field("labels", self.labels);
    archive.Field("annotations", self.annotations);
    archive.Field("spec", self.spec);
  }
};

template <>
struct Fields<InPlaceTarget> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("clusterName", self.cluster_name);
    archive.Field("confirmClusterUID", self.confirm_cluster_uid);
  }
};

template <>
struct Fields<RestoreTarget> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("newCluster", self.new_cluster);
    archive.Field("inPlace", self.in_place);
  }
};

template <>
struct Fields<SurvivorSource> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("member", self.member);
  }
};

template <>
struct Fields<RestoreFrom> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("backupRef", self.backup_ref);
    archive.Field("s3", self.s3);
    archive.Field("pvc", self.pvc);
    archive.Field("survivor", self.survivor);
  }
};

template <>
struct Fields<EtcdRestoreSpec> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("target", self.target);
    archive.Field("source", self.source);
    archive.Field("bumpRevision", self.bump_revision);
    archive.Field("markCompacted", self.mark_compacted);
    archive.Field("keepOldVolumesFor", self.keep_old_volumes_for);
    archive.Field("verifyFirst", self.verify_first);
    archive.Field("timeout", self.timeout);
  }
};

template <>
struct EnumNames<EtcdRestoreStatusPhase> {
  static constexpr std::string_view kNames[] = {
      "Validating", "Stopping", "Restoring", "Bootstrapping", "Growing", "Completed", "Failed"};
};

template <>
struct Fields<RestoreStep> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("at", self.at);
    archive.Field("message", self.message);
  }
};

template <>
struct Fields<EtcdRestoreStatus> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("observedGeneration", self.observed_generation);
    archive.Field("target", self.target);
    archive.Field("type", self.type);
    archive.Field("phase", self.phase);
    archive.Field("steps", self.steps);
    archive.Field("oldVolumes", self.old_volumes);
    archive.Field("restoredRevision", self.restored_revision);
    archive.Field("startTime", self.start_time);
    archive.Field("completionTime", self.completion_time);
    archive.Field("message", self.message);
    archive.Field("conditions", self.conditions);
  }
};

}  // namespace etcd::model
