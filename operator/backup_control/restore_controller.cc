#include "operator/backup_control/restore_controller.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/backup/naming.h"
#include "operator/backup/order.h"
#include "operator/backup_control/names.h"
#include "operator/backup_control/pod_parts.h"
#include "operator/backup_control/report.h"
#include "operator/backup_control/restore_init.h"
#include "operator/desired/kinds.h"
#include "server/base/status.h"

namespace etcd::backup_control {
namespace {

using kube::ApiErrc;
using kube::Json;
using model::ConditionStatus;
using Phase = model::EtcdRestoreStatusPhase;

constexpr std::chrono::nanoseconds kCallTimeout = std::chrono::seconds(3);
constexpr std::chrono::seconds kPoll{5};
constexpr std::size_t kStepsMax = 64;

bool IsFinal(const model::EtcdRestoreStatus& status) {
  return status.phase == Phase::kCompleted || status.phase == Phase::kFailed;
}

// The restore that made a cluster.
std::vector<kube::WorkKey> KeysOfCluster(const kube::Change& change) {
  const kube::Object& object = change.after ? change.after : change.before;
  const std::string_view name = object.annotation(kRestoreAnnotation);
  if (name.empty()) return {};
  return {{std::string(model::EtcdRestore::kKind), object.ns(), std::string(name)}};
}

const std::string& TargetOf(const model::EtcdRestore& restore) {
  return restore.spec.target.new_cluster->name;
}

}  // namespace

std::vector<kube::Controller::Watched> RestoreController::watched() const {
  return {{.resource = desired::kRestores,
           .label_selector = {},
           .keys_of =
               [](const kube::Change& change) {
                 return KeysOfSelf(change, model::EtcdRestore::kKind);
               }},
          {.resource = desired::kClusters, .label_selector = {}, .keys_of = KeysOfCluster}};
}

kube::WorkQueue::Result RestoreController::Reconcile(const kube::WorkKey& key,
                                                     const std::stop_token&) {
  const auto object = context_.client.Get(desired::kRestores, {key.ns, key.name});
  if (kube::Is(object.status(), ApiErrc::kNotFound)) return {};
  if (!object.ok()) return {object.status(), {}};
  if (object->is_deleting()) return {};
  const auto parsed = model::ParseEtcdRestore(object->json());
  if (!parsed.ok()) {
    Tell(context_, *object,
         {"SpecInvalid", "Read", std::string(base::MessageOf(parsed.status())), true});
    return {};
  }
  if (IsFinal(parsed->status)) return {};
  if (!context_.may_act(kCallTimeout)) return {absl::OkStatus(), kPoll};
  Look look{.object = *object,
            .restore = *parsed,
            .status = parsed->status,
            .now = kube::FormatTime(context_.clock.WallNow())};
  look.status.observed_generation = look.restore.metadata.generation;
  const Result result = Advance(look);
  const absl::Status written = WriteStatus(look);
  return result.status.ok() && !written.ok() ? Result{written, {}} : result;
}

RestoreController::Result RestoreController::Advance(Look& look) {
  const model::EtcdRestoreSpec& spec = look.restore.spec;
  if (!spec.target.new_cluster || spec.source.survivor) {
    return Fail(look, "InvalidSpec",
                "only new clusters are restored into, from a backup; write target.newCluster and "
                "backupRef, s3 or pvc");
  }
  if (!look.status.start_time) {
    look.status.start_time = look.now;
    look.status.target = TargetOf(look.restore);
    look.status.type = "NewCluster";
    Step(look, Phase::kValidating, "looking at the source and the target");
    Tell(context_, look.object,
         {"RestoreStarted", "Restore", fmt::format("into {}", TargetOf(look.restore))});
  }
  const auto cluster =
      context_.client.Get(desired::kClusters, {look.object.ns(), TargetOf(look.restore)});
  Result result;
  if (kube::Is(cluster.status(), ApiErrc::kNotFound)) {
    result =
        look.status.phase == Phase::kValidating
            ? Validate(look)
            : Fail(look, "ClusterGone",
                   fmt::format("EtcdCluster {} was deleted meanwhile", TargetOf(look.restore)));
  } else if (!cluster.ok()) {
    return {cluster.status(), {}};
  } else if (cluster->annotation(kRestoreUidAnnotation) != look.object.uid()) {
    return Fail(
        look, "TargetExists",
        fmt::format("EtcdCluster {} exists already; restore into another name, or delete it "
                    "first",
                    TargetOf(look.restore)));
  } else {
    result = Follow(look, *cluster);
  }
  const auto timeout = backup::ParseDuration(spec.timeout);
  const auto started = TimeOf(look.status.start_time);
  if (!IsFinal(look.status) && timeout && started &&
      context_.clock.WallNow() - *started > *timeout) {
    return Fail(look, "DeadlineExceeded",
                fmt::format("not done within {}: {}", spec.timeout,
                            look.status.message.value_or("see the EtcdCluster's conditions")));
  }
  return result;
}

RestoreController::Result RestoreController::Validate(Look& look) {
  const model::EtcdRestoreSpec& spec = look.restore.spec;
  if (spec.bump_revision > 0 && !spec.mark_compacted) {
    return Fail(look, "InvalidSpec",
                "bumpRevision needs markCompacted: true; or set bumpRevision to 0");
  }
  if (spec.source.backup_ref) {
    const std::string& name = spec.source.backup_ref->name;
    const auto object = context_.client.Get(desired::kBackups, {look.object.ns(), name});
    if (kube::Is(object.status(), ApiErrc::kNotFound)) {
      return Wait(look, "SourceMissing",
                  fmt::format("there is no EtcdBackup {} in this namespace", name));
    }
    if (!object.ok()) return {object.status(), {}};
    const auto backup = model::ParseEtcdBackup(object->json());
    if (!backup.ok())
      return Fail(look, "SourceUnusable", std::string(base::MessageOf(backup.status())));
    const bool is_done = backup->status.phase == model::EtcdBackupStatusPhase::kCompleted ||
                         backup->status.phase == model::EtcdBackupStatusPhase::kFailed;
    const auto stored = FindStored(*backup);
    if (!stored.ok()) {
      const std::string why(base::MessageOf(stored.status()));
      return is_done ? Fail(look, "SourceUnusable", why) : Wait(look, "SourceNotReady", why);
    }
  }
  Step(look, Phase::kRestoring, fmt::format("EtcdCluster {} is made", TargetOf(look.restore)));
  if (const absl::Status made = MakeCluster(look); !made.ok()) {
    if (kube::Is(made, ApiErrc::kInvalid)) {
      return Fail(look, "InvalidSpec", std::string(base::MessageOf(made)));
    }
    look.status = look.restore.status;  // it is tried again from the beginning
    return {made, {}};
  }
  return {absl::OkStatus(), kPoll};
}

absl::Status RestoreController::MakeCluster(const Look& look) {
  const model::ClusterTemplate& wanted = *look.restore.spec.target.new_cluster;
  model::EtcdClusterSpec spec = wanted.spec;
  spec.bootstrap.emplace();
  const model::RestoreFrom& source = look.restore.spec.source;
  spec.bootstrap->from.backup_ref = source.backup_ref;
  spec.bootstrap->from.s3 = source.s3;
  spec.bootstrap->from.pvc = source.pvc;
  spec.bootstrap->bump_revision = look.restore.spec.bump_revision;
  spec.bootstrap->mark_compacted = look.restore.spec.mark_compacted;
  Json annotations = Json::object();
  for (const auto& [name, value] : wanted.annotations) annotations[name] = value;
  annotations[std::string(kRestoreAnnotation)] = look.object.name();
  annotations[std::string(kRestoreUidAnnotation)] = look.object.uid();
  Json labels = Json::object();
  for (const auto& [name, value] : wanted.labels) labels[name] = value;
  const Json body = {{"apiVersion", model::kApiVersion},
                     {"kind", model::EtcdCluster::kKind},
                     {"metadata",
                      {{"name", wanted.name},
                       {"namespace", look.object.ns()},
                       {"labels", std::move(labels)},
                       {"annotations", std::move(annotations)}}},
                     {"spec", model::ToJson(spec)}};
  const absl::Status made = context_.client.Create(desired::kClusters, body).status();
  // Ours, if it is: the next look finds that out.
  return kube::Is(made, ApiErrc::kAlreadyExists) ? absl::OkStatus() : made;
}

RestoreController::Result RestoreController::Follow(Look& look, const kube::Object& object) {
  const auto cluster = model::ParseEtcdCluster(object.json());
  if (!cluster.ok()) return {cluster.status(), {}};
  if (look.status.phase == Phase::kValidating) {  // made before a crash
    Step(look, Phase::kRestoring, fmt::format("EtcdCluster {} is made", object.name()));
  }
  const auto is_over = ReadSeed(look, object.name());
  if (!is_over.ok()) return {is_over.status(), {}};
  if (*is_over) return {};
  const model::EtcdClusterStatus& status = cluster->status;
  const bool has_begun = status.cluster_id.has_value() && !status.cluster_id->empty();
  if (has_begun && look.status.phase == Phase::kRestoring) {
    Step(look, Phase::kGrowing,
         fmt::format("the first member runs as cluster {}", *status.cluster_id));
  }
  const model::Condition* const available = FindCondition(status.conditions, "Available");
  const bool is_available = available != nullptr && available->status == ConditionStatus::kTrue;
  const std::int32_t wanted = cluster->spec.replicas;
  if (has_begun && is_available && status.ready_replicas.value_or(0) >= wanted &&
      status.voters.value_or(0) >= wanted) {
    return Complete(look);
  }
  const std::string message = look.status.message.value_or(
      fmt::format("{} of {} members are ready", status.ready_replicas.value_or(0), wanted));
  SetCondition(look.status.conditions, "Ready", ConditionStatus::kFalse, "Restoring", message,
               look.restore.metadata.generation, look.now);
  return {absl::OkStatus(), kPoll};
}

absl::StatusOr<bool> RestoreController::ReadSeed(Look& look, const std::string& cluster) {
  ASSIGN_OR_RETURN(
      const kube::ObjectList pods,
      context_.client.List(
          kube::kPods, {.ns = look.object.ns(),
                        .label_selector = fmt::format("{}={}", desired::kClusterLabel, cluster)}));
  for (const kube::Object& pod : pods.items) {
    const auto report = backup::ParseReport(TerminationMessage(pod.json(), kRestoreContainer));
    if (!report.ok()) continue;
    look.status.message.reset();
    if (report->is_ok) {
      if (report->restored_revision > 0) look.status.restored_revision = report->restored_revision;
      continue;
    }
    look.status.message = report->message;
    if (report->is_final) {
      Fail(look, report->reason,
           fmt::format("{}; delete EtcdCluster {} and make another EtcdRestore", report->message,
                       cluster));
      return true;
    }
  }
  return false;
}

void RestoreController::Step(Look& look, Phase phase, const std::string& message) {
  look.status.phase = phase;
  if (look.status.steps.size() < kStepsMax) {
    look.status.steps.push_back({.at = look.now, .message = message});
  }
  SetCondition(look.status.conditions, "Ready", ConditionStatus::kFalse,
               std::string(model::ToText(phase)), message, look.restore.metadata.generation,
               look.now);
}

RestoreController::Result RestoreController::Wait(Look& look, std::string_view reason,
                                                  const std::string& message) {
  look.status.message = message;
  SetCondition(look.status.conditions, "Ready", ConditionStatus::kFalse, reason, message,
               look.restore.metadata.generation, look.now);
  return {absl::OkStatus(), kPoll};
}

RestoreController::Result RestoreController::Fail(Look& look, std::string_view reason,
                                                  const std::string& message) {
  Step(look, Phase::kFailed, message);
  look.status.completion_time = look.now;
  look.status.message = message;
  SetCondition(look.status.conditions, "Ready", ConditionStatus::kFalse, reason, message,
               look.restore.metadata.generation, look.now);
  if (const absl::Status written = WriteStatus(look); !written.ok()) return {written, {}};
  metrics_.CountRestore(false);
  Tell(context_, look.object,
       {"RestoreFailed", "Restore", fmt::format("{}: {}", reason, message), true});
  return {};
}

RestoreController::Result RestoreController::Complete(Look& look) {
  Step(look, Phase::kCompleted, "all members are ready");
  look.status.completion_time = look.now;
  look.status.message.reset();
  SetCondition(look.status.conditions, "Ready", ConditionStatus::kTrue, "Completed", "",
               look.restore.metadata.generation, look.now);
  if (const absl::Status written = WriteStatus(look); !written.ok()) return {written, {}};
  metrics_.CountRestore(true);
  Tell(context_, look.object,
       {"RestoreCompleted", "Restore",
        fmt::format("EtcdCluster {} is ready", TargetOf(look.restore))});
  return {};
}

absl::Status RestoreController::WriteStatus(Look& look) {
  if (look.status == look.restore.status) return absl::OkStatus();
  RETURN_IF_ERROR(ApplyStatus(context_.client, desired::kRestores, look.object,
                              model::ToJson(look.status), kStatusManager));
  look.restore.status = look.status;
  return absl::OkStatus();
}

}  // namespace etcd::backup_control
