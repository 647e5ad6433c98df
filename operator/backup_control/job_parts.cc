#include "operator/backup_control/job_parts.h"

#include <algorithm>
#include <utility>

#include "operator/backup/naming.h"
#include "operator/backup_control/names.h"
#include "operator/desired/pod.h"
#include "operator/model/group.h"

namespace etcd::backup_control {
namespace {

constexpr int kJobTtlSeconds = 3600;
constexpr std::int64_t kTimeoutSeconds = 900;

struct Owner {
  std::string_view kind;
  const model::ObjectMeta& metadata;
  std::string cluster;  // that it is about
};

Json LabelsOf(const Owner& owner, const std::string& uid) {
  // The name lets it through the network policies of members, as the operator itself.
  return {{"app.kubernetes.io/name", model::kManager},
          {"app.kubernetes.io/component", "backup"},
          {"app.kubernetes.io/managed-by", model::kManager},
          // Names of objects may be longer than labels.
          {std::string(kBackupLabel), backup::UidPart(uid)},
          {std::string(kBackupOfLabel), owner.cluster}};
}

Json PodSpec(Json containers, Json volumes, const JobOptions& job) {
  Json scratch = {{"name", "scratch"}, {"emptyDir", Json::object()}};
  volumes.push_back(std::move(scratch));
  Json pod = {{"restartPolicy", "Never"},
              {"automountServiceAccountToken", false},
              {"enableServiceLinks", false},
              {"securityContext",
               {{"runAsNonRoot", true},
                {"runAsUser", desired::kUser},
                {"runAsGroup", desired::kUser},
                {"fsGroup", desired::kUser},
                {"fsGroupChangePolicy", "OnRootMismatch"},
                {"seccompProfile", {{"type", "RuntimeDefault"}}}}},
              {"containers", Json::array({std::move(containers.back())})},
              {"volumes", std::move(volumes)}};
  containers.erase(containers.size() - 1);
  if (!containers.empty()) pod["initContainers"] = std::move(containers);
  for (const model::LocalReference& secret : job.pull_secrets) {
    pod["imagePullSecrets"].push_back({{"name", secret.name}});
  }
  return pod;
}

Json JobBody(const Owner& owner, const JobOptions& job, const model::Duration& timeout, Json pod) {
  const auto parsed = backup::ParseDuration(timeout);
  const std::int64_t seconds =
      parsed ? std::chrono::ceil<std::chrono::seconds>(*parsed).count() : kTimeoutSeconds;
  const Json labels = LabelsOf(owner, job.owner_uid);
  const Json reference = {{"apiVersion", model::kApiVersion},
                          {"kind", owner.kind},
                          {"name", owner.metadata.name},
                          {"uid", job.owner_uid},
                          {"controller", true},
                          // Of an EtcdRestore we may not: that would need its finalizers.
                          {"blockOwnerDeletion", owner.kind == model::EtcdBackup::kKind}};
  return {{"apiVersion", "batch/v1"},
          {"kind", "Job"},
          {"metadata",
           {{"name", job.name},
            {"namespace", owner.metadata.namespace_},
            {"labels", labels},
            {"ownerReferences", Json::array({reference})}}},
          {"spec",
           {{"backoffLimit", 0},
            {"activeDeadlineSeconds", std::max<std::int64_t>(seconds, 1)},
            {"ttlSecondsAfterFinished", kJobTtlSeconds},
            {"template", {{"metadata", {{"labels", labels}}}, {"spec", std::move(pod)}}}}}};
}

Mounts WithScratch(Mounts mounts) {
  mounts.mounts.push_back(
      {{"name", "scratch"}, {"mountPath", backup::kScratchDir}, {"readOnly", false}});
  return mounts;
}

// In the order in which they run.
Json ContainersOf(const backup::Order& order, const Mounts& mounts, const PodOptions& options) {
  const std::string text = backup::WriteOrder(order);
  const auto& resources = order.backup.spec.resources;
  const auto container = [&](std::string_view name, std::optional<backup::Stage> stage) {
    Json args = Json::array({"backup-worker"});
    if (stage) args.insert(args.end(), {"--stage", backup::ToText(*stage)});
    args.push_back(text);
    return WorkerContainer(name, std::move(args), mounts.mounts, resources, options);
  };
  if (order.kind != backup::OrderKind::kBackup) {
    return Json::array({container(kWorkerContainer, {})});
  }
  Json containers = Json::array({container(kSnapshotContainer, backup::Stage::kSnapshot)});
  if (order.backup.spec.verify == model::Verification::kTrialRestore) {
    containers.push_back(container(kVerifyContainer, backup::Stage::kVerify));
  }
  containers.push_back(container(kWorkerContainer, backup::Stage::kStore));
  return containers;
}

}  // namespace

Json BackupJob(const backup::Order& order, const JobOptions& job, const PodOptions& options) {
  const Owner owner{
      .kind = model::EtcdBackup::kKind,
      .metadata = order.backup.metadata,
      .cluster = order.backup.spec.cluster_ref ? order.backup.spec.cluster_ref->name : ""};
  Mounts mounts = WithScratch(MountsOf(order.backup.spec.destination, false));
  Json containers = ContainersOf(order, mounts, options);
  return JobBody(owner, job, order.backup.spec.timeout,
                 PodSpec(std::move(containers), std::move(mounts.volumes), job));
}

Json TrialJob(const backup::RestoreOrder& order, const model::EtcdRestore& restore,
              const JobOptions& job, const PodOptions& options) {
  const auto& target = restore.spec.target.new_cluster;
  const Owner owner{.kind = model::EtcdRestore::kKind,
                    .metadata = restore.metadata,
                    .cluster = target ? target->name : ""};
  Mounts mounts = WithScratch(MountsOf(DestinationOf(order.member.spec.restore_from->from), true));
  Json containers = Json::array({WorkerContainer(
      kWorkerContainer, Json::array({"restore-worker", backup::WriteRestoreOrder(order)}),
      mounts.mounts, {}, options)});
  return JobBody(owner, job, restore.spec.timeout,
                 PodSpec(std::move(containers), std::move(mounts.volumes), job));
}

}  // namespace etcd::backup_control
