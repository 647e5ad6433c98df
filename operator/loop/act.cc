#include "operator/loop/act.h"

#include <algorithm>
#include <chrono>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/desired/kinds.h"
#include "operator/desired/objects.h"
#include "operator/desired/urls.h"
#include "operator/plan/view.h"
#include "server/base/check.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::loop {
namespace {

using kube::Json;

// The longest that a change of membership or the deletion of a pod takes.
constexpr std::chrono::seconds kChangeTimeout{5};

Json StatusOf(const plan::Record& record) {
  Json status = {{"phase", std::string(ToText(ToModel(record.phase)))},
                 {"joinedOnce", record.has_joined},
                 {"pvcName", desired::VolumeClaim(record.name)}};
  if (record.id != MemberId{}) status["memberID"] = HexId(record.id.value());
  if (!record.volume_uid.empty()) status["pvcUID"] = record.volume_uid;
  if (!record.initial_cluster.empty()) status["initialCluster"] = record.initial_cluster;
  if (record.phase == plan::Phase::kVoter)
    status["role"] = std::string(ToText(model::MemberRole::kVoter));
  if (record.phase == plan::Phase::kLearner)
    status["role"] = std::string(ToText(model::MemberRole::kLearner));
  return status;
}

// A merge patch that only the state that was decided by lets through.
Json Locked(const kube::Object& object) {
  return {{"metadata", {{"resourceVersion", std::string(object.resource_version())}}}};
}

absl::Status Gone(std::string_view what) {
  return kube::ApiError(kube::ApiErrc::kConflict, fmt::format("{} has changed meanwhile", what));
}

}  // namespace

absl::Status Executor::Run(const plan::Step& step, const Facts& facts) {
  if (plan::IsDisruptive(step)) RETURN_IF_ERROR(CheckMayAct());
  return std::visit([&](const auto& one) { return Do(one, facts); }, step);
}

absl::Status Executor::CheckMayAct() const {
  if (context_.may_act(kChangeTimeout)) return absl::OkStatus();
  return absl::AbortedError("leadership may end before this step does");
}

// The number is taken before it is used: a record that vanishes takes its name along, and the next
// one has another.
absl::Status Executor::RaiseSeq(const Facts& facts, std::int64_t seq, bool must_be_new) {
  const auto raise = [&](const kube::Object& now) -> absl::StatusOr<Json> {
    if (now.uid() != facts.object.uid()) return Gone("the cluster");
    const bool is_there = kube::IntAt(now.json(), {"status", "memberSeq"}).value_or(0) >= seq;
    if (is_there && must_be_new) return Gone("the sequence of members");
    if (is_there) return Json();
    return Json{{"status", {{"memberSeq", seq}}}};
  };
  return context_.client.PatchLocked(desired::kClusters, facts.object.key(), raise, "status")
      .status();
}

absl::Status Executor::Do(const plan::CreateRecord& step, const Facts& facts) {
  RETURN_IF_ERROR(CheckMayAct());
  // Exactly once: what was decided long ago must not make a name of then anew.
  RETURN_IF_ERROR(RaiseSeq(facts, step.record.seq, true));
  const Json body = desired::MemberBody(facts.cluster, step.record.name, step.record.slot,
                                        step.record.seq, step.record.is_bootstrap);
  return context_.client.CreateOwned(desired::kMembers, body).status();
}

absl::Status Executor::Do(const plan::CreateVolume& step, const Facts& facts) {
  const Facts::Member* member = facts.Find(step.member);
  if (member == nullptr) return Gone(step.member);
  const Json body = desired::VolumeClaimBody(facts.cluster, member->record);
  const absl::Status created = context_.client.Create(kube::kVolumeClaims, body).status();
  if (!kube::Is(created, kube::ApiErrc::kAlreadyExists)) return created;
  // Volumes have no owner: what says whose it is are our own marks.
  const kube::ObjectKey key{facts.object.ns(), desired::VolumeClaim(step.member)};
  ASSIGN_OR_RETURN(const kube::Object claim, context_.client.Get(kube::kVolumeClaims, key));
  const bool is_ours = claim.label(desired::kMemberLabel) == step.member &&
                       claim.annotation(desired::kClusterUidAnnotation) == facts.object.uid();
  if (is_ours) return absl::OkStatus();
  return kube::ApiError(kube::ApiErrc::kForeignOwner,
                        fmt::format("a claim {} exists that is not this member's; delete or rename "
                                    "it",
                                    key.name));
}

absl::Status Executor::Do(const plan::CreatePods& step, const Facts& facts) {
  RETURN_IF_ERROR(CheckMayAct());
  for (const plan::CreatePods::One& one : step.pods) RETURN_IF_ERROR(CreatePod(one, facts));
  return absl::OkStatus();
}

absl::Status Executor::CreatePod(const plan::CreatePods::One& one, const Facts& facts) {
  const Facts::Member* member = facts.Find(one.member);
  if (member == nullptr) return Gone(one.member);
  const bool is_voter = member->record.status.phase == model::MemberPhase::kVoter &&
                        facts.observed.cluster != ClusterId{};
  desired::PodInput input{
      .cluster = facts.cluster,
      .member = member->record,
      .initial_cluster = one.initial_cluster,
      .is_new_cluster = one.is_new_cluster,
      .is_guarded = one.is_guarded,
      .role = std::string(is_voter ? desired::kVoterRole : desired::kStartingRole),
      .image = member->record.status.image.value_or(facts.image)};
  // `new` makes a second cluster of a member that has been in one (operator-spec 8.1).
  CHECK(!one.is_new_cluster ||
        (member->record.spec.bootstrap && !member->record.status.joined_once.value_or(false) &&
         facts.observed.cluster == ClusterId{} && facts.members.size() == 1))
      << one.member << " must not begin a cluster";
  SeedParts parts;
  const bool is_restored = member->record.spec.restore_from.has_value() &&
                           !member->record.status.joined_once.value_or(false);
  if (is_restored) {
    if (make_seed_parts_ == nullptr) {
      return absl::FailedPreconditionError("this operator cannot start a cluster with data");
    }
    ASSIGN_OR_RETURN(parts, make_seed_parts_(facts, member->record));
    input.init_containers = &parts.init_containers;
    input.volumes = &parts.volumes;
  }
  desired::Settings settings = settings_;
  settings.cluster_domain = facts.cluster_domain;
  RETURN_IF_ERROR(
      context_.client.CreateOwned(kube::kPods, desired::PodBody(input, settings)).status());
  Tell(facts, "PodCreated", fmt::format("pod {} created", one.member));
  return absl::OkStatus();
}

// A list of right now, of the same cluster, has nothing of the member: its id, URL or name.
absl::Status Executor::CheckAbsent(const Facts& facts, const std::string& member) const {
  const auto record = std::ranges::find(facts.observed.records, member, &plan::Record::name);
  if (record == facts.observed.records.end()) return Gone(member);
  ASSIGN_OR_RETURN(const std::string url, VoterUrl(facts, member));
  ASSIGN_OR_RETURN(const member::MemberList list, etcd_.List(url));
  plan::Observed now = facts.observed;
  now.members = ToPlan(list.members);
  const bool is_listed = plan::View(facts.wanted, now).ListedOf(*record) != nullptr;
  if (list.cluster != facts.observed.cluster || is_listed) return Gone("etcd's member list");
  return CheckMayAct();  // the list has taken its time
}

absl::Status Executor::Do(const plan::DeletePod& step, const Facts& facts) {
  const auto pod = facts.pods.find(step.member);
  if (pod == facts.pods.end()) return Gone(step.member);
  if (step.must_be_absent) RETURN_IF_ERROR(CheckAbsent(facts, step.member));
  // As it was seen: one that has become Ready meanwhile stays.
  const kube::DeleteOptions options{
      .uid = step.uid, .resource_version = std::string(pod->second.resource_version())};
  RETURN_IF_ERROR(context_.client.Delete(kube::kPods, pod->second.key(), options));
  Tell(facts, "PodDeleted", fmt::format("pod {} deleted: {}", step.member, step.why));
  return absl::OkStatus();
}

absl::Status Executor::Do(const plan::DeleteVolume& step, const Facts& facts) {
  const auto claim = facts.claims.find(step.member);
  if (claim == facts.claims.end()) return Gone(step.member);
  if (step.must_be_absent) RETURN_IF_ERROR(CheckAbsent(facts, step.member));
  const kube::DeleteOptions options{
      .uid = step.uid, .resource_version = std::string(claim->second.resource_version())};
  return context_.client.Delete(kube::kVolumeClaims, claim->second.key(), options);
}

absl::Status Executor::Detach(const kube::Object& claim) {
  Json patch = Locked(claim);
  patch["metadata"]["labels"] = {{std::string(desired::kDetachedLabel), "true"}};
  return context_.client.Patch(kube::kVolumeClaims, claim.key(), kube::PatchType::kMerge, patch)
      .status();
}

absl::Status Executor::Do(const plan::DeleteRecord& step, const Facts& facts) {
  const Facts::Member* member = facts.Find(step.member);
  if (member == nullptr) return absl::OkStatus();
  RETURN_IF_ERROR(CheckMayAct());
  RETURN_IF_ERROR(RaiseSeq(facts, member->record.spec.seq, false));
  const auto claim = facts.claims.find(step.member);
  if (claim != facts.claims.end()) RETURN_IF_ERROR(Detach(claim->second));
  const kube::ObjectKey key = member->object.key();
  RETURN_IF_ERROR(
      context_.client.Delete(desired::kMembers, key, {.uid = std::string(member->object.uid())}));
  return RemoveFinalizer(context_.client, desired::kMembers, key, member->object.uid(),
                         desired::kMemberFinalizer);
}

absl::Status Executor::Do(const plan::UpdateRecord& step, const Facts& facts) {
  const Facts::Member* member = facts.Find(step.record.name);
  if (member == nullptr) return Gone(step.record.name);
  Json patch = Locked(member->object);
  patch["status"] = StatusOf(step.record);
  RETURN_IF_ERROR(
      context_.client
          .Patch(desired::kMembers, member->object.key(), kube::PatchType::kMerge, patch, "status")
          .status());
  const plan::Phase before = FromModel(member->record.status.phase);
  if (before == step.record.phase) return absl::OkStatus();
  LOG_INFO("member has a new phase", {"namespace", facts.object.ns()}, {"member", step.record.name},
           {"phase", ToText(ToModel(step.record.phase))});
  if (step.record.phase == plan::Phase::kLearner) {
    Tell(facts, "MemberStarted", fmt::format("{} runs as a learner", step.record.name));
  }
  return absl::OkStatus();
}

absl::Status Executor::Do(const plan::SetVoterRole& step, const Facts& facts) {
  return SetRole(facts, step.member, desired::kVoterRole);
}

absl::Status Executor::Do(const plan::WithdrawPod& step, const Facts& facts) {
  return SetRole(facts, step.member, desired::kLeavingRole);
}

absl::Status Executor::SetRole(const Facts& facts, const std::string& member,
                               std::string_view role) {
  const auto pod = facts.pods.find(member);
  if (pod == facts.pods.end()) return Gone(member);
  Json patch = Locked(pod->second);
  patch["metadata"]["labels"] = {{std::string(desired::kRoleLabel), role}};
  return context_.client
      .Patch(kube::kPods, {facts.object.ns(), member}, kube::PatchType::kMerge, patch)
      .status();
}

absl::Status Executor::Do(const plan::LatchCluster& step, const Facts& facts) {
  RETURN_IF_ERROR(CheckMayAct());
  const auto latch = [&](const kube::Object& now) -> absl::StatusOr<Json> {
    if (now.uid() != facts.object.uid()) return Gone("the cluster");
    if (!kube::TextAt(now.json(), {"status", "clusterID"}).empty()) return Json();
    return Json{{"status",
                 {{"clusterID", HexId(step.cluster.value())},
                  {"clusterToken", desired::ClusterToken(facts.cluster)}}}};
  };
  RETURN_IF_ERROR(
      context_.client.PatchLocked(desired::kClusters, facts.object.key(), latch, "status")
          .status());
  Tell(facts, "Bootstrapped",
       fmt::format("cluster {} has its first member", HexId(step.cluster.value())));
  return absl::OkStatus();
}

absl::StatusOr<std::string> Executor::VoterUrl(const Facts& facts,
                                               const std::string& except) const {
  std::optional<std::tuple<bool, bool, std::string>> best;  // the least
  for (const auto& [name, answer] : facts.answers) {
    const auto url = facts.urls.find(name);
    if (answer.is_learner || answer.leader == MemberId{} || url == facts.urls.end()) continue;
    const std::tuple one(name == except, answer.leader != answer.id, url->second);
    if (!best.has_value() || one < *best) best = one;
  }
  if (!best.has_value()) return absl::UnavailableError("no voter answers");
  return std::get<2>(*best);
}

absl::Status Executor::Do(const plan::AddLearner& step, const Facts& facts) {
  ASSIGN_OR_RETURN(const std::string url, VoterUrl(facts));
  const absl::Status added = etcd_.AddLearner(url, step.peer_url);
  // Our own earlier call: the list will show it. The id is of the URL and the second.
  const Errc errc = ErrcOf(added).value_or(Errc::kOk);
  if (errc == Errc::kPeerUrlExists || errc == Errc::kMemberExists) return absl::OkStatus();
  if (added.ok()) Tell(facts, "MemberAdded", fmt::format("{} added as a learner", step.member));
  return added;
}

absl::Status Executor::Do(const plan::Promote& step, const Facts& facts) {
  ASSIGN_OR_RETURN(const std::string url, VoterUrl(facts));
  const absl::Status promoted = etcd_.Promote(url, step.id);
  if (ErrcOf(promoted) == Errc::kMemberNotLearner) return absl::OkStatus();
  if (promoted.ok()) Tell(facts, "LearnerPromoted", fmt::format("{} votes now", step.member));
  return promoted;
}

absl::Status Executor::Do(const plan::MoveLeader& step, const Facts& facts) {
  const auto url = facts.urls.find(step.from);
  if (url == facts.urls.end()) return absl::UnavailableError("the leader has no address");
  const absl::Status moved = etcd_.MoveLeader(url->second, step.to_id);
  if (moved.ok()) {
    Tell(facts, "LeaderMoved", fmt::format("leadership moved from {} to {}", step.from, step.to));
  }
  return moved;
}

absl::Status Executor::Do(const plan::RemoveMember& step, const Facts& facts) {
  ASSIGN_OR_RETURN(const std::string url, VoterUrl(facts, step.member));
  const absl::Status removed = etcd_.Remove(url, step.id);
  if (ErrcOf(removed) == Errc::kMemberNotFound) return absl::OkStatus();
  if (removed.ok()) {
    const std::string who = step.member.empty()
                                ? "an entry that is not ours, " + HexId(step.id.value()) + ","
                                : step.member;
    Tell(facts, "MemberRemoved", fmt::format("{} removed from the cluster", who));
  }
  return removed;
}

void Executor::Tell(const Facts& facts, std::string reason, std::string note) const {
  LOG_INFO("step done", {"namespace", facts.object.ns()}, {"cluster", facts.object.name()},
           {"reason", reason}, {"note", note});
  context_.events.Record({.regarding = kube::ReferenceTo(facts.object),
                          .reason = reason,
                          .action = "Reconcile",
                          .note = std::move(note)});
}

absl::Status AddFinalizer(kube::Client& client, const kube::Resource& resource,
                          const kube::Object& object, std::string_view finalizer) {
  const auto add = [&](const kube::Object& now) -> absl::StatusOr<Json> {
    if (now.uid() != object.uid() || now.is_deleting()) return Json();
    Json all = Json::array();
    if (const Json* given = kube::Find(now.json(), {"metadata", "finalizers"})) all = *given;
    if (std::ranges::find(all, finalizer) != all.end()) return Json();
    all.push_back(finalizer);
    return Json{{"metadata", {{"finalizers", all}}}};
  };
  return client.PatchLocked(resource, object.key(), add).status();
}

absl::Status RemoveFinalizer(kube::Client& client, const kube::Resource& resource,
                             const kube::ObjectKey& key, std::string_view uid,
                             std::string_view finalizer) {
  const auto remove = [&](const kube::Object& now) -> absl::StatusOr<Json> {
    const Json* given = kube::Find(now.json(), {"metadata", "finalizers"});
    if (given == nullptr || now.uid() != uid) return Json();
    Json rest = Json::array();
    for (const Json& one : *given) {
      if (one != finalizer) rest.push_back(one);
    }
    if (rest.size() == given->size()) return Json();
    return Json{{"metadata", {{"finalizers", rest}}}};
  };
  const absl::Status status = client.PatchLocked(resource, key, remove).status();
  return kube::Is(status, kube::ApiErrc::kNotFound) ? absl::OkStatus() : status;
}

bool IsRefusalForNow(const absl::Status& status) {
  switch (ErrcOf(status).value_or(Errc::kOk)) {
    case Errc::kUnhealthyCluster:
    case Errc::kNotEnoughStartedMembers:
    case Errc::kTooManyLearners:
    case Errc::kLearnerNotReady:
    case Errc::kNotLeader:
    case Errc::kBadLeaderTransferee:
    case Errc::kNoLeader:
    case Errc::kLeaderChanged:
    case Errc::kTimeout:
    case Errc::kTimeoutDueToLeaderFail:
    case Errc::kTimeoutDueToConnectionLost:
    case Errc::kTimeoutLeaderTransfer:
      return true;
    default:
      break;
  }
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsCancelled(status) || absl::IsAborted(status);
}

std::string MemberOf(const plan::Step& step) {
  return std::visit(
      [](const auto& one) -> std::string {
        if constexpr (requires { one.member; }) {
          return one.member;
        } else if constexpr (requires { one.record; }) {
          return one.record.name;
        } else if constexpr (requires { one.pods; }) {
          return one.pods.empty() ? std::string() : one.pods.front().member;
        } else if constexpr (requires { one.from; }) {
          return one.from;
        } else {
          return {};
        }
      },
      step);
}

}  // namespace etcd::loop
