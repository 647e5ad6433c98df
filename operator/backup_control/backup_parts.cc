// What BackupController reads and writes besides its status. The rest is in backup_controller.cc.
#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/backup/naming.h"
#include "operator/backup_control/backup_controller.h"
#include "operator/backup_control/job_parts.h"
#include "operator/backup_control/names.h"
#include "operator/backup_control/needs.h"
#include "operator/backup_control/report.h"
#include "operator/desired/kinds.h"
#include "operator/desired/urls.h"
#include "operator/model/cluster.h"
#include "operator/model/member.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::backup_control {
namespace {

using kube::ApiErrc;
using kube::Json;

constexpr std::chrono::seconds kPollDelete{5};

}  // namespace

absl::StatusOr<std::string> BackupController::Missing(const Look& look) {
  const auto& cluster = look.model.spec.cluster_ref;
  if (!cluster) return std::string("clusterRef must name an EtcdCluster");
  ASSIGN_OR_RETURN(const std::string missing,
                   MissingObject(context_.client, desired::kClusters,
                                 {look.object.ns(), cluster->name}, "clusterRef"));
  if (!missing.empty()) return missing;
  return MissingPart(context_.client, look.object.ns(), look.model.spec.destination, "destination");
}

absl::StatusOr<std::vector<std::string>> BackupController::EndpointsOf(const Look& look) {
  const std::string& name = look.model.spec.cluster_ref->name;
  ASSIGN_OR_RETURN(const kube::Object object,
                   context_.client.Get(desired::kClusters, {look.object.ns(), name}));
  ASSIGN_OR_RETURN(const model::EtcdCluster cluster, model::ParseEtcdCluster(object.json()));
  ASSIGN_OR_RETURN(
      const kube::ObjectList members,
      context_.client.List(desired::kMembers,
                           {.ns = look.object.ns(),
                            .label_selector = fmt::format("{}={}", desired::kClusterLabel, name)}));
  std::vector<std::string> endpoints;
  for (const kube::Object& member : members.items) {
    const auto parsed = model::ParseEtcdMember(member.json());
    if (!parsed.ok() || parsed->status.phase == model::MemberPhase::kRemoving) continue;
    endpoints.push_back(desired::ClientUrl(cluster, member.name(), options_.cluster_domain));
  }
  return endpoints;
}

absl::StatusOr<backup::Order> BackupController::MakeOrder(const Look& look,
                                                          backup::OrderKind kind) {
  backup::Order order;
  order.kind = kind;
  order.backup.metadata.name = look.object.name();
  order.backup.metadata.namespace_ = look.object.ns();
  order.backup.metadata.uid = std::string(look.object.uid());
  order.backup.spec = look.model.spec;
  if (kind != backup::OrderKind::kBackup) {
    order.backup.status.artifact = look.status.artifact;
    return order;
  }
  ASSIGN_OR_RETURN(order.endpoints, EndpointsOf(look));
  const std::string schedule(look.object.label(kScheduleLabel));
  if (schedule.empty()) return order;
  const auto object = context_.client.Get(desired::kSchedules, {look.object.ns(), schedule});
  // Retention is the schedule's; one that is gone, or another of that name, deletes nothing.
  if (object.ok() && object->uid() == look.object.controller_uid()) {
    ASSIGN_OR_RETURN(const model::EtcdBackupSchedule parsed,
                     model::ParseEtcdBackupSchedule(object->json()));
    order.schedule = backup::Identity{.name = schedule, .uid = std::string(object->uid())};
    order.retention = parsed.spec.retention;
  }
  return order;
}

absl::Status BackupController::CreateJob(const Look& look, const std::string& name,
                                         backup::OrderKind kind) {
  ASSIGN_OR_RETURN(const backup::Order order, MakeOrder(look, kind));
  JobOptions job{.name = name, .owner_uid = std::string(look.object.uid())};
  if (const auto& cluster = look.model.spec.cluster_ref) {
    ASSIGN_OR_RETURN(job.pull_secrets,
                     PullSecretsOf(context_.client, {look.object.ns(), cluster->name}));
  }
  const Json body = BackupJob(order, job, options_.pod);
  return context_.client.CreateOwned(kube::kJobs, body).status();
}

BackupController::Result BackupController::Delete(Look& look) {
  const auto& finalizers = look.model.metadata.finalizers;
  if (std::find(finalizers.begin(), finalizers.end(), kDataFinalizer) == finalizers.end()) {
    return {};  // the garbage collector takes the Jobs
  }
  const auto release = [&]() -> Result {
    return {context_.client
                .PatchLocked(desired::kBackups, look.object.key(),
                             [](const kube::Object& current) -> absl::StatusOr<Json> {
                               Json rest = Json::array();
                               for (const Json& one : current.json()["metadata"]["finalizers"]) {
                                 if (one != kDataFinalizer) rest.push_back(one);
                               }
                               return Json{{"metadata", {{"finalizers", std::move(rest)}}}};
                             })
                .status(),
            {}};
  };
  if (!look.status.artifact) return release();  // nothing was stored
  const std::string name = backup::JobNameOf(look.object.name(), look.object.uid(), 0);
  const auto job = context_.client.Get(kube::kJobs, {look.object.ns(), name});
  if (kube::Is(job.status(), ApiErrc::kNotFound)) {
    const absl::Status made = CreateJob(look, name, backup::OrderKind::kDelete);
    // A namespace that goes away takes nothing new: its deletion must not hang on us.
    if (kube::Is(made, ApiErrc::kForbidden)) return release();
    return {made, kPollDelete};
  }
  if (!job.ok()) return {job.status(), {}};
  const JobState state = StateOf(*job);
  if (state == JobState::kComplete) return release();
  if (state == JobState::kRunning) return {absl::OkStatus(), kPollDelete};
  const auto pod = PodOf(context_.client, *job);
  const auto report = ReportOf(pod.ok() && *pod ? **pod : Json::object());
  if (report.ok() && report->reason == "BackupForeign")
    return release();  // it is not ours any more
  Tell(context_, look.object,
       {"BackupFailed", "Delete",
        fmt::format("its data cannot be deleted: {}",
                    report.ok() ? report->message : "the worker died without a report"),
        true});
  return {context_.client.Delete(kube::kJobs, job->key(), {.uid = std::string(job->uid())}),
          std::chrono::seconds(30)};
}

}  // namespace etcd::backup_control
