#include "operator/loop/deletion.h"

#include <chrono>

#include "operator/desired/kinds.h"
#include "operator/loop/act.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::loop {
namespace {

constexpr std::chrono::seconds kDeleteTimeout{5};

bool Leads(const Facts& facts, const std::string& member) {
  const auto answer = facts.answers.find(member);
  return answer != facts.answers.end() && answer->second.leader == answer->second.id;
}

// Followers at once; the leader when they are gone.
absl::Status StopPods(const kube::ControllerContext& context, const Facts& facts) {
  const bool is_last = facts.pods.size() == 1;
  for (const auto& [member, pod] : facts.pods) {
    if (pod.is_deleting() || (Leads(facts, member) && !is_last)) continue;
    RETURN_IF_ERROR(context.client.Delete(kube::kPods, pod.key(), {.uid = std::string(pod.uid())}));
    context.events.Record({.regarding = kube::ReferenceTo(facts.object),
                           .reason = "PodDeleted",
                           .action = "Reconcile",
                           .note = "pod " + member + " deleted: the cluster is deleted"});
  }
  return absl::OkStatus();
}

absl::Status DeleteVolumes(const kube::ControllerContext& context, const Facts& facts) {
  for (const auto& [member, claim] : facts.claims) {
    if (claim.is_deleting() || !claim.label(desired::kDetachedLabel).empty()) continue;
    RETURN_IF_ERROR(
        context.client.Delete(kube::kVolumeClaims, claim.key(), {.uid = std::string(claim.uid())}));
  }
  return absl::OkStatus();
}

absl::Status DeleteRecords(const kube::ControllerContext& context, const Facts& facts) {
  for (const Facts::Member& member : facts.members) {
    const kube::ObjectKey key = member.object.key();
    RETURN_IF_ERROR(
        context.client.Delete(desired::kMembers, key, {.uid = std::string(member.object.uid())}));
    RETURN_IF_ERROR(RemoveFinalizer(context.client, desired::kMembers, key, member.object.uid(),
                                    desired::kMemberFinalizer));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> TakeApart(const kube::ControllerContext& context, const Facts& facts) {
  if (!context.may_act(kDeleteTimeout)) {
    return absl::AbortedError("leadership may end before this step does");
  }
  if (!facts.pods.empty()) {
    RETURN_IF_ERROR(StopPods(context, facts));
    return false;
  }
  const bool deletes_volumes = facts.cluster.spec.storage.pvc_retention.when_deleted ==
                               model::PvcRetentionWhenDeleted::kDelete;
  if (deletes_volumes) RETURN_IF_ERROR(DeleteVolumes(context, facts));
  RETURN_IF_ERROR(DeleteRecords(context, facts));
  RETURN_IF_ERROR(RemoveFinalizer(context.client, desired::kClusters, facts.object.key(),
                                  facts.object.uid(), desired::kClusterFinalizer));
  LOG_INFO("cluster deleted", {"namespace", facts.object.ns()}, {"cluster", facts.object.name()},
           {"volumes", deletes_volumes ? "deleted" : "kept"});
  return true;
}

}  // namespace etcd::loop
