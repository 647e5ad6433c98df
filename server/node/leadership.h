#pragma once

#include <optional>
#include <vector>

#include <absl/functional/any_invocable.h>

#include "server/base/clock.h"
#include "server/base/ids.h"
#include "server/node/node.h"
#include "server/node/raft_loop.h"
#include "server/node/shared.h"

namespace etcd::node {

// Leadership given to another voter: because a client asks for it, or because this member is going
// to stop. Proposals wait meanwhile and go to the new leader. Owner: the raft thread.
class Leadership {
 public:
  Leadership(Shared& shared, RaftLoop& raft) : shared_(shared), raft_(raft) {}

  // Node::MoveLeader.
  void Move(MemberId to, base::Clock::Monotonic deadline, ReadDone done);

  // If this member leads others, makes one of them the leader: the one that has been connected for
  // the longest time, or the next if it does not take over. Calls `done` when one has, when none
  // will, or after two election timeouts. One at a time.
  void HandOver(absl::AnyInvocable<void()> done);

  // Another leader is known, or time has passed.
  void Look();

 private:
  struct Transfer {
    MemberId to;
    base::Clock::Monotonic deadline;
    ReadDone done;
  };

  bool Leads() const;
  // What has become of a transfer; nullopt: it is under way.
  std::optional<absl::Status> OutcomeOf(const Transfer& transfer) const;
  std::vector<MemberId> CandidatesByConnection() const;
  void TryNextCandidate();
  void EndHandOver(bool handed_over);

  Shared& shared_;
  RaftLoop& raft_;
  std::vector<Transfer> moves_;
  // Of HandOver; null when none is under way.
  absl::AnyInvocable<void()> handed_over_;
  std::vector<MemberId> candidates_;  // the best one last
  std::uint64_t hand_overs_ = 0;      // so that an old timer ends no new one
};

}  // namespace etcd::node
