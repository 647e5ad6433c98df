#include "operator/backup_control/pod_parts.h"

#include <utility>

#include <fmt/format.h>

#include "operator/backup_control/names.h"

namespace etcd::backup_control {
namespace {

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

// The status of this container, init containers too; null when there is none.
const Json* StatusOf(const Json& pod, std::string_view container) {
  for (const char* const list : {"containerStatuses", "initContainerStatuses"}) {
    for (const Json& status : ListAt(pod, {"status", list})) {
      if (kube::TextAt(status, {"name"}) == container) return &status;
    }
  }
  return nullptr;
}

bool HasBegun(const Json& pod, std::string_view container) {
  const Json* const status = StatusOf(pod, container);
  return status != nullptr && (kube::Find(*status, {"state", "running"}) != nullptr ||
                               kube::Find(*status, {"state", "terminated"}) != nullptr);
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

model::BackupDestination DestinationOf(const model::RestoreSource& source) {
  model::BackupDestination destination;
  if (source.s3) destination.s3 = *source.s3;
  destination.pvc = source.pvc;
  return destination;
}

Json ContainerSecurity() {
  return {{"allowPrivilegeEscalation", false},
          {"readOnlyRootFilesystem", true},
          {"capabilities", {{"drop", Json::array({"ALL"})}}}};
}

Json WorkerContainer(std::string_view name, Json args, const Json& mounts,
                     const std::optional<model::ResourceRequirements>& resources,
                     const PodOptions& options) {
  Json container = {{"name", name},
                    {"image", options.operator_image},
                    {"command", Json::array({kProgram})},
                    {"args", std::move(args)},
                    {"securityContext", ContainerSecurity()},
                    {"terminationMessagePolicy", "File"},
                    {"resources", ResourcesOf(resources)},
                    {"volumeMounts", mounts}};
  if (!options.image_pull_policy.empty()) container["imagePullPolicy"] = options.image_pull_policy;
  return container;
}

Json RestoreContainer(const backup::RestoreOrder& order, const Mounts& mounts,
                      const std::string& data_volume, const std::string& data_mount,
                      const PodOptions& options) {
  Json all = mounts.mounts;
  all.push_back({{"name", data_volume}, {"mountPath", data_mount}});
  return WorkerContainer(kRestoreContainer,
                         Json::array({"restore-worker", backup::WriteRestoreOrder(order)}), all, {},
                         options);
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
  const Json* const status = StatusOf(pod, container);
  if (status == nullptr) return {};
  const std::string_view now = kube::TextAt(*status, {"state", "terminated", "message"});
  return std::string(now.empty() ? kube::TextAt(*status, {"lastState", "terminated", "message"})
                                 : now);
}

absl::StatusOr<backup::Report> ReportOf(const Json& pod) {
  for (const std::string_view step : {kSnapshotContainer, kVerifyContainer}) {
    auto report = backup::ParseReport(TerminationMessage(pod, step));
    if (report.ok() && !report->is_ok) return report;
  }
  return backup::ParseReport(TerminationMessage(pod, kWorkerContainer));
}

std::string DeathOf(const Json& pod) {
  const std::string_view evicted = kube::TextAt(pod, {"status", "reason"});
  if (!evicted.empty()) {
    return fmt::format(" ({}: {})", evicted, kube::TextAt(pod, {"status", "message"}));
  }
  for (const std::string_view container :
       {kSnapshotContainer, kVerifyContainer, kWorkerContainer}) {
    const Json* const status = StatusOf(pod, container);
    const Json* const end =
        status == nullptr ? nullptr : kube::Find(*status, {"state", "terminated"});
    const std::string_view reason = end == nullptr ? "" : kube::TextAt(*end, {"reason"});
    if (reason.empty() || kube::IntAt(*end, {"exitCode"}) == 0) continue;
    return fmt::format(" ({}: {})", container, reason);
  }
  return {};
}

model::EtcdBackupStatusPhase PhaseOf(const Json& pod) {
  using Phase = model::EtcdBackupStatusPhase;
  if (HasBegun(pod, kWorkerContainer)) return Phase::kUploading;
  return HasBegun(pod, kVerifyContainer) ? Phase::kVerifying : Phase::kRunning;
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
