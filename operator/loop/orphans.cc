#include "operator/loop/orphans.h"

#include <chrono>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/desired/kinds.h"
#include "operator/loop/act.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::loop {
namespace {

constexpr std::chrono::seconds kDeleteTimeout{5};

}  // namespace

bool IsOrphan(const kube::Object& member, const std::string& cluster, std::string_view uid) {
  const kube::Json* owners = kube::Find(member.json(), {"metadata", "ownerReferences"});
  if (owners == nullptr || !owners->is_array()) return false;  // whose it is nobody can say
  for (const kube::Json& owner : *owners) {
    const bool is_controller = kube::BoolAt(owner, {"controller"});
    if (!is_controller || kube::TextAt(owner, {"kind"}) != desired::kClusters.kind) continue;
    return kube::TextAt(owner, {"name"}) == cluster && kube::TextAt(owner, {"uid"}) != uid;
  }
  return false;
}

absl::Status ClearOrphan(const kube::ControllerContext& context, const kube::Object& member) {
  if (!context.may_act(kDeleteTimeout)) {
    return absl::AbortedError("leadership may end before this step does");
  }
  ASSIGN_OR_RETURN(
      const kube::ObjectList pods,
      context.client.List(kube::kPods, {.ns = member.ns(),
                                        .label_selector = fmt::format(
                                            "{}={}", desired::kMemberLabel, member.name())}));
  for (const kube::Object& pod : pods.items) {
    if (pod.controller_uid() != member.uid() || pod.is_deleting()) continue;
    RETURN_IF_ERROR(context.client.Delete(kube::kPods, pod.key(), {.uid = std::string(pod.uid())}));
  }
  const std::string uid(member.uid());
  RETURN_IF_ERROR(context.client.Delete(desired::kMembers, member.key(), {.uid = uid}));
  RETURN_IF_ERROR(RemoveFinalizer(context.client, desired::kMembers, member.key(), uid,
                                  desired::kMemberFinalizer));
  LOG_WARN("member of a cluster that is gone removed; its volume stays", {"namespace", member.ns()},
           {"member", member.name()});
  return absl::OkStatus();
}

absl::StatusOr<bool> ClearOrphansOf(const kube::ControllerContext& context,
                                    const kube::ObjectKey& cluster) {
  const absl::StatusOr<kube::Object> found = context.client.Get(desired::kClusters, cluster);
  if (found.ok()) return true;
  if (!kube::Is(found.status(), kube::ApiErrc::kNotFound)) return found.status();
  ASSIGN_OR_RETURN(
      const kube::ObjectList members,
      context.client.List(desired::kMembers, {.ns = cluster.ns,
                                              .label_selector = fmt::format(
                                                  "{}={}", desired::kClusterLabel, cluster.name)}));
  for (const kube::Object& member : members.items) {
    if (IsOrphan(member, cluster.name, {})) RETURN_IF_ERROR(ClearOrphan(context, member));
  }
  return false;
}

}  // namespace etcd::loop
