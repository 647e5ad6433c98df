// Generated from operator/api/cluster.yaml by operator/api/generate.py; do not edit.

#pragma once

#include "operator/model/cluster.h"
#include "operator/model/cluster_later_fields.h"
#include "operator/model/cluster_status_fields.h"
#include "operator/model/codec.h"
#include "operator/model/pod_fields.h"
#include "operator/model/shared_fields.h"

namespace etcd::model {

template <>
struct EnumNames<ImagePullPolicy> {
  static constexpr std::string_view kNames[] = {"Always", "IfNotPresent", "Never"};
};

template <>
struct Fields<Image> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("repository", self.repository);
    archive.Field("tag", self.tag);
    archive.Field("digest", self.digest);
    archive.Field("pullPolicy", self.pull_policy);
    archive.Field("pullSecrets", self.pull_secrets);
  }
};

template <>
struct EnumNames<PvcRetentionWhenDeleted> {
  static constexpr std::string_view kNames[] = {"Retain", "Delete"};
};

template <>
struct EnumNames<PvcRetentionWhenRemoved> {
  static constexpr std::string_view kNames[] = {"Delete", "Retain"};
};

template <>
struct Fields<PvcRetention> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("whenDeleted", self.when_deleted);
    archive.Field("whenRemoved", self.when_removed);
  }
};

template <>
struct Fields<Storage> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("size", self.size);
    archive.Field("className", self.class_name);
    archive.Field("accessMode", self.access_mode);
    archive.Field("medium", self.medium);
    archive.Field("resizeInUse", self.resize_in_use);
    archive.Field("pvcRetention", self.pvc_retention);
  }
};

template <>
struct EnumNames<AutoCompactionMode> {
  static constexpr std::string_view kNames[] = {"periodic", "revision"};
};

template <>
struct Fields<AutoCompaction> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("mode", self.mode);
    archive.Field("retention", self.retention);
  }
};

template <>
struct EnumNames<EtcdSettingsLogLevel> {
  static constexpr std::string_view kNames[] = {"debug", "info", "warn", "error"};
};

template <>
struct Fields<EtcdSettings> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("quotaBackendBytes", self.quota_backend_bytes);
    archive.Field("autoCompaction", self.auto_compaction);
    archive.Field("snapshotCount", self.snapshot_count);
    archive.Field("heartbeatInterval", self.heartbeat_interval);
    archive.Field("electionTimeout", self.election_timeout);
    archive.Field("maxRequestBytes", self.max_request_bytes);
    archive.Field("maxTxnOps", self.max_txn_ops);
    archive.Field("logLevel", self.log_level);
    archive.Field("extraArgs", self.extra_args);
  }
};

template <>
struct EnumNames<TlsMode> {
  static constexpr std::string_view kNames[] = {"Disabled", "Operator", "CertManager", "Secret"};
};

template <>
struct EnumNames<TlsClientAuth> {
  static constexpr std::string_view kNames[] = {"Required", "None"};
};

template <>
struct Fields<IssuerReference> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("name", self.name);
    archive.Field("kind", self.kind);
    archive.Field("group", self.group);
  }
};

template <>
struct Fields<Tls> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("mode", self.mode);
    archive.Field("clientAuth", self.client_auth);
    archive.Field("issuerRef", self.issuer_ref);
    archive.Field("serverSecretRef", self.server_secret_ref);
    archive.Field("peerSecretRef", self.peer_secret_ref);
    archive.Field("operatorSecretRef", self.operator_secret_ref);
  }
};

template <>
struct Fields<Auth> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("enabled", self.enabled);
    archive.Field("rootSecretRef", self.root_secret_ref);
  }
};

template <>
struct EnumNames<SchedulingAntiAffinity> {
  static constexpr std::string_view kNames[] = {"Required", "Preferred", "None"};
};

template <>
struct Fields<Scheduling> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("antiAffinity", self.anti_affinity);
    archive.Field("topologySpread", self.topology_spread);
    archive.Field("affinity", self.affinity);
    archive.Field("nodeSelector", self.node_selector);
    archive.Field("tolerations", self.tolerations);
    archive.Field("priorityClassName", self.priority_class_name);
    archive.Field("schedulerName", self.scheduler_name);
    archive.Field("runtimeClassName", self.runtime_class_name);
  }
};

template <>
struct Fields<PodTemplate> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("labels", self.labels);
    archive.Field("annotations", self.annotations);
    archive.Field("env", self.env);
    archive.Field("safeToEvict", self.safe_to_evict);
    archive.Field("terminationGracePeriodSeconds", self.termination_grace_period_seconds);
    archive.Field("volumes", self.volumes);
    archive.Field("sidecars", self.sidecars);
    archive.Field("overlay", self.overlay);
  }
};

template <>
struct EnumNames<PodDisruptionBudgetUnhealthyPodEvictionPolicy> {
  static constexpr std::string_view kNames[] = {"IfHealthyBudget", "AlwaysAllow"};
};

template <>
struct Fields<PodDisruptionBudget> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("enabled", self.enabled);
    archive.Field("blockSingleMember", self.block_single_member);
    archive.Field("unhealthyPodEvictionPolicy", self.unhealthy_pod_eviction_policy);
  }
};

template <>
struct EnumNames<ClientServiceType> {
  static constexpr std::string_view kNames[] = {"ClusterIP", "NodePort", "LoadBalancer"};
};

template <>
struct EnumNames<ClientServiceTrafficDistribution> {
  static constexpr std::string_view kNames[] = {"PreferClose"};
};

template <>
struct EnumNames<ClientServiceExternalTrafficPolicy> {
  static constexpr std::string_view kNames[] = {"Cluster", "Local"};
};

template <>
struct Fields<ClientService> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("type", self.type);
    archive.Field("annotations", self.annotations);
    archive.Field("trafficDistribution", self.traffic_distribution);
    archive.Field("loadBalancerClass", self.load_balancer_class);
    archive.Field("loadBalancerSourceRanges", self.load_balancer_source_ranges);
    archive.Field("externalTrafficPolicy", self.external_traffic_policy);
  }
};

template <>
struct Fields<Services> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("client", self.client);
    archive.Field("perMember", self.per_member);
  }
};

template <>
struct Fields<Bootstrap> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("from", self.from);
    archive.Field("bumpRevision", self.bump_revision);
    archive.Field("markCompacted", self.mark_compacted);
  }
};

template <>
struct Fields<NetworkPolicySettings> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("enabled", self.enabled);
    archive.Field("clientFrom", self.client_from);
  }
};

template <>
struct Fields<EtcdClusterSpec> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("replicas", self.replicas);
    archive.Field("version", self.version);
    archive.Field("image", self.image);
    archive.Field("storage", self.storage);
    archive.Field("etcd", self.etcd);
    archive.Field("tls", self.tls);
    archive.Field("auth", self.auth);
    archive.Field("resources", self.resources);
    archive.Field("scheduling", self.scheduling);
    archive.Field("podTemplate", self.pod_template);
    archive.Field("podDisruptionBudget", self.pod_disruption_budget);
    archive.Field("service", self.service);
    archive.Field("update", self.update);
    archive.Field("healing", self.healing);
    archive.Field("maintenance", self.maintenance);
    archive.Field("bootstrap", self.bootstrap);
    archive.Field("monitoring", self.monitoring);
    archive.Field("tracing", self.tracing);
    archive.Field("networkPolicy", self.network_policy);
    archive.Field("progressDeadline", self.progress_deadline);
    archive.Field("paused", self.paused);
  }
};

}  // namespace etcd::model
