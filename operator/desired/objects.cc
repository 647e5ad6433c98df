#include "operator/desired/objects.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "operator/desired/kinds.h"
#include "operator/desired/urls.h"

namespace etcd::desired {
namespace {

Json Metadata(const model::EtcdCluster& cluster, const std::string& name, Json labels, Json owner) {
  Json metadata = {
      {"name", name}, {"namespace", cluster.metadata.namespace_}, {"labels", std::move(labels)}};
  if (!owner.is_null()) metadata["ownerReferences"] = Json::array({std::move(owner)});
  return metadata;
}

Json Object(const kube::Resource& resource, Json metadata) {
  return {{"apiVersion", kube::ApiVersionOf(resource)},
          {"kind", std::string(resource.kind)},
          {"metadata", std::move(metadata)}};
}

Json Owner(std::string_view kind, const model::ObjectMeta& meta) {
  return {{"apiVersion", std::string(model::kApiVersion)},
          {"kind", std::string(kind)},
          {"name", meta.name},
          {"uid", meta.uid},
          {"controller", true},
          {"blockOwnerDeletion", true}};
}

Json Port(const char* name, int port) {
  return {{"name", name}, {"port", port}, {"targetPort", name}, {"protocol", "TCP"}};
}

// A standing object of the cluster, still without its spec.
Wanted Standing(const model::EtcdCluster& cluster, const kube::Resource& resource,
                const std::string& name, std::string_view component) {
  return {resource, Object(resource, Metadata(cluster, name, ClusterLabels(cluster, component),
                                              OwnedBy(cluster)))};
}

Json Selector(const model::EtcdCluster& cluster) {
  return {{std::string(kClusterLabel), cluster.metadata.name}};
}

Wanted PeerServiceObject(const model::EtcdCluster& cluster) {
  Wanted service = Standing(cluster, kube::kServices, PeerService(cluster.metadata.name), "peer");
  // Members must find each other before they are ready, and the operator them without a quorum.
  service.body["spec"] = {
      {"clusterIP", "None"},
      {"publishNotReadyAddresses", true},
      {"selector", Selector(cluster)},
      {"ports", Json::array({Port("peer", kPeerPort), Port("client", kClientPort)})}};
  return service;
}

Wanted ClientServiceObject(const model::EtcdCluster& cluster) {
  Wanted service =
      Standing(cluster, kube::kServices, ClientService(cluster.metadata.name), "client");
  const model::ClientService& wanted = cluster.spec.service.client;
  Json selector = Selector(cluster);
  selector[std::string(kRoleLabel)] = kVoterRole;
  Json& spec = service.body["spec"];
  spec = {{"type", std::string(ToText(wanted.type))},
          {"selector", selector},
          {"ports", Json::array({Port("client", kClientPort)})}};
  if (wanted.traffic_distribution.has_value()) {
    spec["trafficDistribution"] = std::string(ToText(*wanted.traffic_distribution));
  }
  if (wanted.load_balancer_class.has_value()) {
    spec["loadBalancerClass"] = *wanted.load_balancer_class;
  }
  if (!wanted.load_balancer_source_ranges.empty()) {
    spec["loadBalancerSourceRanges"] = wanted.load_balancer_source_ranges;
  }
  if (wanted.external_traffic_policy.has_value()) {
    spec["externalTrafficPolicy"] = std::string(ToText(*wanted.external_traffic_policy));
  }
  if (!wanted.annotations.empty()) service.body["metadata"]["annotations"] = wanted.annotations;
  return service;
}

Wanted SlotServiceObject(const model::EtcdCluster& cluster, int slot) {
  Wanted service =
      Standing(cluster, kube::kServices, SlotService(cluster.metadata.name, slot), "client");
  Json selector = Selector(cluster);
  selector[std::string(kSlotLabel)] = std::to_string(slot);
  service.body["spec"] = {{"type", "ClusterIP"},
                          {"selector", selector},
                          {"ports", Json::array({Port("client", kClientPort)})}};
  return service;
}

Wanted Account(const model::EtcdCluster& cluster) {
  Wanted account =
      Standing(cluster, kube::kServiceAccounts, ServiceAccount(cluster.metadata.name), "member");
  account.body["automountServiceAccountToken"] = false;
  return account;
}

// Peers of the client port: the members, the operator, workers of backups in this namespace, and
// whom the spec names.
Json ClientPeers(const model::EtcdCluster& cluster, const Settings& settings) {
  const Json managed = {{"app.kubernetes.io/name", std::string(model::kManager)}};
  Json operators = {{"podSelector", {{"matchLabels", managed}}},
                    {"namespaceSelector", Json::object()}};
  if (!settings.operator_namespace.empty()) {
    operators["namespaceSelector"]["matchLabels"] = {
        {"kubernetes.io/metadata.name", settings.operator_namespace}};
  }
  Json workers = {{"podSelector", {{"matchLabels", managed}}}};
  workers["podSelector"]["matchLabels"]["app.kubernetes.io/component"] = "backup";
  Json peers = Json::array({{{"podSelector", {{"matchLabels", Selector(cluster)}}}},
                            std::move(operators),
                            std::move(workers)});
  const Json spec = ToJson(cluster.spec);
  const Json* from = kube::Find(spec, {"networkPolicy", "clientFrom"});
  const Json whole_namespace = Json::array({{{"podSelector", Json::object()}}});
  const Json& named = from != nullptr && !from->empty() ? *from : whole_namespace;
  peers.insert(peers.end(), named.begin(), named.end());
  return peers;
}

Json PortRule(std::string_view protocol, int port) {
  return {{"protocol", std::string(protocol)}, {"port", port}};
}

// The seed's restore worker fetches its data, until the cluster has its first member. Neither
// addresses nor ports of a store are known: policies judge behind the store's Service.
bool FetchesData(const model::EtcdCluster& cluster) {
  const bool is_latched = !cluster.status.cluster_id.value_or("").empty();
  return !is_latched && cluster.spec.bootstrap.has_value() &&
         !cluster.spec.bootstrap->from.pvc.has_value();
}

// operator-spec 13.4. Who scrapes is not known here: the metrics port is open, it tells no secret.
Wanted Network(const model::EtcdCluster& cluster, const Settings& settings) {
  Wanted policy = Standing(cluster, kube::kNetworkPolicies, cluster.metadata.name, "member");
  const Json own = {{"podSelector", {{"matchLabels", Selector(cluster)}}}};
  const auto tcp = [](int port) { return PortRule("TCP", port); };
  Json egress = Json::array(
      {{{"ports", Json::array({PortRule("UDP", 53), tcp(53)})}},
       {{"to", Json::array({own})}, {"ports", Json::array({tcp(kPeerPort), tcp(kClientPort)})}}});
  if (FetchesData(cluster)) egress.push_back({{"ports", Json::array({{{"protocol", "TCP"}}})}});
  policy.body["spec"] = {
      {"podSelector", {{"matchLabels", Selector(cluster)}}},
      {"policyTypes", {"Ingress", "Egress"}},
      {"ingress",
       Json::array(
           {{{"from", Json::array({own})}, {"ports", Json::array({tcp(kPeerPort)})}},
            {{"from", ClientPeers(cluster, settings)}, {"ports", Json::array({tcp(kClientPort)})}},
            {{"ports", Json::array({tcp(kMetricsPort)})}}})},
      {"egress", std::move(egress)}};
  return policy;
}

}  // namespace

Json ClusterLabels(const model::EtcdCluster& cluster, std::string_view component) {
  return {{"app.kubernetes.io/name", "etcd"},
          {"app.kubernetes.io/instance", cluster.metadata.name},
          {"app.kubernetes.io/managed-by", std::string(model::kManager)},
          {"app.kubernetes.io/component", std::string(component)},
          {std::string(kClusterLabel), cluster.metadata.name}};
}

Json MemberLabels(const model::EtcdCluster& cluster, const model::EtcdMember& member) {
  Json labels = ClusterLabels(cluster, "member");
  labels[std::string(kMemberLabel)] = member.metadata.name;
  labels[std::string(kSlotLabel)] = std::to_string(member.spec.slot);
  labels[std::string(kSeqLabel)] = std::to_string(member.spec.seq);
  return labels;
}

Json OwnedBy(const model::EtcdCluster& cluster) {
  return Owner(model::EtcdCluster::kKind, cluster.metadata);
}
Json OwnedBy(const model::EtcdMember& member) {
  return Owner(model::EtcdMember::kKind, member.metadata);
}

Json MemberBody(const model::EtcdCluster& cluster, const std::string& name, int slot,
                std::int64_t seq, bool is_bootstrap) {
  model::EtcdMember member;
  member.metadata.name = name;
  member.spec.cluster_name = cluster.metadata.name;
  member.spec.slot = slot;
  member.spec.seq = seq;
  member.spec.bootstrap = is_bootstrap;
  const model::Storage& storage = cluster.spec.storage;
  member.spec.storage = {.size = storage.size,
                         .class_name = storage.class_name,
                         .access_mode = storage.access_mode,
                         .medium = storage.medium};
  if (is_bootstrap) member.spec.restore_from = cluster.spec.bootstrap;
  Json body =
      Object(kMembers, Metadata(cluster, name, MemberLabels(cluster, member), OwnedBy(cluster)));
  body["metadata"]["finalizers"] = {std::string(kMemberFinalizer)};
  body["spec"] = ToJson(member.spec);
  return body;
}

Json VolumeClaimBody(const model::EtcdCluster& cluster, const model::EtcdMember& member) {
  Json body = Object(kube::kVolumeClaims, Metadata(cluster, VolumeClaim(member.metadata.name),
                                                   MemberLabels(cluster, member), nullptr));
  body["metadata"]["annotations"] = {{std::string(kClusterUidAnnotation), cluster.metadata.uid}};
  const model::MemberStorage& storage = member.spec.storage;
  body["spec"] = {{"accessModes", {std::string(ToText(storage.access_mode))}},
                  {"resources", {{"requests", {{"storage", storage.size}}}}}};
  if (storage.class_name.has_value()) body["spec"]["storageClassName"] = *storage.class_name;
  return body;
}

std::vector<Wanted> StandingObjects(const model::EtcdCluster& cluster, const Settings& settings) {
  std::vector<Wanted> objects;
  objects.push_back(Account(cluster));
  objects.push_back(PeerServiceObject(cluster));
  objects.push_back(ClientServiceObject(cluster));
  if (cluster.spec.service.per_member) {
    for (int slot = 0; slot < cluster.spec.replicas; ++slot) {
      objects.push_back(SlotServiceObject(cluster, slot));
    }
  }
  if (cluster.spec.network_policy.enabled) objects.push_back(Network(cluster, settings));
  return objects;
}

std::optional<Json> DisruptionBudget(const model::EtcdCluster& cluster, int voters) {
  const model::PodDisruptionBudget& wanted = cluster.spec.pod_disruption_budget;
  // Raised before the cluster grows, lowered only after a removal is done.
  const int members = std::max(voters, cluster.spec.replicas);
  if (!wanted.enabled || voters == 0) return std::nullopt;
  if (members == 1 && !wanted.block_single_member) return std::nullopt;
  Wanted budget = Standing(cluster, kube::kDisruptionBudgets, cluster.metadata.name, "member");
  Json selector = Selector(cluster);
  selector[std::string(kRoleLabel)] = kVoterRole;
  // An integer: percentages need a scale that bare pods do not have.
  budget.body["spec"] = {
      {"minAvailable", members / 2 + 1},
      {"selector", {{"matchLabels", selector}}},
      {"unhealthyPodEvictionPolicy", std::string(ToText(wanted.unhealthy_pod_eviction_policy))}};
  return budget.body;
}

}  // namespace etcd::desired
