// The trial restore before anything is made. The rest of RestoreController is in
// restore_controller.cc.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/backup/naming.h"
#include "operator/backup_control/job_parts.h"
#include "operator/backup_control/needs.h"
#include "operator/backup_control/report.h"
#include "operator/backup_control/restore_controller.h"
#include "server/base/status.h"

namespace etcd::backup_control {
namespace {

using kube::ApiErrc;
using kube::Json;

constexpr std::chrono::seconds kTrialRetry{30};

backup::Report ReportOfEnded(const std::optional<Json>& pod) {
  const auto report = ReportOf(pod ? *pod : Json::object());
  if (report.ok()) return *report;
  return {.reason = "WorkerDied",
          .message = fmt::format("the pod of the trial ended without a report{} (evicted, killed, "
                                 "or out of memory); it is made again",
                                 pod ? DeathOf(*pod) : "")};
}

}  // namespace

absl::StatusOr<bool> RestoreController::HasPassedTrial(Look& look, const StoredAt& stored) {
  const char* const field =
      look.model.spec.source.backup_ref ? "the backup's destination" : "source";
  ASSIGN_OR_RETURN(const std::string missing, MissingPart(context_.client, look.object.ns(),
                                                          DestinationOf(stored.source), field));
  if (!missing.empty()) {
    Wait(look, "DependencyMissing", missing);
    return false;
  }
  const std::string name = backup::JobNameOf(look.object.name(), look.object.uid(), 1);
  const auto job = context_.client.Get(kube::kJobs, {look.object.ns(), name});
  if (kube::Is(job.status(), ApiErrc::kNotFound)) {
    RETURN_IF_ERROR(MakeTrial(look, stored, name));
    Wait(look, "Verifying", "a trial restore of the backup has begun");
    return false;
  }
  RETURN_IF_ERROR(job.status());
  ASSIGN_OR_RETURN(const std::optional<Json> pod, PodOf(context_.client, *job));
  if (StateOf(*job) == JobState::kRunning) {
    const std::string waiting = pod ? WaitingReason(*pod) : "";
    Wait(look, waiting.empty() ? "Verifying" : "PodPending",
         waiting.empty() ? "a trial restore of the backup is running" : waiting);
    return false;
  }
  const backup::Report report = ReportOfEnded(pod);
  if (report.is_ok) {
    Step(look, model::EtcdRestoreStatusPhase::kValidating,
         fmt::format("the trial restore passed: revision {}", report.restored_revision));
    Tell(context_, look.object, {"BackupVerified", "Verify", "the trial restore passed"});
    return true;
  }
  RETURN_IF_ERROR(AfterTrial(look, *job, report));
  return false;
}

absl::Status RestoreController::MakeTrial(const Look& look, const StoredAt& stored,
                                          const std::string& name) {
  backup::RestoreOrder order;
  order.is_trial = true;
  order.sha256 = stored.sha256;
  order.member.metadata.name = look.object.name();
  order.member.metadata.namespace_ = look.object.ns();
  order.member.spec.restore_from.emplace();
  order.member.spec.restore_from->from = stored.source;
  JobOptions job{.name = name, .owner_uid = std::string(look.object.uid())};
  const auto& image = look.model.spec.target.new_cluster->spec.image;
  if (image) job.pull_secrets = image->pull_secrets;
  const Json body = TrialJob(order, look.model, job, pod_);
  return context_.client.CreateOwned(kube::kJobs, body).status();
}

// A backup that is bad ends the restore; what may pass is tried again until the timeout.
absl::Status RestoreController::AfterTrial(Look& look, const kube::Object& job,
                                           const backup::Report& report) {
  if (report.is_final) {
    return Fail(look, report.reason,
                fmt::format("{}; nothing was made. Restore another backup", report.message))
        .status;
  }
  Wait(look, report.reason, report.message);
  Tell(context_, look.object,
       {"RestoreFailed", "Verify", fmt::format("{}: {}", report.reason, report.message), true});
  const auto failed_at = FailedAt(job);
  if (failed_at && context_.clock.WallNow() - *failed_at < kTrialRetry) return absl::OkStatus();
  return context_.client.Delete(kube::kJobs, job.key(), {.uid = std::string(job.uid())});
}

}  // namespace etcd::backup_control
