#include <algorithm>
#include <utility>

#include "server/base/check.h"
#include "server/raft/core.h"

// Membership changes, one member at a time (thesis 4.1-4.2), in force when applied.
namespace etcd::raft {
namespace {

void Insert(std::vector<MemberId>& ids, MemberId id) {
  const auto at = std::lower_bound(ids.begin(), ids.end(), id);
  if (at == ids.end() || *at != id) ids.insert(at, id);
}

void Erase(std::vector<MemberId>& ids, MemberId id) {
  ids.erase(std::remove(ids.begin(), ids.end(), id), ids.end());
}

}  // namespace

// Ids of other writers come in any order; outputs must not depend on it.
void Core::SetConfiguration(ConfState conf) {
  std::sort(conf.voters.begin(), conf.voters.end());
  std::sort(conf.learners.begin(), conf.learners.end());
  conf_ = std::move(conf);
}

const ConfState& Core::ApplyConfChange(const ConfChange& change) {
  if (!change.node_id) return conf_;
  // The apply queue still holds entries from before the snapshot, whose configuration is in force
  // already and includes them.
  if (installing_) return conf_;
  switch (change.type) {
    case ConfChangeType::kAddNode:  // a new voter, or a learner promoted
      Insert(conf_.voters, change.node_id);
      Erase(conf_.learners, change.node_id);
      break;
    case ConfChangeType::kAddLearnerNode:
      Insert(conf_.learners, change.node_id);
      Erase(conf_.voters, change.node_id);
      break;
    case ConfChangeType::kRemoveNode:
      Erase(conf_.voters, change.node_id);
      Erase(conf_.learners, change.node_id);
      break;
    case ConfChangeType::kUpdateNode:
      break;  // addresses are no business of the protocol
  }
  CHECK(!conf_.voters.empty()) << "the change of member " << change.node_id.value()
                               << " leaves no voter";
  if (auto* leader = std::get_if<Leader>(&role_)) AdoptConfiguration(*leader);
  return conf_;
}

void Core::AdoptConfiguration(Leader& leader) {
  for (auto it = leader.progress.begin(); it != leader.progress.end();) {
    it = IsMember(it->first) ? std::next(it) : leader.progress.erase(it);
  }
  for (const auto* ids : {&conf_.voters, &conf_.learners}) {
    for (const MemberId id : *ids) {
      const auto before = leader.progress.find(id);
      const bool is_new = before == leader.progress.end();
      const bool counts_now = is_new || (before->second.is_learner && IsVoter(id));
      Progress& progress = AddProgress(leader, id, std::max(log_.last_index(), Index(1)));
      // It gets an election timeout to answer before it counts as silent.
      if (counts_now) progress.active_at = leader.ticks;
      if (is_new) progress.recently_active = true;
    }
  }
  if (leader.transferee && !IsVoter(leader.transferee)) leader.transferee = MemberId();
  // A smaller majority may have been reached already.
  MaybeCommit(leader);
  ReleaseReads(leader);
}

// Adds a row for a new member; a known one keeps its row.
Progress& Core::AddProgress(Leader& leader, MemberId id, Index next) {
  const auto row =
      leader.progress.try_emplace(id, Index(), next, /*learner=*/false,
                                  config_.inflight_messages_max, config_.inflight_bytes_max);
  row.first->second.is_learner = !IsVoter(id);
  return row.first->second;
}

}  // namespace etcd::raft
