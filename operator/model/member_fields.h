// Generated from operator/api/member.yaml by operator/api/generate.py; do not edit.

#pragma once

#include "operator/model/cluster_fields.h"
#include "operator/model/codec.h"
#include "operator/model/member.h"
#include "operator/model/shared_fields.h"

namespace etcd::model {

template <>
struct Fields<MemberStorage> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("size", self.size);
    archive.Field("className", self.class_name);
    archive.Field("accessMode", self.access_mode);
    archive.Field("medium", self.medium);
  }
};

template <>
struct Fields<EtcdMemberSpec> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("clusterName", self.cluster_name);
    archive.Field("slot", self.slot);
    archive.Field("seq", self.seq);
    archive.Field("bootstrap", self.bootstrap);
    archive.Field("storage", self.storage);
    archive.Field("restoreFrom", self.restore_from);
    archive.Field("dormant", self.dormant);
    archive.Field("replicas", self.replicas);
  }
};

template <>
struct Fields<LastExit> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("code", self.code);
    archive.Field("reason", self.reason);
    archive.Field("at", self.at);
  }
};

template <>
struct Fields<EtcdMemberStatus> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("phase", self.phase);
    archive.Field("role", self.role);
    archive.Field("memberID", self.member_id);
    archive.Field("initialCluster", self.initial_cluster);
    archive.Field("joinedOnce", self.joined_once);
    archive.Field("podUID", self.pod_uid);
    archive.Field("podName", self.pod_name);
    archive.Field("pvcName", self.pvc_name);
    archive.Field("pvcUID", self.pvc_uid);
    archive.Field("node", self.node);
    archive.Field("version", self.version);
    archive.Field("image", self.image);
    archive.Field("restarts", self.restarts);
    archive.Field("lastExit", self.last_exit);
    archive.Field("replicas", self.replicas);
    archive.Field("selector", self.selector);
    archive.Field("conditions", self.conditions);
  }
};

}  // namespace etcd::model
