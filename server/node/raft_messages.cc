// What other members send to the raft thread.
#include <utility>

#include "server/node/raft_loop.h"

namespace etcd::node {

void RaftLoop::TakeMessages(Inbox::Contents& contents) {
  for (const MemberId id : contents.unreachable) core_.ReportUnreachable(id);
  for (const auto& [id, ok] : contents.snapshots) OnSnapshotSent(id, ok);
  for (raft::Message& message : contents.messages) {
    if (message.type == raft::MessageType::kProp) {
      TakeProposals(std::move(message));
    } else {
      core_.Step(std::move(message));
    }
  }
  ReleaseHeld();
}

// Proposals that a follower forwarded. While this leader hands over, or nobody is known to lead,
// raft would drop them without a word and their clients would wait for a timeout: they are kept
// until somebody can append them, here or, forwarded once more, elsewhere.
void RaftLoop::TakeProposals(raft::Message message) {
  FilterForwarded(message);
  if (message.entries.empty()) return;
  if (CanPropose()) return core_.Step(std::move(message));
  if (held_.size() >= kHeldMax) return;
  held_.push_back({std::move(message), shared_.ports.raft.clock().Now()});
}

// Who joined under an earlier leader is in the view once the first entry of this one's term is
// applied; who joins under this one, before it can ask for anything.
void RaftLoop::FilterForwarded(raft::Message& message) {
  const bool leads = core_.role() == raft::Role::kLeader;
  forwarded_.Filter(message, {.leads = leads, .knows_all = leads && started_term_ == core_.term()});
}

void RaftLoop::ReleaseHeld() {
  if (CanPropose()) {
    for (HeldProposals& held : std::exchange(held_, {})) {
      FilterForwarded(held.message);  // by what is true now
      if (!held.message.entries.empty()) core_.Step(std::move(held.message));
    }
    if (!parked_.empty()) Propose(std::exchange(parked_, {}));
    return;
  }
  // Who sent them has given them up by then.
  const auto oldest = shared_.ports.raft.clock().Now() - 2 * shared_.options.election_timeout();
  std::erase_if(held_, [&](const HeldProposals& held) { return held.since < oldest; });
}

bool RaftLoop::TransferLeadership(MemberId to) {
  if (!core_.TransferLeadership(to)) return false;
  AdvanceReadys();
  return true;
}

}  // namespace etcd::node
