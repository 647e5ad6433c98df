#include "operator/loop/observe.h"

#include <algorithm>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "operator/desired/kinds.h"
#include "operator/loop/orphans.h"
#include "server/base/status.h"

namespace etcd::loop {

absl::StatusOr<kube::Object> Observer::Cluster(const kube::ObjectKey& key, bool fresh) const {
  const kube::Store* store = context_.caches.StoreOf(desired::kClusters, key.ns);
  if (fresh || store == nullptr) return context_.client.Get(desired::kClusters, key);
  kube::Object object = store->Get(key);
  if (!object) return kube::ApiError(kube::ApiErrc::kNotFound, "no such cluster");
  return object;
}

absl::StatusOr<std::vector<kube::Object>> Observer::OfCluster(const kube::Resource& resource,
                                                              const kube::ObjectKey& key,
                                                              bool fresh) const {
  const kube::Store* store = context_.caches.StoreOf(resource, key.ns);
  if (!fresh && store != nullptr) return store->Group(key.ns + "/" + key.name);
  ASSIGN_OR_RETURN(
      kube::ObjectList list,
      context_.client.List(
          resource, {.ns = key.ns,
                     .label_selector = fmt::format("{}={}", desired::kClusterLabel, key.name)}));
  return std::move(list.items);
}

absl::StatusOr<Facts> Observer::Look(const kube::ObjectKey& key, bool fresh) const {
  Facts facts;
  ASSIGN_OR_RETURN(facts.object, Cluster(key, fresh));
  ASSIGN_OR_RETURN(facts.cluster, model::ParseEtcdCluster(facts.object.json()));
  ASSIGN_OR_RETURN(const std::vector<kube::Object> members,
                   OfCluster(desired::kMembers, key, fresh));
  for (const kube::Object& object : members) {
    if (object.controller_uid() != facts.object.uid()) {
      if (IsOrphan(object, key.name, facts.object.uid())) facts.orphans.push_back(object);
      continue;
    }
    ASSIGN_OR_RETURN(model::EtcdMember record, model::ParseEtcdMember(object.json()));
    facts.members.push_back({object, std::move(record)});
  }
  std::ranges::sort(facts.members, {},
                    [](const Facts::Member& member) { return member.record.spec.seq; });
  ASSIGN_OR_RETURN(const std::vector<kube::Object> pods, OfCluster(kube::kPods, key, fresh));
  for (const kube::Object& pod : pods) {
    const std::string name(pod.label(desired::kMemberLabel));
    const Facts::Member* member = facts.Find(name);
    const bool is_ours =
        member != nullptr && pod.name() == name && pod.controller_uid() == member->object.uid();
    if (is_ours) facts.pods[name] = pod;
    // Pods of members only: Jobs of backups bear the cluster's name too.
    if (!is_ours && !name.empty()) facts.observed.has_strangers = true;
  }
  ASSIGN_OR_RETURN(const std::vector<kube::Object> claims,
                   OfCluster(kube::kVolumeClaims, key, fresh));
  for (const kube::Object& claim : claims) {
    if (claim.annotation(desired::kClusterUidAnnotation) != facts.object.uid()) continue;
    facts.claims[std::string(claim.label(desired::kMemberLabel))] = claim;
  }
  FillPlan(facts, settings_);
  return facts;
}

void Observer::AskMembers(Facts& facts) const {
  std::mutex mu;
  {
    std::vector<std::jthread> asking;
    for (const auto& [name, url] : facts.urls) {
      asking.emplace_back([&, name = name, url = url] {
        absl::StatusOr<member::Answer> answer = etcd_.Status(url);
        const std::lock_guard lock(mu);
        if (answer.ok()) {
          facts.answers[name] = *std::move(answer);
        } else {
          facts.silent[name] = base::MessageOf(answer.status());
        }
      });
    }
  }
  AskForList(facts);
  AddAnswers(facts);
}

// From the leader if it answers, else from another voter. One member that hangs may cost its
// deadline, a second one is not asked.
void Observer::AskForList(Facts& facts) const {
  std::vector<std::pair<int, std::string>> order;
  for (const auto& [name, answer] : facts.answers) {
    if (answer.is_learner || answer.leader == MemberId{}) continue;
    order.emplace_back(answer.leader == answer.id ? 0 : 1, name);
  }
  std::ranges::sort(order);
  if (order.size() > 2) order.resize(2);
  for (const auto& [rank, name] : order) {
    const absl::StatusOr<member::MemberList> list = etcd_.List(facts.urls[name]);
    if (!list.ok()) {
      facts.silent.emplace(name, base::MessageOf(list.status()));
      continue;
    }
    // Addresses of pods are given to others: what answers now need not be what answered before.
    if (list->cluster != facts.answers[name].cluster) {
      facts.silent.emplace(name, "another cluster answers at its address");
      continue;
    }
    facts.observed.members = ToPlan(list->members);
    return;
  }
}

}  // namespace etcd::loop
