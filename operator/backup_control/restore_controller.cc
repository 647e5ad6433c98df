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
using RestorePhase = model::EtcdRestoreStatusPhase;

constexpr std::chrono::seconds kRestorePoll{5};
constexpr std::size_t kStepsMax = 64;

bool IsFinal(const model::EtcdRestoreStatus& status) {
  return status.phase == RestorePhase::kCompleted || status.phase == RestorePhase::kFailed;
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
          {.resource = desired::kClusters, .label_selector = {}, .keys_of = KeysOfCluster},
          {.resource = kube::kJobs,
           .label_selector = std::string(kBackupLabel),
           .keys_of = [](const kube::Change& change) {
             return KeysOfOwner(change, model::EtcdRestore::kKind);
           }}};
}

RestoreController::Result RestoreController::Act(Look& look) {
  if (IsFinal(look.status)) return {};
  look.status.observed_generation = look.model.metadata.generation;
  return Advance(look);
}

RestoreController::Result RestoreController::Advance(Look& look) {
  const model::EtcdRestoreSpec& spec = look.model.spec;
  if (!spec.target.new_cluster || spec.source.survivor) {
    return Fail(look, "InvalidSpec",
                "only new clusters are restored into, from a backup; write target.newCluster and "
                "backupRef, s3 or pvc");
  }
  if (!look.status.start_time) {
    look.status.start_time = look.now_text;
    look.status.target = TargetOf(look.model);
    look.status.type = "NewCluster";
    Step(look, RestorePhase::kValidating, "looking at the source and the target");
    Tell(context_, look.object,
         {"RestoreStarted", "Restore", fmt::format("into {}", TargetOf(look.model))});
  }
  const auto cluster =
      context_.client.Get(desired::kClusters, {look.object.ns(), TargetOf(look.model)});
  Result result;
  if (kube::Is(cluster.status(), ApiErrc::kNotFound)) {
    result = look.status.phase == RestorePhase::kValidating
                 ? Validate(look)
                 : Fail(look, "ClusterGone",
                        fmt::format("EtcdCluster {} was deleted meanwhile", TargetOf(look.model)));
  } else if (!cluster.ok()) {
    return {cluster.status(), {}};
  } else if (cluster->annotation(kRestoreUidAnnotation) != look.object.uid()) {
    return Fail(
        look, "TargetExists",
        fmt::format("EtcdCluster {} exists already; restore into another name, or delete it "
                    "first",
                    TargetOf(look.model)));
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

absl::StatusOr<std::optional<StoredAt>> RestoreController::FindSource(Look& look) {
  const model::RestoreFrom& from = look.model.spec.source;
  if (!from.backup_ref) {
    StoredAt stored;
    stored.source.s3 = from.s3;
    stored.source.pvc = from.pvc;
    return std::optional(stored);
  }
  const std::string& name = from.backup_ref->name;
  const auto object = context_.client.Get(desired::kBackups, {look.object.ns(), name});
  if (kube::Is(object.status(), ApiErrc::kNotFound)) {
    Wait(look, "SourceMissing", fmt::format("there is no EtcdBackup {} in this namespace", name));
    return std::optional<StoredAt>();
  }
  RETURN_IF_ERROR(object.status());
  const auto backup = model::ParseEtcdBackup(object->json());
  if (!backup.ok()) {
    Fail(look, "SourceUnusable", std::string(base::MessageOf(backup.status())));
    return std::optional<StoredAt>();
  }
  const auto stored = FindStored(*backup);
  if (stored.ok()) return std::optional(*stored);
  const bool is_done = backup->status.phase == model::EtcdBackupStatusPhase::kCompleted ||
                       backup->status.phase == model::EtcdBackupStatusPhase::kFailed;
  const std::string why(base::MessageOf(stored.status()));
  is_done ? Fail(look, "SourceUnusable", why) : Wait(look, "SourceNotReady", why);
  return std::optional<StoredAt>();
}

RestoreController::Result RestoreController::Validate(Look& look) {
  const model::EtcdRestoreSpec& spec = look.model.spec;
  if (spec.bump_revision > 0 && !spec.mark_compacted) {
    return Fail(look, "InvalidSpec",
                "bumpRevision needs markCompacted: true; or set bumpRevision to 0");
  }
  const auto stored = FindSource(look);
  if (!stored.ok()) return {stored.status(), {}};
  if (!*stored) return {absl::OkStatus(), kRestorePoll};
  if (spec.verify_first) {
    const auto passed = HasPassedTrial(look, **stored);
    if (!passed.ok()) return {passed.status(), {}};
    if (!*passed) return {absl::OkStatus(), kRestorePoll};
  }
  look.status.message.reset();
  Step(look, RestorePhase::kRestoring, fmt::format("EtcdCluster {} is made", TargetOf(look.model)));
  if (const absl::Status made = MakeCluster(look); !made.ok()) {
    if (kube::Is(made, ApiErrc::kInvalid)) {
      return Fail(look, "InvalidSpec", std::string(base::MessageOf(made)));
    }
    look.status = look.model.status;  // it is tried again from the beginning
    return {made, {}};
  }
  return {absl::OkStatus(), kRestorePoll};
}

absl::Status RestoreController::MakeCluster(const Look& look) {
  const model::ClusterTemplate& wanted = *look.model.spec.target.new_cluster;
  model::EtcdClusterSpec spec = wanted.spec;
  spec.bootstrap.emplace();
  const model::RestoreFrom& source = look.model.spec.source;
  spec.bootstrap->from.backup_ref = source.backup_ref;
  spec.bootstrap->from.s3 = source.s3;
  spec.bootstrap->from.pvc = source.pvc;
  spec.bootstrap->bump_revision = look.model.spec.bump_revision;
  spec.bootstrap->mark_compacted = look.model.spec.mark_compacted;
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
  if (look.status.phase == RestorePhase::kValidating) {  // made before a crash
    Step(look, RestorePhase::kRestoring, fmt::format("EtcdCluster {} is made", object.name()));
  }
  const auto is_over = ReadSeed(look, object.name());
  if (!is_over.ok()) return {is_over.status(), {}};
  if (*is_over) return {};
  const model::EtcdClusterStatus& status = cluster->status;
  const bool has_begun = status.cluster_id.has_value() && !status.cluster_id->empty();
  if (has_begun && look.status.phase == RestorePhase::kRestoring) {
    Step(look, RestorePhase::kGrowing,
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
  const std::string reason = look.seed_problem.empty() ? "Restoring" : look.seed_problem;
  SetReady(look, ConditionStatus::kFalse, reason, message);
  return {absl::OkStatus(), kRestorePoll};
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
    look.seed_problem = report->reason;
    if (report->is_final) {
      Fail(look, report->reason,
           fmt::format("{}; delete EtcdCluster {} and make another EtcdRestore", report->message,
                       cluster));
      return true;
    }
    Tell(
        context_, look.object,
        {"RestoreFailed", "Restore", fmt::format("{}: {}", report->reason, report->message), true});
  }
  return false;
}

void RestoreController::Step(Look& look, RestorePhase phase, const std::string& message) {
  look.status.phase = phase;
  if (look.status.steps.size() < kStepsMax) {
    look.status.steps.push_back({.at = look.now_text, .message = message});
  }
  SetCondition(look.status.conditions, "Ready", ConditionStatus::kFalse,
               std::string(model::ToText(phase)), message, look.model.metadata.generation,
               look.now_text);
}

RestoreController::Result RestoreController::Wait(Look& look, std::string_view reason,
                                                  const std::string& message) {
  look.status.message = message;
  SetReady(look, ConditionStatus::kFalse, reason, message);
  return {absl::OkStatus(), kRestorePoll};
}

RestoreController::Result RestoreController::Fail(Look& look, std::string_view reason,
                                                  const std::string& message) {
  Step(look, RestorePhase::kFailed, message);
  look.status.completion_time = look.now_text;
  look.status.message = message;
  SetReady(look, ConditionStatus::kFalse, reason, message);
  if (const absl::Status written = WriteStatus(look); !written.ok()) return {written, {}};
  metrics_.CountRestore(false);
  Tell(context_, look.object,
       {"RestoreFailed", "Restore", fmt::format("{}: {}", reason, message), true});
  return {};
}

RestoreController::Result RestoreController::Complete(Look& look) {
  Step(look, RestorePhase::kCompleted, "all members are ready");
  look.status.completion_time = look.now_text;
  look.status.message.reset();
  SetReady(look, ConditionStatus::kTrue, "Completed", "");
  if (const absl::Status written = WriteStatus(look); !written.ok()) return {written, {}};
  metrics_.CountRestore(true);
  Tell(context_, look.object,
       {"RestoreCompleted", "Restore",
        fmt::format("EtcdCluster {} is ready", TargetOf(look.model))});
  return {};
}

}  // namespace etcd::backup_control
