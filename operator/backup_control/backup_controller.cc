#include "operator/backup_control/backup_controller.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/backup/naming.h"
#include "operator/backup_control/names.h"
#include "operator/backup_control/needs.h"
#include "operator/backup_control/report.h"
#include "operator/desired/kinds.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::backup_control {
namespace {

using kube::ApiErrc;
using kube::Json;
using model::ConditionStatus;
using Phase = model::EtcdBackupStatusPhase;

constexpr std::chrono::seconds kPollRunning{2};
constexpr std::chrono::seconds kPollWaiting{10};
constexpr std::chrono::seconds kFirstRetry{10};
constexpr std::chrono::seconds kRetryMax{300};

bool IsFinal(const model::EtcdBackupStatus& status) {
  return status.phase == Phase::kCompleted || status.phase == Phase::kFailed;
}

std::string ClusterOf(const model::EtcdBackup& backup) {
  return backup.spec.cluster_ref ? backup.spec.cluster_ref->name : "";
}

std::string ScheduleOf(const kube::Object& object) {
  return std::string(object.label(kScheduleLabel));
}

// Seconds since the text's time; 0 when there is none.
std::chrono::nanoseconds Since(const std::optional<model::Time>& text, const base::Clock& clock) {
  const auto time = TimeOf(text);
  return time ? std::chrono::nanoseconds(clock.WallNow() - *time) : std::chrono::nanoseconds(0);
}

std::chrono::nanoseconds RetryAfter(std::int32_t attempt) {
  return std::min<std::chrono::seconds>(kFirstRetry * (1 << std::clamp(attempt - 1, 0, 8)),
                                        kRetryMax);
}

}  // namespace

std::vector<kube::Controller::Watched> BackupController::watched() const {
  return {
      {.resource = desired::kBackups,
       .keys_of =
           [](const kube::Change& change) { return KeysOfSelf(change, model::EtcdBackup::kKind); }},
      {.resource = kube::kJobs,
       .label_selector = std::string(kBackupLabel),
       .keys_of = [](const kube::Change& change) {
         return KeysOfOwner(change, model::EtcdBackup::kKind);
       }}};
}

BackupController::Result BackupController::Act(Look& look) {
  if (IsFinal(look.status)) return Expire(look);
  look.status.observed_generation = look.model.metadata.generation;
  return Advance(look);
}

BackupController::Result BackupController::Advance(Look& look) {
  if (look.model.spec.deletion_policy == model::EtcdBackupSpecDeletionPolicy::kDelete &&
      std::find(look.model.metadata.finalizers.begin(), look.model.metadata.finalizers.end(),
                kDataFinalizer) == look.model.metadata.finalizers.end()) {
    const auto added = context_.client.PatchLocked(
        desired::kBackups, look.object.key(),
        [](const kube::Object& current) -> absl::StatusOr<Json> {
          Json finalizers = current.json()["metadata"].value("finalizers", Json::array());
          finalizers.push_back(kDataFinalizer);
          return Json{{"metadata", {{"finalizers", std::move(finalizers)}}}};
        });
    if (!added.ok()) return {added.status(), {}};
  }
  if (!look.status.job) return Begin(look);
  const auto job = context_.client.Get(kube::kJobs, {look.object.ns(), *look.status.job});
  if (kube::Is(job.status(), ApiErrc::kNotFound)) {
    // The status is written before the Job is made, so it may not be there yet; the name says which
    // try it is, so that one that was lost is not counted twice.
    if (const absl::Status made = CreateJob(look, *look.status.job, backup::OrderKind::kBackup);
        !made.ok()) {
      return {made, {}};
    }
    return {absl::OkStatus(), kPollRunning};
  }
  if (!job.ok()) return {job.status(), {}};
  return StateOf(*job) == JobState::kRunning ? Follow(look, *job) : Collect(look, *job);
}

BackupController::Result BackupController::Begin(Look& look) {
  const auto missing = Missing(look);
  if (!missing.ok()) return {missing.status(), {}};
  if (!missing->empty()) {
    const auto timeout = backup::ParseDuration(look.model.spec.timeout);
    if (timeout && Since(look.model.metadata.creation_timestamp, context_.clock) > *timeout) {
      return Fail(look, "DependencyMissing", *missing);
    }
    return Wait(look, "DependencyMissing", *missing);
  }
  look.status.attempt = look.status.attempt.value_or(0) + 1;
  look.status.job = backup::JobNameOf(look.object.name(), look.object.uid(), *look.status.attempt);
  look.status.phase = Phase::kRunning;
  if (!look.status.start_time) look.status.start_time = look.now_text;
  SetReady(look, ConditionStatus::kFalse, "Running", "");
  // First what is meant, then the deed: a Job that nobody knows of would be a second try.
  if (const absl::Status written = WriteStatus(look); !written.ok()) return {written, {}};
  if (const absl::Status made = CreateJob(look, *look.status.job, backup::OrderKind::kBackup);
      !made.ok()) {
    return {made, {}};
  }
  Tell(context_, look.object,
       {"BackupStarted", "Backup",
        fmt::format("backup of {}, try {}", ClusterOf(look.model), *look.status.attempt)});
  return {absl::OkStatus(), kPollRunning};
}

BackupController::Result BackupController::Follow(Look& look, const kube::Object& job) {
  const auto pod = PodOf(context_.client, job);
  if (!pod.ok()) return {pod.status(), {}};
  const std::string waiting = *pod ? WaitingReason(**pod) : "";
  look.status.phase = *pod ? PhaseOf(**pod) : Phase::kRunning;
  look.status.message.reset();
  if (!waiting.empty()) look.status.message = waiting;
  SetReady(look, ConditionStatus::kFalse,
           waiting.empty() ? model::ToText(*look.status.phase) : "PodPending", waiting);
  return {absl::OkStatus(), kPollRunning};
}

BackupController::Result BackupController::Collect(Look& look, const kube::Object& job) {
  const auto pod = PodOf(context_.client, job);
  if (!pod.ok()) return {pod.status(), {}};
  const auto report = ReportOf(*pod ? **pod : Json::object());
  if (report.ok() && report->is_ok) return Finish(look, *report);
  if (report.ok()) return AfterFailure(look, job, *report);
  if (IsPastDeadline(job)) {
    return AfterFailure(look, job,
                        {.reason = "DeadlineExceeded",
                         .message = fmt::format("it took longer than spec.timeout ({}); raise it",
                                                look.model.spec.timeout)});
  }
  return AfterFailure(look, job,
                      {.reason = "WorkerDied",
                       .message = fmt::format("the pod of the backup ended without a report{} "
                                              "(evicted, killed, or out of memory: see "
                                              "spec.resources)",
                                              *pod ? DeathOf(**pod) : "")});
}

BackupController::Result BackupController::AfterFailure(Look& look, const kube::Object& job,
                                                        const backup::Report& report) {
  const std::int32_t attempt = look.status.attempt.value_or(1);
  LOG_WARN("a try of a backup failed", {"backup", look.object.name()}, {"try", attempt},
           {"reason", report.reason}, {"error", report.message});
  TellPruned(look, report);
  if (report.is_final || attempt > look.model.spec.retries) {
    return Fail(look, report.reason, report.message);
  }
  look.status.phase = Phase::kPending;
  look.status.message = report.message;
  SetReady(look, ConditionStatus::kFalse, report.reason, report.message);
  const auto failed_at = FailedAt(job);
  if (failed_at) {
    const auto left = *failed_at + RetryAfter(attempt) - context_.clock.WallNow();
    if (left > std::chrono::nanoseconds(0)) return {absl::OkStatus(), left};
  }
  return Begin(look);
}

BackupController::Result BackupController::Finish(Look& look, const backup::Report& report) {
  look.status.phase = Phase::kCompleted;
  look.status.completion_time = look.now_text;
  look.status.artifact = report.artifact;
  look.status.verification = report.verification;
  look.status.message.reset();
  if (!report.message.empty()) look.status.message = report.message;
  SetReady(look, ConditionStatus::kTrue, "Completed", "");
  const std::string result =
      report.verification ? report.verification->result.value_or("") : std::string();
  const bool is_verified = result == backup::kPassed;
  SetCondition(look.status.conditions, "Verified",
               is_verified ? ConditionStatus::kTrue : ConditionStatus::kFalse,
               is_verified                  ? "Passed"
               : result == backup::kSkipped ? "Skipped"
                                            : "Unverified",
               report.message, look.model.metadata.generation, look.now_text);
  if (const absl::Status written = WriteStatus(look); !written.ok()) return {written, {}};
  Count(look, true);
  const std::string uri = report.artifact ? report.artifact->uri.value_or("") : "";
  Tell(context_, look.object, {"BackupCompleted", "Backup", fmt::format("stored as {}", uri)});
  if (is_verified) {
    Tell(context_, look.object, {"BackupVerified", "Verify", "the trial passed"});
  } else if (result == backup::kFailed) {
    Tell(context_, look.object, {"BackupFailed", "Verify", report.message, true});
  }
  TellPruned(look, report);
  return Expire(look);
}

void BackupController::TellPruned(const Look& look, const backup::Report& report) {
  if (report.pruned > 0) {
    Tell(context_, look.object,
         {"BackupPruned", "Prune", fmt::format("{} old backups deleted", report.pruned)});
  }
  if (!report.prune_problem.empty()) {
    Tell(context_, look.object, {"BackupPruned", "Prune", report.prune_problem, true});
  }
}

BackupController::Result BackupController::Fail(Look& look, const std::string& reason,
                                                const std::string& message) {
  look.status.phase = Phase::kFailed;
  look.status.completion_time = look.now_text;
  look.status.message = message;
  SetReady(look, ConditionStatus::kFalse, reason, message);
  if (const absl::Status written = WriteStatus(look); !written.ok()) return {written, {}};
  Count(look, false);
  Tell(context_, look.object,
       {"BackupFailed", "Backup", fmt::format("{}: {}", reason, message), true});
  return Expire(look);
}

BackupController::Result BackupController::Wait(Look& look, std::string_view reason,
                                                const std::string& message) {
  look.status.phase = Phase::kPending;
  look.status.message = message;
  SetReady(look, ConditionStatus::kFalse, reason, message);
  return {absl::OkStatus(), kPollWaiting};
}

// Deletes the object once its time has come; what is stored stays or goes by deletionPolicy.
BackupController::Result BackupController::Expire(const Look& look) {
  if (!look.model.spec.ttl_seconds_after_finished) return {};
  const std::chrono::seconds ttl(*look.model.spec.ttl_seconds_after_finished);
  const auto left = ttl - Since(look.status.completion_time, context_.clock);
  if (left > std::chrono::nanoseconds(0)) return {absl::OkStatus(), left};
  return {context_.client.Delete(desired::kBackups, look.object.key(),
                                 {.uid = std::string(look.object.uid())}),
          {}};
}

void BackupController::Count(const Look& look, bool is_ok) {
  const auto seconds = std::chrono::duration<double>(Since(look.status.start_time, context_.clock));
  metrics_.CountBackup(look.object.ns(), ClusterOf(look.model), ScheduleOf(look.object), is_ok,
                       look.status.artifact ? look.status.artifact->stored_size.value_or(0) : 0,
                       seconds.count());
}

}  // namespace etcd::backup_control
