#include "operator/loop/standing.h"

#include <algorithm>
#include <chrono>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/desired/kinds.h"
#include "operator/desired/objects.h"
#include "operator/desired/urls.h"
#include "server/base/status.h"

namespace etcd::loop {
namespace {

// Of kinds that are not watched.
constexpr std::chrono::minutes kApplyAgain{10};

// An apply takes over whatever is there: what is not ours is never applied to.
absl::Status CheckOwner(const kube::ControllerContext& context, const desired::Wanted& wanted,
                        const kube::ObjectKey& key) {
  const absl::StatusOr<kube::Object> there = context.client.Get(wanted.resource, key);
  if (kube::Is(there.status(), kube::ApiErrc::kNotFound)) return absl::OkStatus();
  RETURN_IF_ERROR(there.status());
  if (there->controller_uid() == kube::ControllerUidOf(wanted.body)) return absl::OkStatus();
  return kube::ApiError(
      kube::ApiErrc::kForeignOwner,
      fmt::format("the {} {} is not this cluster's and is left as it is; delete or rename it, or "
                  "give the cluster another name",
                  wanted.resource.kind, key.name));
}

absl::Status EnsureOne(const kube::ControllerContext& context, const desired::Wanted& wanted,
                       Memory& memory) {
  const std::string name(kube::TextAt(wanted.body, {"metadata", "name"}));
  const std::string ns(kube::TextAt(wanted.body, {"metadata", "namespace"}));
  Memory::Applied& applied = memory.applied[std::string(wanted.resource.kind) + "/" + name];
  std::string body = kube::DumpJson(wanted.body);
  const auto now = context.clock.Now();
  if (applied.body == body) {
    const kube::Store* store = context.caches.StoreOf(wanted.resource, ns);
    const kube::Object seen = store == nullptr ? kube::Object() : store->Get({ns, name});
    const bool is_same = seen && seen.resource_version() == applied.resource_version;
    const bool is_recent = store == nullptr && now - applied.at < kApplyAgain;
    if (is_same || is_recent) return absl::OkStatus();
  }
  RETURN_IF_ERROR(CheckOwner(context, wanted, {ns, name}));
  ASSIGN_OR_RETURN(const kube::Object object, context.client.Apply(wanted.resource, wanted.body));
  applied = {std::move(body), std::string(object.resource_version()), now};
  return absl::OkStatus();
}

bool IsSlotService(const Facts& facts, const kube::Object& service) {
  for (int slot = 0; slot < 64; ++slot) {
    if (service.name() == desired::SlotService(facts.cluster.metadata.name, slot)) return true;
  }
  return false;
}

// Services of slots that are no longer wanted and have no member any more.
absl::Status RemoveOldServices(const kube::ControllerContext& context, const Facts& facts,
                               std::set<std::string> names) {
  const kube::Store* store = context.caches.StoreOf(kube::kServices, facts.object.ns());
  if (store == nullptr) return absl::OkStatus();
  for (const Facts::Member& member : facts.members) {
    if (!facts.cluster.spec.service.per_member) break;
    names.insert(desired::SlotService(facts.cluster.metadata.name, member.record.spec.slot));
  }
  for (const kube::Object& service : store->Group(facts.object.ns() + "/" + facts.object.name())) {
    const bool is_ours = service.controller_uid() == facts.object.uid();
    if (!is_ours || names.contains(service.name()) || !IsSlotService(facts, service)) continue;
    RETURN_IF_ERROR(
        context.client.Delete(kube::kServices, service.key(), {.uid = std::string(service.uid())}));
  }
  return absl::OkStatus();
}

// The policy that was asked for once. Not watched: looked for as rarely as it would be applied.
absl::Status RemoveOldPolicy(const kube::ControllerContext& context, const Facts& facts,
                             Memory& memory) {
  const kube::Resource& kind = kube::kNetworkPolicies;
  const std::string entry = std::string(kind.kind) + "/" + facts.cluster.metadata.name;
  if (facts.cluster.spec.network_policy.enabled) return absl::OkStatus();
  const auto known = memory.applied.find(entry);
  const auto now = context.clock.Now();
  const bool is_gone = known != memory.applied.end() && known->second.body.empty() &&
                       now - known->second.at < kApplyAgain;
  if (is_gone) return absl::OkStatus();
  const auto old = context.client.Get(kind, facts.object.key());
  if (!old.ok() && !kube::Is(old.status(), kube::ApiErrc::kNotFound)) return old.status();
  if (old.ok() && old->controller_uid() == facts.object.uid()) {
    RETURN_IF_ERROR(context.client.Delete(kind, old->key(), {.uid = std::string(old->uid())}));
  }
  memory.applied[entry] = {.at = now};
  return absl::OkStatus();
}

absl::Status EnsureBudget(const kube::ControllerContext& context, const Facts& facts, int voters,
                          Memory& memory) {
  const std::optional<kube::Json> budget = desired::DisruptionBudget(facts.cluster, voters);
  if (budget.has_value()) return EnsureOne(context, {kube::kDisruptionBudgets, *budget}, memory);
  const kube::Store* store = context.caches.StoreOf(kube::kDisruptionBudgets, facts.object.ns());
  const kube::Object old = store == nullptr ? kube::Object() : store->Get(facts.object.key());
  if (!old || old.controller_uid() != facts.object.uid()) return absl::OkStatus();
  return context.client.Delete(kube::kDisruptionBudgets, old.key(),
                               {.uid = std::string(old.uid())});
}

}  // namespace

absl::Status EnsureStanding(const kube::ControllerContext& context,
                            const desired::Settings& settings, const Facts& facts, int voters,
                            Memory& memory) {
  std::set<std::string> services;
  absl::Status foreign;  // the first; it does not keep the others from being as they shall be
  for (const desired::Wanted& wanted : desired::StandingObjects(facts.cluster, settings)) {
    services.emplace(kube::TextAt(wanted.body, {"metadata", "name"}));
    const absl::Status ensured = EnsureOne(context, wanted, memory);
    if (!kube::Is(ensured, kube::ApiErrc::kForeignOwner)) RETURN_IF_ERROR(ensured);
    foreign.Update(ensured);
  }
  RETURN_IF_ERROR(RemoveOldServices(context, facts, std::move(services)));
  RETURN_IF_ERROR(RemoveOldPolicy(context, facts, memory));
  foreign.Update(EnsureBudget(context, facts, voters, memory));
  return foreign;
}

}  // namespace etcd::loop
