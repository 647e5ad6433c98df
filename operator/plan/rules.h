#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "operator/plan/plan.h"
#include "operator/plan/view.h"

namespace etcd::plan {

// The rules of Decide. Each gives its one step, or nothing when it has nothing to do. All but
// Bootstrap and RestartPods demand a linearizable list.
struct Rules {
  const Wanted& wanted;
  const Observed& observed;
  const View& view;

  // Pods that have ended for good make room for others.
  std::optional<Step> ClearFinishedPod() const;
  // A seed of its own grows into the cluster (8.1).
  Step Bootstrap() const;
  // The cluster's id was lost: it is taken again from members that have joined.
  Step LatchAgain() const;
  Step BeginBootstrap() const;
  bool MayBegin(const Record& seed) const;
  bool AreVotersOurs() const;
  // Pods of members that were in the cluster come back on their volumes, all at once (8.2).
  std::optional<Step> RestartPods() const;
  // Without a quorum also those of members whose status was lost, behind the guard of their data.
  std::optional<Step> RestartUnnoted() const;
  // A member whose entry is not quite what its record says: nothing is done until it is.
  std::optional<Step> ReportMismatch() const;
  // Members that somebody else took out of the list: one at a time, unless a user confirms it.
  std::optional<Step> MarkVanished() const;
  // The one member that is on its way in or out (8.3, 8.4).
  std::optional<Step> FinishMember() const;
  std::optional<Step> RemoveForeign() const;
  // A member whose record a user has deleted (8.5, V5).
  std::optional<Step> ReplaceUnwanted() const;
  std::optional<Step> Grow() const;
  std::optional<Step> Shrink() const;

  bool IsNeeded(const Record& record) const;
  Step FinishRemoval(const Record& record) const;
  // Of a record that etcd has not: its pod, its volume, then itself.
  Step ClearRemains(const Record& record, std::string_view progress) const;
  Step GiveUpSeed(const Record& seed, const Pod& pod) const;
  Step FinishAddition(const Record& record) const;
  bool IsOvertaken(const Record& record) const;
  std::optional<Step> Withdraw(const Record& record) const;
  bool MustGiveUp(const Record& record) const;
  bool IsOutdated(const Record& record, const Pod& pod) const;
  Step StartSeed(const Record& seed) const;
  Step Latch(const Record& seed) const;
  Step Announce(const Record& record) const;
  Step NoteThatItJoined(const Record& record) const;
  Step NoteThatItVotes(const Record& record, const Listed& listed) const;
  Step StartLearner(const Record& record, const Listed& listed) const;
  Step PromoteLearner(const Record& record, const Listed& listed) const;
  std::optional<Step> HandOver(const Record& record) const;
  const Record* Victim() const;
  // Members in the same zone, and on the same node; itself included, 0 when it is not known.
  std::pair<int, int> Neighbours(const Record& record) const;
  // The gate that keeps a member from being replaced; empty when there is none.
  std::string BlockingGate(const Record& record) const;
  Record NewRecord(bool is_bootstrap) const;
  std::string InitialCluster(const Record& self) const;
};

}  // namespace etcd::plan
