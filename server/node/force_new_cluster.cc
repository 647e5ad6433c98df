#include "server/node/force_new_cluster.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "server/membership/member.h"
#include "server/raftcodec/raftpb.h"

namespace etcd::node {
namespace {

struct Ids {
  std::set<MemberId> voters;
  std::set<MemberId> learners;
};

// Changes that the state would refuse are taken as made: at worst a member is removed that is not
// there, which is refused again.
void Note(const raft::Entry& entry, Ids& ids) {
  const auto change = raftcodec::DecodeConfChange(entry.data);
  if (!change.ok()) return;
  switch (change->type) {
    case raft::ConfChangeType::kAddNode:
      ids.voters.insert(change->node_id);
      ids.learners.erase(change->node_id);
      return;
    case raft::ConfChangeType::kAddLearnerNode:
      ids.learners.insert(change->node_id);
      return;
    case raft::ConfChangeType::kRemoveNode:
      ids.voters.erase(change->node_id);
      ids.learners.erase(change->node_id);
      return;
    case raft::ConfChangeType::kUpdateNode:
      return;
  }
}

// First this member becomes a voter, then the others go: there is always one.
std::vector<raft::ConfChange> ChangesTo(MemberId self, const Ids& ids) {
  std::vector<raft::ConfChange> changes;
  if (!ids.voters.contains(self)) {
    raft::ConfChange change;
    change.type = raft::ConfChangeType::kAddNode;
    change.node_id = self;
    membership::Member member;
    member.id = self;
    change.context = ids.learners.contains(self) ? membership::EncodePromotion(self)
                                                 : membership::EncodeMember(member);
    changes.push_back(std::move(change));
  }
  std::set<MemberId> others = ids.voters;
  others.insert(ids.learners.begin(), ids.learners.end());
  others.erase(self);
  for (const MemberId id : others) {
    raft::ConfChange change;
    change.type = raft::ConfChangeType::kRemoveNode;
    change.node_id = id;
    changes.push_back(std::move(change));
  }
  return changes;
}

}  // namespace

ForcedLog ForceSingleVoter(MemberId self, const raft::ConfState& conf, Index applied,
                           const raft::HardState& hard_state,
                           const std::vector<raft::Entry>& entries) {
  Ids ids = {{conf.voters.begin(), conf.voters.end()},
             {conf.learners.begin(), conf.learners.end()}};
  ForcedLog out;
  out.hard_state = hard_state;
  for (const raft::Entry& entry : entries) {
    if (entry.index > applied && entry.type == raft::EntryType::kConfChange) Note(entry, ids);
    out.hard_state.commit = std::max(out.hard_state.commit, entry.index);
  }
  for (const raft::ConfChange& change : ChangesTo(self, ids)) {
    out.hard_state.commit = out.hard_state.commit + 1;
    out.added.push_back({.term = hard_state.term,
                         .index = out.hard_state.commit,
                         .type = raft::EntryType::kConfChange,
                         .data = raftcodec::Encode(change)});
  }
  return out;
}

}  // namespace etcd::node
