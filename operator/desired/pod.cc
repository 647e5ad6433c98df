#include "operator/desired/pod.h"

#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include "operator/desired/image.h"
#include "operator/desired/kinds.h"
#include "operator/desired/objects.h"
#include "operator/desired/urls.h"
#include "server/base/check.h"

namespace etcd::desired {
namespace {

// Changes when a release renders other pods from the same spec.
constexpr int kTemplateVersion = 1;

Json PodSecurity() {
  return {{"runAsNonRoot", true},
          {"runAsUser", kUser},
          {"runAsGroup", kUser},
          {"fsGroup", kUser},
          {"fsGroupChangePolicy", "OnRootMismatch"},
          {"seccompProfile", {{"type", "RuntimeDefault"}}}};
}

Json ContainerSecurity() {
  return {{"allowPrivilegeEscalation", false},
          {"readOnlyRootFilesystem", true},
          {"capabilities", {{"drop", {"ALL"}}}}};
}

Json Mounts() {
  return Json::array({{{"name", "data"}, {"mountPath", std::string(kDataMount)}},
                      {{"name", "tmp"}, {"mountPath", "/tmp"}}});
}

Json Probe(const char* path, int period_s, int timeout_s, int failures) {
  return {{"httpGet", {{"path", path}, {"port", "metrics"}, {"scheme", "HTTP"}}},
          {"periodSeconds", period_s},
          {"timeoutSeconds", timeout_s},
          {"failureThreshold", failures}};
}

Json Server(const PodInput& input, const Settings& settings, const Json& spec) {
  Json container = {
      {"name", std::string(kServerContainer)},
      {"image",
       input.image.empty() ? ServerImage(input.cluster.spec, settings.server_image) : input.image},
      {"imagePullPolicy",
       std::string(ToText(input.cluster.spec.image.value_or(model::Image{}).pull_policy))},
      {"command", {"/usr/local/bin/etcd"}},
      {"args", ServerArguments(input, settings)},
      {"ports", Json::array({{{"name", "client"}, {"containerPort", kClientPort}},
                             {{"name", "peer"}, {"containerPort", kPeerPort}},
                             {{"name", "metrics"}, {"containerPort", kMetricsPort}}})},
      // An hour for a large log: the port opens once the data is loaded. Short periods, because
      // nothing is Ready before the first success, and a learner becomes Ready at the first probe
      // after its promotion.
      {"startupProbe", Probe("/livez", 1, 5, 3600)},
      // Local reads only: a member must not be restarted for a lost quorum.
      {"livenessProbe", Probe("/livez", 10, 15, 8)},
      {"readinessProbe", Probe("/readyz", 2, 5, 8)},
      {"terminationMessagePolicy", "FallbackToLogsOnError"},
      {"securityContext", ContainerSecurity()},
      {"volumeMounts", Mounts()}};
  if (const Json* resources = kube::Find(spec, {"resources"})) container["resources"] = *resources;
  if (const Json* env = kube::Find(spec, {"podTemplate", "env"})) container["env"] = *env;
  // Endpoints are withdrawn before the server stops.
  if (settings.has_sleep_action)
    container["lifecycle"] = {{"preStop", {{"sleep", {{"seconds", 5}}}}}};
  return container;
}

// Keeps a server from starting on a volume that has lost its data: it would take its old id and
// forget what it has promised (operator-spec 8.2).
Json Guard(const Settings& settings) {
  return {{"name", std::string(kGuardContainer)},
          {"image", settings.operator_image},
          {"imagePullPolicy", "IfNotPresent"},
          {"command", {"/usr/local/bin/etcd-operator"}},
          {"args", {"data-guard", fmt::format("--data-dir={}", kDataDir)}},
          {"resources",
           {{"requests", {{"cpu", "10m"}, {"memory", "16Mi"}}}, {"limits", {{"memory", "64Mi"}}}}},
          {"securityContext", ContainerSecurity()},
          {"volumeMounts", Mounts()}};
}

void AddAntiAffinity(const PodInput& input, Json& affinity) {
  const model::SchedulingAntiAffinity wanted = input.cluster.spec.scheduling.anti_affinity;
  if (wanted == model::SchedulingAntiAffinity::kNone) return;
  const Json term = {
      {"topologyKey", "kubernetes.io/hostname"},
      {"labelSelector",
       {{"matchLabels", {{std::string(kClusterLabel), input.cluster.metadata.name}}}}}};
  Json& own = affinity["podAntiAffinity"];
  if (wanted == model::SchedulingAntiAffinity::kRequired) {
    own["requiredDuringSchedulingIgnoredDuringExecution"].push_back(term);
  } else {
    own["preferredDuringSchedulingIgnoredDuringExecution"].push_back(
        {{"weight", 100}, {"podAffinityTerm", term}});
  }
}

void AddScheduling(const PodInput& input, const Json& spec, Json& pod) {
  Json affinity = Json::object();
  if (const Json* given = kube::Find(spec, {"scheduling", "affinity"})) affinity = *given;
  AddAntiAffinity(input, affinity);
  if (!affinity.empty()) pod["affinity"] = affinity;
  const Json* scheduling = kube::Find(spec, {"scheduling"});
  if (scheduling == nullptr) return;
  for (const char* field :
       {"nodeSelector", "tolerations", "priorityClassName", "schedulerName", "runtimeClassName"}) {
    if (const Json* value = kube::Find(*scheduling, {field})) pod[field] = *value;
  }
  const Json* spread = kube::Find(*scheduling, {"topologySpread"});
  if (spread == nullptr || spread->empty()) return;
  for (Json constraint : *spread) {
    constraint["labelSelector"] = {
        {"matchLabels", {{std::string(kClusterLabel), input.cluster.metadata.name}}}};
    pod["topologySpreadConstraints"].push_back(std::move(constraint));
  }
}

Json Volumes(const PodInput& input) {
  Json volumes = Json::array(
      {{{"name", "data"},
        {"persistentVolumeClaim", {{"claimName", VolumeClaim(input.member.metadata.name)}}}},
       {{"name", "tmp"}, {"emptyDir", Json::object()}}});
  if (input.volumes != nullptr) {
    for (const Json& volume : *input.volumes) volumes.push_back(volume);
  }
  return volumes;
}

Json PodSpec(const PodInput& input, const Settings& settings) {
  const Json spec = ToJson(input.cluster.spec);
  const std::string& name = input.member.metadata.name;
  Json pod = {{"hostname", name},
              {"subdomain", PeerService(input.cluster.metadata.name)},
              {"serviceAccountName", ServiceAccount(input.cluster.metadata.name)},
              {"automountServiceAccountToken", false},
              {"enableServiceLinks", false},
              {"restartPolicy", "Always"},
              {"terminationGracePeriodSeconds",
               input.cluster.spec.pod_template.termination_grace_period_seconds},
              {"securityContext", PodSecurity()},
              {"containers", Json::array({Server(input, settings, spec)})},
              {"volumes", Volumes(input)}};
  if (const Json* secrets = kube::Find(spec, {"image", "pullSecrets"})) {
    pod["imagePullSecrets"] = *secrets;
  }
  const bool has_joined = input.is_guarded || input.member.status.joined_once.value_or(false);
  if (has_joined) {
    pod["initContainers"] = Json::array({Guard(settings)});
  } else if (!has_joined && input.init_containers != nullptr) {
    pod["initContainers"] = *input.init_containers;
  }
  AddScheduling(input, spec, pod);
  return pod;
}

std::string Sha256Hex(const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  CHECK(EVP_Digest(text.data(), text.size(), hash.data(), nullptr, EVP_sha256(), nullptr) == 1)
      << "no SHA-256";
  std::string hex;
  for (std::size_t i = 0; i < 32; ++i) hex += fmt::format("{:02x}", hash[i]);
  return hex;
}

// Of what the spec alone decides: neither the first start nor the guard make a pod another one.
std::string PodHash(const PodInput& input, const Settings& settings) {
  const PodInput bare{.cluster = input.cluster, .member = input.member, .image = input.image};
  Json pod = PodSpec(bare, settings);
  pod.erase("initContainers");
  return Sha256Hex(kube::DumpJson(pod));
}

}  // namespace

kube::Json PodBody(const PodInput& input, const Settings& settings) {
  const model::PodTemplate& wanted = input.cluster.spec.pod_template;
  Json labels = wanted.labels;
  if (labels.is_null()) labels = Json::object();
  labels.update(MemberLabels(input.cluster, input.member));
  labels[std::string(kRoleLabel)] = input.role;
  Json annotations = wanted.annotations;
  if (annotations.is_null()) annotations = Json::object();
  const bool safe = wanted.safe_to_evict.value_or(input.cluster.spec.replicas >= 3);
  annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] = safe ? "true" : "false";
  annotations[std::string(kPodHashAnnotation)] = PodHash(input, settings);
  annotations[std::string(kTemplateVersionAnnotation)] = std::to_string(kTemplateVersion);
  annotations[std::string(kInitialClusterAnnotation)] = input.initial_cluster;
  // Without a controlling owner, drains refuse.
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata",
           {{"name", input.member.metadata.name},
            {"namespace", input.cluster.metadata.namespace_},
            {"labels", labels},
            {"annotations", annotations},
            {"ownerReferences", Json::array({OwnedBy(input.member)})}}},
          {"spec", PodSpec(input, settings)}};
}

}  // namespace etcd::desired
