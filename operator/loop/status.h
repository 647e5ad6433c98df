#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "operator/loop/facts.h"
#include "operator/plan/view.h"

namespace etcd::loop {

// What came of one reconcile, besides what was seen.
struct Outcome {
  plan::Step step = plan::Done{};
  absl::Status step_error{};      // the step was tried and refused
  absl::Status standing_error{};  // services and the like could not be applied
  // Since when there has been no linearizable list; nothing while there is one.
  std::optional<std::chrono::nanoseconds> silent_for{};
  int given_up = 0;  // members that could not be brought in, since all was well last
};

// The status to report: true to what was seen, without a memory but the status that the cluster has
// (times of transitions, the start of an operation). Pure. `now` is RFC 3339.
model::EtcdClusterStatus MakeStatus(const Facts& facts, const Outcome& outcome,
                                    const desired::Settings& settings, const std::string& now);

// Fields of a member's status that only inform; what the plan decides by is left as it is.
model::EtcdMemberStatus MakeMemberStatus(const Facts& facts, const Facts::Member& member,
                                         const std::string& now);

// Whether the two differ in more than figures that change all the time (sizes, indexes).
bool DiffersInSubstance(const model::EtcdClusterStatus& a, const model::EtcdClusterStatus& b);

// --- Parts, for conditions.cc.
struct Verdict {
  model::ConditionStatus status = model::ConditionStatus::kFalse;
  std::string reason{};
  std::string message{};
};
struct Verdicts {
  Verdict available, progressing, degraded, reconciled, storage;
};
Verdicts Judge(const Facts& facts, const Outcome& outcome, const model::EtcdClusterStatus& status,
               const std::string& now);

void SetCondition(std::vector<model::Condition>& conditions, std::string_view type,
                  const Verdict& verdict, std::int64_t generation, const std::string& now);
const model::Condition* FindCondition(const std::vector<model::Condition>& conditions,
                                      std::string_view type);

// "Bootstrap", "Restore", "ScaleUp", "ScaleDown", "Replace"; empty when nothing is under way.
std::string OperationOf(const Facts& facts);
// The member on its way in or out; null when there is none.
const plan::Record* InFlight(const Facts& facts);

// Why a pod does not run, with what to do about it; empty when it does.
std::string TroubleOf(const Facts& facts, const std::string& member);

}  // namespace etcd::loop
