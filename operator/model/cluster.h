// Generated from operator/api/cluster.yaml by operator/api/generate.py; do not edit.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <nlohmann/json_fwd.hpp>

#include "operator/model/cluster_later.h"
#include "operator/model/cluster_status.h"
#include "operator/model/pod.h"
#include "operator/model/shared.h"
#include "operator/model/values.h"

namespace etcd::model {

// When nodes fetch it.
enum class ImagePullPolicy { kAlways, kIfNotPresent, kNever };
std::string_view ToText(ImagePullPolicy value);

// A container image. A digest wins over a tag.
struct Image {
  std::optional<std::string> repository = {};
  std::optional<std::string> tag = {};
  std::optional<std::string> digest = {};
  ImagePullPolicy pull_policy = ImagePullPolicy::kIfNotPresent;
  std::vector<LocalReference> pull_secrets = {};
  UnknownFields unknown = {};
  bool operator==(const Image&) const = default;
};

// When the EtcdCluster is deleted.
enum class PvcRetentionWhenDeleted { kRetain, kDelete };
std::string_view ToText(PvcRetentionWhenDeleted value);

// When a member is removed. A retained volume is labelled and never used again.
enum class PvcRetentionWhenRemoved { kDelete, kRetain };
std::string_view ToText(PvcRetentionWhenRemoved value);

// What happens to volumes.
struct PvcRetention {
  PvcRetentionWhenDeleted when_deleted = PvcRetentionWhenDeleted::kRetain;
  PvcRetentionWhenRemoved when_removed = PvcRetentionWhenRemoved::kDelete;
  UnknownFields unknown = {};
  bool operator==(const PvcRetention&) const = default;
};

// The volume of each member.
struct Storage {
  Quantity size = "8Gi";
  std::optional<std::string> class_name = {};
  AccessMode access_mode = AccessMode::kReadWriteOnce;
  Medium medium = Medium::kPersistent;
  bool resize_in_use = true;
  PvcRetention pvc_retention;
  UnknownFields unknown = {};
  bool operator==(const Storage&) const = default;
};

// By time or by number of revisions.
enum class AutoCompactionMode { kPeriodic, kRevision };
std::string_view ToText(AutoCompactionMode value);

// How much history is kept.
struct AutoCompaction {
  AutoCompactionMode mode = AutoCompactionMode::kPeriodic;
  std::string retention = "1h";
  UnknownFields unknown = {};
  bool operator==(const AutoCompaction&) const = default;
};

// What is logged (info).
enum class EtcdSettingsLogLevel { kDebug, kInfo, kWarn, kError };
std::string_view ToText(EtcdSettingsLogLevel value);

// Settings of the server. What is left out has the server's default.
struct EtcdSettings {
  Quantity quota_backend_bytes = "2Gi";
  AutoCompaction auto_compaction;
  std::optional<int64_t> snapshot_count = {};
  std::optional<Duration> heartbeat_interval = {};
  std::optional<Duration> election_timeout = {};
  std::optional<Quantity> max_request_bytes = {};
  std::optional<int32_t> max_txn_ops = {};
  std::optional<EtcdSettingsLogLevel> log_level = {};
  std::map<std::string, std::string> extra_args = {};
  UnknownFields unknown = {};
  bool operator==(const EtcdSettings&) const = default;
};

// Who makes the certificates.
enum class TlsMode { kDisabled, kOperator, kCertManager, kSecret };
std::string_view ToText(TlsMode value);

// Whether clients must show a certificate.
enum class TlsClientAuth { kRequired, kNone };
std::string_view ToText(TlsClientAuth value);

// An issuer of cert-manager.
struct IssuerReference {
  std::string name = {};
  std::string kind = "Issuer";
  std::string group = "cert-manager.io";
  UnknownFields unknown = {};
  bool operator==(const IssuerReference&) const = default;
};

// Encryption of the client and peer ports.
struct Tls {
  TlsMode mode = TlsMode::kDisabled;
  std::optional<TlsClientAuth> client_auth = {};
  std::optional<IssuerReference> issuer_ref = {};
  std::optional<LocalReference> server_secret_ref = {};
  std::optional<LocalReference> peer_secret_ref = {};
  std::optional<LocalReference> operator_secret_ref = {};
  UnknownFields unknown = {};
  bool operator==(const Tls&) const = default;
};

// Users and passwords in etcd.
struct Auth {
  bool enabled = false;
  std::optional<SecretKeyReference> root_secret_ref = {};
  UnknownFields unknown = {};
  bool operator==(const Auth&) const = default;
};

// Whether two members may share a node.
enum class SchedulingAntiAffinity { kRequired, kPreferred, kNone };
std::string_view ToText(SchedulingAntiAffinity value);

// Where members run. A change holds for pods made after it.
struct Scheduling {
  SchedulingAntiAffinity anti_affinity = SchedulingAntiAffinity::kPreferred;
  std::vector<TopologySpread> topology_spread = {};
  std::optional<Affinity> affinity = {};
  std::map<std::string, std::string> node_selector = {};
  std::vector<Toleration> tolerations = {};
  std::optional<std::string> priority_class_name = {};
  std::optional<std::string> scheduler_name = {};
  std::optional<std::string> runtime_class_name = {};
  UnknownFields unknown = {};
  bool operator==(const Scheduling&) const = default;
};

// Additions to the members' pods. What the operator sets itself wins.
struct PodTemplate {
  std::map<std::string, std::string> labels = {};
  std::map<std::string, std::string> annotations = {};
  std::vector<EnvVar> env = {};
  std::optional<bool> safe_to_evict = {};
  int32_t termination_grace_period_seconds = 60;
  std::optional<JsonText> volumes = {};
  std::optional<JsonText> sidecars = {};
  std::optional<JsonText> overlay = {};
  UnknownFields unknown = {};
  bool operator==(const PodTemplate&) const = default;
};

// When a pod that is not Ready may be evicted.
enum class PodDisruptionBudgetUnhealthyPodEvictionPolicy { kIfHealthyBudget, kAlwaysAllow };
std::string_view ToText(PodDisruptionBudgetUnhealthyPodEvictionPolicy value);

// Protection from evictions, so that drains never take the quorum.
struct PodDisruptionBudget {
  bool enabled = true;
  bool block_single_member = false;
  PodDisruptionBudgetUnhealthyPodEvictionPolicy unhealthy_pod_eviction_policy =
      PodDisruptionBudgetUnhealthyPodEvictionPolicy::kIfHealthyBudget;
  UnknownFields unknown = {};
  bool operator==(const PodDisruptionBudget&) const = default;
};

// Kind of service.
enum class ClientServiceType { kClusterIP, kNodePort, kLoadBalancer };
std::string_view ToText(ClientServiceType value);

// Prefer members in the client's zone.
enum class ClientServiceTrafficDistribution { kPreferClose };
std::string_view ToText(ClientServiceTrafficDistribution value);

// Whether traffic from outside may change nodes.
enum class ClientServiceExternalTrafficPolicy { kCluster, kLocal };
std::string_view ToText(ClientServiceExternalTrafficPolicy value);

// The service over all members that vote.
struct ClientService {
  ClientServiceType type = ClientServiceType::kClusterIP;
  std::map<std::string, std::string> annotations = {};
  std::optional<ClientServiceTrafficDistribution> traffic_distribution = {};
  std::optional<std::string> load_balancer_class = {};
  std::vector<std::string> load_balancer_source_ranges = {};
  std::optional<ClientServiceExternalTrafficPolicy> external_traffic_policy = {};
  UnknownFields unknown = {};
  bool operator==(const ClientService&) const = default;
};

// Services for clients.
struct Services {
  ClientService client;
  bool per_member = true;
  UnknownFields unknown = {};
  bool operator==(const Services&) const = default;
};

// Data that the cluster starts with.
struct Bootstrap {
  RestoreSource from;
  int64_t bump_revision = 1000000000;
  bool mark_compacted = true;
  UnknownFields unknown = {};
  bool operator==(const Bootstrap&) const = default;
};

// Who may reach the members.
struct NetworkPolicySettings {
  bool enabled = false;
  std::vector<NetworkPolicyPeer> client_from = {};
  UnknownFields unknown = {};
  bool operator==(const NetworkPolicySettings&) const = default;
};

// What the cluster shall be. An empty spec is a cluster of three members.
struct EtcdClusterSpec {
  int32_t replicas = 3;
  std::optional<std::string> version = {};
  std::optional<Image> image = {};
  Storage storage;
  EtcdSettings etcd;
  Tls tls;
  Auth auth;
  ResourceRequirements resources;
  Scheduling scheduling;
  PodTemplate pod_template;
  PodDisruptionBudget pod_disruption_budget;
  Services service;
  std::optional<Update> update = {};
  std::optional<Healing> healing = {};
  std::optional<Maintenance> maintenance = {};
  std::optional<Bootstrap> bootstrap = {};
  std::optional<Monitoring> monitoring = {};
  std::optional<Tracing> tracing = {};
  NetworkPolicySettings network_policy;
  Duration progress_deadline = "10m";
  bool paused = false;
  UnknownFields unknown = {};
  bool operator==(const EtcdClusterSpec&) const = default;
};

// A cluster of etcd members.
struct EtcdCluster {
  static constexpr std::string_view kKind = "EtcdCluster";
  static constexpr std::string_view kPlural = "etcdclusters";
  ObjectMeta metadata;
  EtcdClusterSpec spec;
  EtcdClusterStatus status;
  UnknownFields unknown = {};
  bool operator==(const EtcdCluster&) const = default;
};
// Invalid argument with the path of the field that is not as the schema says.
absl::StatusOr<EtcdCluster> ParseEtcdCluster(const nlohmann::json& object);
nlohmann::json ToJson(const EtcdCluster& object);
nlohmann::json ToJson(const EtcdClusterSpec& spec);
nlohmann::json ToJson(const EtcdClusterStatus& status);

}  // namespace etcd::model
