// What ScheduleController says of its backups. The rest is in schedule_controller.cc.
#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/backup/manifest.h"
#include "operator/backup_control/names.h"
#include "operator/backup_control/report.h"
#include "operator/backup_control/schedule_controller.h"
#include "operator/desired/kinds.h"
#include "operator/model/cluster.h"
#include "server/base/status.h"

namespace etcd::backup_control {
namespace {

using kube::ApiErrc;
using kube::Json;
using model::ConditionStatus;
using Phase = model::EtcdBackupStatusPhase;

// Failures in a row that stay visible, also beyond failedHistoryLimit: they are what
// consecutiveFailures counts.
constexpr int kFailuresKept = 5;
constexpr std::size_t kActiveMax = 64;

bool IsVerified(const model::EtcdBackup& backup) {
  return backup.status.verification && backup.status.verification->result == backup::kPassed;
}

void Later(std::optional<model::Time>& time, const std::optional<model::Time>& other) {
  if (other && (!time || *time < *other)) time = other;  // RFC 3339 in UTC sorts as text
}

}  // namespace

void ScheduleController::Summarize(Look& look, const Plan* plan) {
  model::EtcdBackupScheduleStatus& status = look.status;
  status.active.clear();
  int failures = 0;
  const model::EtcdBackup* last_failed = nullptr;
  for (const model::EtcdBackup& backup : look.backups) {
    if (backup.status.phase == Phase::kCompleted) {
      failures = 0;
      Later(status.last_successful_time, backup.status.completion_time);
      if (IsVerified(backup)) Later(status.last_verified_time, backup.status.completion_time);
    } else if (backup.status.phase == Phase::kFailed) {
      ++failures;
      last_failed = &backup;
    } else if (status.active.size() < kActiveMax) {
      status.active.push_back(backup.metadata.name);
    }
  }
  status.consecutive_failures = failures;
  status.next_schedule_time.reset();
  if (plan != nullptr && !look.model.spec.suspend) {
    const absl::Time next = plan->cron.NextAfter(absl::FromChrono(look.now), plan->zone);
    if (next != absl::InfiniteFuture()) {
      status.next_schedule_time = kube::FormatTime(absl::ToChronoTime(next));
    }
  }
  if (failures > 0) {
    SetReady(look, ConditionStatus::kFalse, "Failing",
             fmt::format("{} backups in a row failed, the last one: {}", failures,
                         last_failed->status.message.value_or("see its conditions")));
  } else {
    SetReady(look, ConditionStatus::kTrue, look.model.spec.suspend ? "Suspended" : "Scheduled", "");
  }
  metrics_.SetSchedule(look.object.key(), {.cluster = look.model.spec.cluster_ref.name,
                                           .last_success = TimeOf(status.last_successful_time),
                                           .last_verified = TimeOf(status.last_verified_time),
                                           .next = TimeOf(status.next_schedule_time)});
}

// No verified backup for two periods (operator-spec 4.5); a schedule that is younger than that has
// the benefit of the doubt.
void ScheduleController::SetStale(Look& look, const Plan& plan) {
  const absl::Time first = plan.cron.NextAfter(absl::FromChrono(look.now), plan.zone);
  const absl::Time second = plan.cron.NextAfter(first, plan.zone);
  const auto created = TimeOf(look.model.metadata.creation_timestamp).value_or(look.now);
  const auto verified = TimeOf(look.status.last_verified_time);
  const absl::Duration age =
      absl::FromChrono(look.now) - absl::FromChrono(std::max(verified.value_or(created), created));
  const bool is_stale = second != absl::InfiniteFuture() && age > 2 * (second - first);
  const std::string message =
      !is_stale ? ""
                : fmt::format("the last verified backup is {}; see the messages of the failed ones",
                              look.status.last_verified_time.value_or("none at all"));
  const bool has_turned = SetCondition(
      look.status.conditions, "Stale", is_stale ? ConditionStatus::kTrue : ConditionStatus::kFalse,
      is_stale ? "NoVerifiedBackup" : (verified ? "Fresh" : "NeverRun"), message,
      look.model.metadata.generation, look.now_text);
  if (has_turned && is_stale) {
    Tell(context_, look.object, {"BackupStale", "Schedule", message, true});
  }
}

absl::Status ScheduleController::TellCluster(const Look& look) {
  const auto object =
      context_.client.Get(desired::kClusters, {look.object.ns(), look.model.spec.cluster_ref.name});
  if (kube::Is(object.status(), ApiErrc::kNotFound)) return absl::OkStatus();
  RETURN_IF_ERROR(object.status());
  const auto cluster = model::ParseEtcdCluster(object->json());
  if (!cluster.ok()) return absl::OkStatus();  // its own controller tells
  const model::EtcdBackupScheduleStatus& from = look.status;
  const model::Condition* const stale = FindCondition(from.conditions, "Stale");
  const bool is_stale = stale != nullptr && stale->status == ConditionStatus::kTrue;
  const bool is_failing = from.consecutive_failures.value_or(0) > 0;
  const bool is_fresh = !is_stale && !is_failing && from.last_verified_time;
  const std::string reason = is_fresh                    ? "Fresh"
                             : is_stale                  ? "Stale"
                             : is_failing                ? "Failing"
                             : from.last_successful_time ? "Unverified"
                                                         : "NeverRun";
  model::EtcdClusterStatus status;
  status.backup = model::BackupSummary{};
  status.backup->last_success_time = from.last_successful_time;
  status.backup->last_verified_time = from.last_verified_time;
  status.backup->next_schedule_time = from.next_schedule_time;
  for (const model::EtcdBackup& backup : look.backups) {
    if (backup.status.phase == Phase::kCompleted) {
      status.backup->last_backup = backup.metadata.name;
    }
  }
  if (!status.backup->last_backup && cluster->status.backup) {
    status.backup->last_backup = cluster->status.backup->last_backup;
  }
  if (const auto* const old = FindCondition(cluster->status.conditions, "BackupHealthy")) {
    status.conditions.push_back(*old);
  }
  SetCondition(status.conditions, "BackupHealthy",
               is_fresh ? ConditionStatus::kTrue : ConditionStatus::kFalse, reason,
               is_fresh ? "" : fmt::format("see EtcdBackupSchedule {}", look.object.name()),
               cluster->metadata.generation, look.now_text);
  const auto* const old = FindCondition(cluster->status.conditions, "BackupHealthy");
  if (status.backup == cluster->status.backup && old != nullptr && *old == status.conditions[0]) {
    return absl::OkStatus();
  }
  return ApplyStatus(context_.client, desired::kClusters, *object,
                     Json{{"backup", model::ToJson(status)["backup"]},
                          {"conditions", model::ToJson(status)["conditions"]}},
                     kClusterManager);
}

// EtcdBackup objects beyond the limits of the history; what they stored stays.
absl::Status ScheduleController::Forget(const Look& look) {
  int completed = 0;
  int failed = 0;
  int failures_in_a_row = 0;
  bool is_row = true;
  for (auto backup = look.backups.rbegin(); backup != look.backups.rend(); ++backup) {
    bool goes = false;
    if (backup->status.phase == Phase::kCompleted) {
      is_row = false;
      goes = ++completed > look.model.spec.successful_history_limit;
    } else if (backup->status.phase == Phase::kFailed) {
      const bool is_counted = is_row && ++failures_in_a_row <= kFailuresKept;
      goes = ++failed > look.model.spec.failed_history_limit && !is_counted;
    }
    if (!goes) continue;
    RETURN_IF_ERROR(context_.client.Delete(desired::kBackups,
                                           {backup->metadata.namespace_, backup->metadata.name},
                                           {.uid = backup->metadata.uid}));
  }
  return absl::OkStatus();
}

}  // namespace etcd::backup_control
