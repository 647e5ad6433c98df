// What the conditions say (operator-spec 5): a reason that stays the same, and a sentence with what
// to do.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/desired/image.h"
#include "operator/desired/kinds.h"
#include "operator/desired/urls.h"
#include "operator/kube/api_error.h"
#include "operator/loop/act.h"
#include "operator/loop/status.h"
#include "server/base/status.h"

namespace etcd::loop {
namespace {

using model::ConditionStatus;

// Without an answer until the quorum counts as lost (operator-spec 8.6).
constexpr std::chrono::seconds kQuorumLostAfter{30};

const plan::Wait* WaitOf(const Outcome& outcome) { return std::get_if<plan::Wait>(&outcome.step); }

// Reasons of waits that are worth more than a word about progress.
constexpr std::string_view kDegradingWaits[] = {
    "PeerURLMismatch", "MembersVanished",    "UnexpectedMember", "LearnerStalled",
    "StatusLost",      "ReplacementBlocked", "ForeignObject"};

bool WaitsFor(const Outcome& outcome, std::string_view reason) {
  const plan::Wait* wait = WaitOf(outcome);
  return wait != nullptr && wait->reason == reason;
}

void Append(std::string& text, const std::string& more) {
  if (more.empty()) return;
  if (!text.empty()) text += "; ";
  text += more;
}

std::string PausedText(const Facts& facts) {
  const std::string who =
      facts.cluster.spec.paused ? "spec.paused" : std::string(desired::kPausedAnnotation);
  return who + " is true: nothing is changed";
}

// One line per member that does not do its part.
std::string Troubles(const Facts& facts) {
  std::string text;
  for (const plan::Record& record : facts.observed.records) {
    Append(text, TroubleOf(facts, record.name));
  }
  return text;
}

bool LostAllVolumes(const Facts& facts) {
  return std::ranges::none_of(facts.observed.records, [&](const plan::Record& record) {
    const auto volume = facts.observed.volumes.find(record.name);
    return record.has_joined && volume != facts.observed.volumes.end() &&
           volume->second.uid == record.volume_uid;
  });
}

std::size_t ReadyPods(const Facts& facts) {
  return static_cast<std::size_t>(std::ranges::count_if(
      facts.pods, [](const auto& item) { return ReadPod(item.second).is_ready; }));
}

Verdict Silence(const Facts& facts, const Outcome& outcome,
                const model::EtcdClusterStatus& status) {
  const std::string who = fmt::format("{} of {} members answer, none with a quorum",
                                      facts.answers.size(), facts.observed.records.size());
  if (LostAllVolumes(facts)) {
    return {ConditionStatus::kFalse, "AllMembersLost",
            "no member has its volume any more; restore a backup with an EtcdRestore"};
  }
  const std::string all = who + ": " + Troubles(facts);
  const auto quorum = static_cast<std::size_t>(std::max(1, status.voters.value_or(1)) / 2 + 1);
  if (facts.answers.empty() && ReadyPods(facts) >= quorum) {
    return {ConditionStatus::kFalse, "Unreachable",
            "the members are Ready but the operator cannot reach them; see network policies"};
  }
  if (outcome.silent_for.value_or(std::chrono::nanoseconds(0)) < kQuorumLostAfter) {
    return {ConditionStatus::kUnknown, "Unreachable", all};
  }
  return {ConditionStatus::kFalse, "QuorumLost",
          all +
              ". Nothing is changed until a quorum is back; if it never comes back, restore a "
              "backup with an EtcdRestore"};
}

Verdict Available(const Facts& facts, const Outcome& outcome,
                  const model::EtcdClusterStatus& status) {
  if (facts.observed.cluster == ClusterId{}) {
    std::string message = "the first member is starting";
    Append(message, Troubles(facts));
    return {ConditionStatus::kFalse, "Bootstrapping", message};
  }
  const plan::View view(facts.wanted, facts.observed);
  if (view.has_other_cluster()) {
    return {ConditionStatus::kFalse, "ClusterIDMismatch",
            "a member answers for another cluster; nothing is changed any more"};
  }
  if (!view.is_quorate()) return Silence(facts, outcome, status);
  const std::string message =
      fmt::format("{} of {} voters participate", view.participating(), view.voters());
  return {ConditionStatus::kTrue, view.AllVotersParticipate() ? "QuorumHealthy" : "QuorumDegraded",
          message};
}

Verdict Progressing(const Facts& facts, const Outcome& outcome,
                    const model::EtcdClusterStatus& status, const std::string& now) {
  if (facts.wanted.is_paused) return {ConditionStatus::kFalse, "Paused", PausedText(facts)};
  if (!status.operation.has_value()) return {ConditionStatus::kFalse, "Stable", ""};
  const model::Operation& operation = *status.operation;
  std::string message = operation.step.value_or("");
  if (operation.member.has_value()) message = *operation.member + ": " + message;
  if (!outcome.step_error.ok()) {
    Append(message, std::string(base::MessageOf(outcome.step_error)));
  }
  if (operation.member.has_value()) Append(message, TroubleOf(facts, *operation.member));
  // Times of one form compare as text.
  if (operation.deadline.has_value() && !operation.deadline->empty() && *operation.deadline < now) {
    return {ConditionStatus::kFalse, "Stalled", message};
  }
  const std::string reason = operation.type == "Bootstrap" ? "Bootstrapping"
                             : operation.type == "ScaleUp" ? "ScalingUp"
                             : operation.type == "Replace" ? "ReplacingMember"
                             : operation.type == "Restore" ? "Restoring"
                                                           : "ScalingDown";
  return {ConditionStatus::kTrue, reason, message};
}

bool HasAlarm(const Facts& facts, bool member::Answer::*alarm) {
  return std::ranges::any_of(facts.answers, [&](const auto& item) { return item.second.*alarm; });
}

// The scheduler found no node that keeps the members apart as they shall be. Its words are all that
// tells.
bool LacksRoomToSpread(const std::pair<const std::string, kube::Object>& pod) {
  const std::string text = ReadPod(pod.second).unschedulable_message;
  return text.find("anti-affinity") != std::string::npos ||
         text.find("topology spread") != std::string::npos;
}

Verdict Degraded(const Facts& facts, const Outcome& outcome) {
  if (HasAlarm(facts, &member::Answer::is_corrupt)) {
    return {ConditionStatus::kTrue, "Corrupt",
            "a member's data differ from the others' (CORRUPT alarm)"};
  }
  if (HasAlarm(facts, &member::Answer::has_no_space)) {
    return {ConditionStatus::kTrue, "NoSpace",
            "the quota is used up: delete keys, compact, defragment, then disarm the alarm"};
  }
  const bool is_reason = std::ranges::any_of(
      kDegradingWaits, [&](std::string_view reason) { return WaitsFor(outcome, reason); });
  if (is_reason) {
    return {ConditionStatus::kTrue, WaitOf(outcome)->reason, WaitOf(outcome)->detail};
  }
  const plan::View view(facts.wanted, facts.observed);
  std::string down;
  bool is_down = false;
  for (const plan::Record& record : facts.observed.records) {
    const bool is_new = !record.has_joined;
    const std::string trouble = TroubleOf(facts, record.name);
    if (is_new && trouble.empty()) continue;
    if (!is_new && view.is_quorate() && view.IsParticipating(record)) continue;
    if (!is_new && record.phase != plan::Phase::kVoter && trouble.empty()) continue;
    is_down = is_down || !facts.answers.contains(record.name);
    Append(down, trouble.empty() ? record.name + " does not participate" : trouble);
  }
  if (down.empty()) return {ConditionStatus::kFalse, "AsExpected", ""};
  const bool is_spread = std::ranges::any_of(facts.pods, LacksRoomToSpread);
  return {ConditionStatus::kTrue,
          is_spread ? "SpreadUnsatisfied"
          : is_down ? "MemberDown"
                    : "MemberUnhealthy",
          down};
}

// An image that is not of the version that the spec says.
std::string OtherVersion(const Facts& facts) {
  const std::optional<std::string>& wanted = facts.cluster.spec.version;
  if (!wanted.has_value()) return {};
  for (const auto& [member, answer] : facts.answers) {
    if (answer.version.empty() || answer.version == *wanted) continue;
    return fmt::format(
        "{} runs etcd {} but spec.version says {}: make the cluster anew with an image of that "
        "version, or with the version of this image",
        member, answer.version, *wanted);
  }
  return {};
}

Verdict Reconciled(const Facts& facts, const Outcome& outcome) {
  if (facts.wanted.is_paused) return {ConditionStatus::kFalse, "Paused", PausedText(facts)};
  const absl::Status& error =
      outcome.standing_error.ok() ? outcome.step_error : outcome.standing_error;
  if (error.ok() || IsRefusalForNow(error)) {
    const std::string other = OtherVersion(facts);
    if (!other.empty()) return {ConditionStatus::kFalse, "InvalidSpec", other};
    return {ConditionStatus::kTrue, "Reconciled", ""};
  }
  const std::string message(base::MessageOf(error));
  if (kube::Is(error, kube::ApiErrc::kForbidden)) {
    return {ConditionStatus::kFalse, "DependencyMissing",
            "the operator's role lacks a right: " + message};
  }
  if (kube::Is(error, kube::ApiErrc::kForeignOwner)) {
    return {ConditionStatus::kFalse, "ForeignObject", message};
  }
  if (kube::Is(error, kube::ApiErrc::kInvalid)) {
    return {ConditionStatus::kFalse, "InvalidSpec", message};
  }
  if (kube::ApiErrcOf(error).has_value()) return {ConditionStatus::kFalse, "ApiError", message};
  return {ConditionStatus::kFalse, "StepFailed", message};
}

std::string WaitsForVolume(const kube::Object& claim) {
  const std::string_view name = kube::TextAt(claim.json(), {"spec", "storageClassName"});
  return fmt::format(
      "{} waits for a volume of {}", claim.name(),
      name.empty() ? "the default StorageClass" : fmt::format("StorageClass {}", name));
}

std::string Unschedulable(const Facts& facts, const std::string& member) {
  const auto claim = facts.claims.find(member);
  const bool is_unbound = claim != facts.claims.end() &&
                          kube::TextAt(claim->second.json(), {"status", "phase"}) == "Pending";
  if (!is_unbound) {
    const std::string why = ReadPod(facts.pods.at(member)).unschedulable_message.substr(0, 300);
    return fmt::format(
        "{}: no node fits its pod ({}); see nodes' resources, taints and spec.scheduling", member,
        why);
  }
  return fmt::format(
      "{}: no node fits its pod, or {}; see nodes and volumes, and whether the class exists "
      "(spec.storage.className cannot be changed: create the class, or the cluster anew)",
      member, WaitsForVolume(claim->second));
}

std::string WrongImage(const std::string& member, const kube::Object& pod) {
  const PodFacts read = ReadPod(pod);
  return fmt::format(
      "{}: {}: {} {}; load the image on the nodes, or correct the image: spec.image cannot be "
      "changed, so delete the cluster and create it anew",
      member, read.waiting_reason, read.waiting_message,
      kube::TextAt(pod.json(), {"spec", "nodeName"}));
}

Verdict Storage(const Facts& facts) {
  std::string lost, pending;
  for (const plan::Record& record : facts.observed.records) {
    const auto claim = facts.claims.find(record.name);
    if (claim == facts.claims.end()) {
      if (record.has_joined) Append(lost, desired::VolumeClaim(record.name) + " is gone");
      continue;
    }
    const std::string_view phase = kube::TextAt(claim->second.json(), {"status", "phase"});
    if (phase == "Lost") Append(lost, claim->second.name() + " has lost its volume");
    if (phase == "Pending") Append(pending, WaitsForVolume(claim->second));
    if (record.has_joined && claim->second.uid() != record.volume_uid) {
      Append(lost, claim->second.name() + " is not the claim that the member joined with");
    }
  }
  if (!lost.empty()) return {ConditionStatus::kFalse, "Lost", lost};
  if (!pending.empty()) {
    return {ConditionStatus::kFalse, "Pending",
            pending + "; if it stays so, look at the StorageClass, free volumes and their zones"};
  }
  if (facts.claims.empty()) return {ConditionStatus::kFalse, "Pending", "no volume is claimed yet"};
  return {ConditionStatus::kTrue, "Bound", ""};
}

}  // namespace

Verdicts Judge(const Facts& facts, const Outcome& outcome, const model::EtcdClusterStatus& status,
               const std::string& now) {
  return {.available = Available(facts, outcome, status),
          .progressing = Progressing(facts, outcome, status, now),
          .degraded = Degraded(facts, outcome),
          .reconciled = Reconciled(facts, outcome),
          .storage = Storage(facts)};
}

void SetCondition(std::vector<model::Condition>& conditions, std::string_view type,
                  const Verdict& verdict, std::int64_t generation, const std::string& now) {
  auto found = std::ranges::find(conditions, type, &model::Condition::type);
  if (found == conditions.end()) {
    conditions.push_back({.type = std::string(type), .last_transition_time = now});
    found = std::prev(conditions.end());
  } else if (found->status != verdict.status) {
    found->last_transition_time = now;
  }
  found->status = verdict.status;
  found->reason = verdict.reason;
  found->message = verdict.message.substr(0, 4096);
  found->observed_generation = generation;
}

const model::Condition* FindCondition(const std::vector<model::Condition>& conditions,
                                      std::string_view type) {
  const auto found = std::ranges::find(conditions, type, &model::Condition::type);
  return found == conditions.end() ? nullptr : &*found;
}

const plan::Record* InFlight(const Facts& facts) {
  for (const plan::Record& record : facts.observed.records) {
    if (record.phase >= plan::Phase::kRemoving) return &record;
  }
  for (const plan::Record& record : facts.observed.records) {
    if (record.phase != plan::Phase::kVoter) return &record;
  }
  return nullptr;
}

std::string OperationOf(const Facts& facts) {
  if (facts.observed.cluster == ClusterId{}) {
    return facts.cluster.spec.bootstrap.has_value() ? "Restore" : "Bootstrap";
  }
  const plan::Record* record = InFlight(facts);
  const auto count = static_cast<int>(facts.observed.records.size());
  const bool is_leaving = record != nullptr && record->phase >= plan::Phase::kRemoving;
  if (is_leaving) return count > facts.wanted.replicas ? "ScaleDown" : "Replace";
  if (record != nullptr || count < facts.wanted.replicas) return "ScaleUp";
  return count > facts.wanted.replicas ? "ScaleDown" : "";
}

std::string TroubleOf(const Facts& facts, const std::string& member) {
  const auto pod = facts.pods.find(member);
  const auto claim = facts.claims.find(member);
  const Facts::Member* record = facts.Find(member);
  const bool has_joined = record != nullptr && record->record.status.joined_once.value_or(false);
  if (has_joined && claim == facts.claims.end()) {
    return fmt::format("{} has lost its volume claim and is not started again", member);
  }
  if (has_joined && claim->second.uid() != record->record.status.pvc_uid.value_or("")) {
    return fmt::format("{} has another volume than it joined with and is not started", member);
  }
  if (pod == facts.pods.end()) return has_joined ? member + " has no pod" : std::string();
  const PodFacts read = ReadPod(pod->second);
  if (read.has_lost_data) {
    return fmt::format("{}: its volume is empty (data-guard: DataMissing); it is not started",
                       member);
  }
  if (read.waiting_reason.find("Image") != std::string::npos)
    return WrongImage(member, pod->second);
  if (!read.waiting_reason.empty()) {
    return fmt::format("{}: {} (exit {} {}) {}", member, read.waiting_reason,
                       read.exit_code.value_or(0), read.exit_reason,
                       read.exit_message.substr(0, 200));
  }
  if (read.is_unschedulable) return Unschedulable(facts, member);
  if (pod->second.is_deleting()) return member + ": its pod is being deleted";
  const auto silent = facts.silent.find(member);
  if (silent != facts.silent.end()) return fmt::format("{}: {}", member, silent->second);
  return {};
}

}  // namespace etcd::loop
