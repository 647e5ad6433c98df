#include "operator/loop/warnings.h"

#include <chrono>

#include "server/base/log.h"

namespace etcd::loop {
namespace {

// A condition with this reason is worth an event.
struct Rule {
  std::string_view type, reason, event;
  bool is_warning;
};
constexpr Rule kRules[] = {{"Available", "QuorumLost", "QuorumLost", true},
                           {"Available", "AllMembersLost", "QuorumLost", true},
                           {"Available", "ClusterIDMismatch", "ClusterIDMismatch", true},
                           {"Progressing", "Stalled", "Stalled", true},
                           {"Progressing", "Paused", "Paused", false},
                           {"Degraded", "MemberDown", "MemberFailed", true},
                           {"Degraded", "NoSpace", "NoSpaceAlarm", true},
                           {"Degraded", "Corrupt", "CorruptAlarm", true},
                           {"Degraded", "LearnerStalled", "LearnerStalled", true},
                           {"Degraded", "UnexpectedMember", "UnexpectedMember", true},
                           {"Degraded", "SpreadUnsatisfied", "SpreadUnsatisfied", true},
                           {"Degraded", "PeerURLMismatch", "PeerURLMismatch", true},
                           {"Degraded", "MembersVanished", "MembersVanished", true},
                           {"Degraded", "StatusLost", "StatusLost", true},
                           {"Degraded", "ForeignObject", "ForeignObject", true},
                           {"Degraded", "ReplacementBlocked", "ReplacementBlocked", true},
                           {"Reconciled", "InvalidSpec", "SpecInvalid", true},
                           {"Reconciled", "DependencyMissing", "DependencyMissing", true},
                           {"Reconciled", "ForeignObject", "ForeignObject", true},
                           {"Reconciled", "StepFailed", "StepFailed", true},
                           {"StorageReady", "Lost", "VolumeLost", true}};

constexpr std::chrono::minutes kSameReasonEvery{1};

void Tell(const kube::ControllerContext& context, const Facts& facts, std::string_view reason,
          bool is_warning, const std::string& note) {
  if (is_warning) {
    LOG_WARN("trouble", {"namespace", facts.object.ns()}, {"cluster", facts.object.name()},
             {"reason", reason}, {"note", note});
  }
  context.events.Record({.regarding = kube::ReferenceTo(facts.object),
                         .is_warning = is_warning,
                         .reason = std::string(reason),
                         .action = "Observe",
                         .note = note});
}

std::string TextOf(const model::Condition* condition) {
  if (condition == nullptr) return {};
  return condition->reason + ": " + condition->message.value_or("");
}

void Judge(const kube::ControllerContext& context, const Facts& facts,
           const model::Condition& condition, Memory& memory) {
  const std::string text = TextOf(&condition);
  std::string& told = memory.warned[condition.type];
  if (told.empty()) told = TextOf(FindCondition(facts.cluster.status.conditions, condition.type));
  if (told == text) return;
  // The same trouble in other words, perhaps back and forth: one event a minute says enough.
  const auto now = context.clock.Now();
  std::optional<Memory::Time>& at = memory.warned_at[condition.type];
  const bool is_same_reason = told.starts_with(condition.reason + ": ");
  if (is_same_reason && at.has_value() && now - *at < kSameReasonEvery) return;
  at = now;
  const bool was_lost = told.starts_with("QuorumLost") || told.starts_with("AllMembersLost");
  const bool was_paused = condition.type == "Progressing" && told.starts_with("Paused:");
  told = text;
  if (was_lost && condition.status == model::ConditionStatus::kTrue) {
    Tell(context, facts, "QuorumRestored", false, condition.message.value_or(""));
  }
  if (was_paused) Tell(context, facts, "Resumed", false, "the operator acts again");
  for (const Rule& rule : kRules) {
    if (rule.type == condition.type && rule.reason == condition.reason) {
      Tell(context, facts, rule.event, rule.is_warning, condition.message.value_or(""));
    }
  }
}

}  // namespace

void Warn(const kube::ControllerContext& context, const Facts& facts,
          const model::EtcdClusterStatus& status, Memory& memory) {
  for (const model::Condition& condition : status.conditions) {
    Judge(context, facts, condition, memory);
  }
}

}  // namespace etcd::loop
