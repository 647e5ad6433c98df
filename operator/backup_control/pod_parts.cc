#include "operator/backup_control/pod_parts.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "operator/backup/naming.h"
#include "operator/backup_control/names.h"
#include "operator/desired/pod.h"
#include "operator/model/group.h"

namespace etcd::backup_control {
namespace {

constexpr int kJobTtlSeconds = 3600;
constexpr std::int64_t kTimeoutSeconds = 900;
// The program, where the image has it.
constexpr char kProgram[] = "/usr/local/bin/etcd-operator";

Json QuantitiesOf(const std::map<std::string, model::Quantity>& quantities, const char* cpu,
                  const char* memory) {
  Json json = Json::object();
  for (const auto& [name, quantity] : quantities) json[name] = quantity;
  if (cpu != nullptr && !json.contains("cpu")) json["cpu"] = cpu;
  if (memory != nullptr && !json.contains("memory")) json["memory"] = memory;
  return json;
}

Json ResourcesOf(const std::optional<model::ResourceRequirements>& wanted) {
  const model::ResourceRequirements given = wanted.value_or(model::ResourceRequirements());
  Json json = {{"requests", QuantitiesOf(given.requests, "100m", "128Mi")}};
  if (!given.limits.empty()) json["limits"] = QuantitiesOf(given.limits, nullptr, nullptr);
  return json;
}

Json Container(std::string_view name, Json args, const Json& mounts, const PodOptions& options) {
  Json container = {{"name", name},
                    {"image", options.operator_image},
                    {"command", Json::array({kProgram})},
                    {"args", std::move(args)},
                    {"securityContext", ContainerSecurity()},
                    {"terminationMessagePolicy", "File"},
                    {"volumeMounts", mounts}};
  if (!options.image_pull_policy.empty()) container["imagePullPolicy"] = options.image_pull_policy;
  return container;
}

const Json& ListAt(const Json& json, kube::JsonPath path) {
  static const Json kNone = Json::array();
  const Json* const found = kube::Find(json, path);
  return found != nullptr && found->is_array() ? *found : kNone;
}

// The condition of this type that holds; null when there is none.
const Json* TrueCondition(const kube::Object& job, std::string_view type) {
  for (const Json& condition : ListAt(job.json(), {"status", "conditions"})) {
    if (kube::TextAt(condition, {"type"}) == type &&
        kube::TextAt(condition, {"status"}) == "True") {
      return &condition;
    }
  }
  return nullptr;
}

Json PodSpec(const backup::Order& order, const Mounts& mounts, const PodOptions& options) {
  Json container =
      Container(kWorkerContainer, Json::array({"backup-worker", backup::WriteOrder(order)}),
                mounts.mounts, options);
  container["resources"] = ResourcesOf(order.backup.spec.resources);
  return {{"restartPolicy", "Never"},
          {"automountServiceAccountToken", false},
          {"enableServiceLinks", false},
          {"securityContext",
           {{"runAsNonRoot", true},
            {"runAsUser", desired::kUser},
            {"runAsGroup", desired::kUser},
            {"fsGroup", desired::kUser},
            {"fsGroupChangePolicy", "OnRootMismatch"},
            {"seccompProfile", {{"type", "RuntimeDefault"}}}}},
          {"containers", Json::array({std::move(container)})},
          {"volumes", mounts.volumes}};
}

Json LabelsOf(const backup::Order& order) {
  const std::string cluster =
      order.backup.spec.cluster_ref ? order.backup.spec.cluster_ref->name : "";
  // The name lets it through the network policies of members, as the operator itself.
  return {{"app.kubernetes.io/name", model::kManager},
          {"app.kubernetes.io/component", "backup"},
          {"app.kubernetes.io/managed-by", model::kManager},
          // Names of objects may be longer than labels.
          {std::string(kBackupLabel), backup::UidPart(order.backup.metadata.uid)},
          {std::string(kBackupOfLabel), cluster}};
}

}  // namespace

void Mounts::Add(const std::string& name, std::string_view path, Json source, bool is_read_only) {
  source["name"] = name;
  volumes.push_back(std::move(source));
  mounts.push_back({{"name", name}, {"mountPath", path}, {"readOnly", is_read_only}});
}

Mounts MountsOf(const model::BackupDestination& destination, bool is_read_only) {
  Mounts mounts;
  if (destination.pvc) {
    mounts.Add("backups", backup::kVolumeDir,
               {{"persistentVolumeClaim",
                 {{"claimName", destination.pvc->claim_name}, {"readOnly", is_read_only}}}},
               is_read_only);
  }
  if (!destination.s3) return mounts;
  const model::S3Location& s3 = *destination.s3;
  if (s3.credentials_secret_ref) {
    mounts.Add("s3-keys", backup::kKeysDir,
               {{"secret", {{"secretName", s3.credentials_secret_ref->name}}}}, true);
  }
  if (s3.ca_bundle && s3.ca_bundle->config_map) {
    mounts.Add("s3-ca", backup::kCaDir, {{"configMap", {{"name", s3.ca_bundle->config_map->name}}}},
               true);
  } else if (s3.ca_bundle && s3.ca_bundle->secret) {
    mounts.Add("s3-ca", backup::kCaDir, {{"secret", {{"secretName", s3.ca_bundle->secret->name}}}},
               true);
  }
  return mounts;
}

Json ContainerSecurity() {
  return {{"allowPrivilegeEscalation", false},
          {"readOnlyRootFilesystem", true},
          {"capabilities", {{"drop", Json::array({"ALL"})}}}};
}

Json JobBody(const std::string& name, const backup::Order& order, const std::string& uid,
             const PodOptions& options) {
  Mounts mounts = MountsOf(order.backup.spec.destination, false);
  mounts.Add("scratch", backup::kScratchDir, {{"emptyDir", Json::object()}}, false);
  const auto timeout = backup::ParseDuration(order.backup.spec.timeout);
  const std::int64_t seconds =
      timeout ? std::chrono::ceil<std::chrono::seconds>(*timeout).count() : kTimeoutSeconds;
  const Json labels = LabelsOf(order);
  const Json owner = {{"apiVersion", model::kApiVersion},
                      {"kind", model::EtcdBackup::kKind},
                      {"name", order.backup.metadata.name},
                      {"uid", uid},
                      {"controller", true},
                      {"blockOwnerDeletion", true}};
  return {{"apiVersion", "batch/v1"},
          {"kind", "Job"},
          {"metadata",
           {{"name", name},
            {"namespace", order.backup.metadata.namespace_},
            {"labels", labels},
            {"ownerReferences", Json::array({owner})}}},
          {"spec",
           {{"backoffLimit", 0},
            {"activeDeadlineSeconds", std::max<std::int64_t>(seconds, 1)},
            {"ttlSecondsAfterFinished", kJobTtlSeconds},
            {"template",
             {{"metadata", {{"labels", labels}}}, {"spec", PodSpec(order, mounts, options)}}}}}};
}

Json RestoreContainer(const backup::RestoreOrder& order, const Mounts& mounts,
                      const std::string& data_volume, const std::string& data_mount,
                      const PodOptions& options) {
  Json all = mounts.mounts;
  all.push_back({{"name", data_volume}, {"mountPath", data_mount}});
  Json container =
      Container(kRestoreContainer,
                Json::array({"restore-worker", backup::WriteRestoreOrder(order)}), all, options);
  container["resources"] = ResourcesOf({});
  return container;
}

JobState StateOf(const kube::Object& job) {
  if (TrueCondition(job, "Complete") != nullptr) return JobState::kComplete;
  return TrueCondition(job, "Failed") != nullptr ? JobState::kFailed : JobState::kRunning;
}

std::optional<kube::WallTime> FailedAt(const kube::Object& job) {
  const Json* const failed = TrueCondition(job, "Failed");
  if (failed == nullptr) return {};
  const auto at = kube::ParseTime(kube::TextAt(*failed, {"lastTransitionTime"}));
  return at.ok() ? std::optional(*at) : std::nullopt;
}

bool IsPastDeadline(const kube::Object& job) {
  const Json* const failed = TrueCondition(job, "Failed");
  return failed != nullptr && kube::TextAt(*failed, {"reason"}) == "DeadlineExceeded";
}

std::string TerminationMessage(const Json& pod, std::string_view container) {
  for (const char* const list : {"containerStatuses", "initContainerStatuses"}) {
    for (const Json& status : ListAt(pod, {"status", list})) {
      if (kube::TextAt(status, {"name"}) != container) continue;
      const std::string_view now = kube::TextAt(status, {"state", "terminated", "message"});
      if (!now.empty()) return std::string(now);
      return std::string(kube::TextAt(status, {"lastState", "terminated", "message"}));
    }
  }
  return {};
}

std::string WaitingReason(const Json& pod) {
  for (const Json& condition : ListAt(pod, {"status", "conditions"})) {
    if (kube::TextAt(condition, {"type"}) == "PodScheduled" &&
        kube::TextAt(condition, {"status"}) == "False") {
      return fmt::format("its pod cannot be placed: {}", kube::TextAt(condition, {"message"}));
    }
  }
  for (const char* const list : {"containerStatuses", "initContainerStatuses"}) {
    for (const Json& status : ListAt(pod, {"status", list})) {
      const std::string_view reason = kube::TextAt(status, {"state", "waiting", "reason"});
      if (reason.empty() || reason == "ContainerCreating" || reason == "PodInitializing") continue;
      return fmt::format("its container does not start: {}: {}", reason,
                         kube::TextAt(status, {"state", "waiting", "message"}));
    }
  }
  return {};
}

}  // namespace etcd::backup_control
