#pragma once

#include <memory>
#include <string>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>

#include "server/node/raft_loop.h"
#include "server/node/request_ids.h"
#include "server/node/shared.h"
#include "server/raft/types.h"

namespace etcd::node {

// Changes of the membership as their proposer sees them (raft-peer-storage.md 5.7, v3-api.md 6):
// the checks before, the proposal, the answer. The checks look at this member's view, once when it
// is asked and again right before each attempt to propose; only on the leader nothing overtakes
// them. What the log says is decided by membership::Cluster::Validate, on all members alike.
// Thread-safe; answers come on the raft thread or, when refused at once, on the caller's.
class ConfChanges {
 public:
  ConfChanges(Shared& shared, RequestIds& ids, RaftLoop& raft)
      : shared_(shared), ids_(ids), raft_(raft) {}

  void Add(std::vector<std::string> peer_urls, bool is_learner, const ProposeOptions& options,
           AddedMemberDone done);
  void Remove(MemberId id, const ProposeOptions& options, MembersDone done);
  void Update(MemberId id, std::vector<std::string> peer_urls, const ProposeOptions& options,
              MembersDone done);
  void Promote(MemberId id, const ProposeOptions& options, MembersDone done);

 private:
  using Done = absl::AnyInvocable<void(absl::Status)>;
  using Check = absl::AnyInvocable<absl::Status()>;
  struct Forwarded;
  struct Deadline {
    base::Clock::Monotonic at = base::Clock::Monotonic::max();
    bool is_callers = true;
  };

  absl::Status MayAdd(bool is_learner) const;
  absl::Status MayRemove(MemberId id) const;
  absl::Status MayPromote(MemberId id) const;
  // Raft thread. kNotLeader when another member must be asked.
  absl::Status LearnerIsReady(MemberId id) const;
  absl::Status MayStillPromote(MemberId id) const;
  void PromoteHere(MemberId id, const ProposeOptions& options, MembersDone done);
  void AskLeader(std::shared_ptr<Forwarded> call);
  void OnLeaderReply(const std::shared_ptr<Forwarded>& call,
                     absl::StatusOr<ports::PeerReply> reply);

  void Propose(raft::ConfChange change, Check check, Deadline deadline, Done done);
  Done AnswerWith(MembersDone done) const;
  // Reports the answer to the observer as well.
  MembersDone Observed(MembersDone done) const;
  // Voters, this member included, that could be reached without interruption for long enough.
  std::size_t ConnectedVoters() const;

  Shared& shared_;
  RequestIds& ids_;
  RaftLoop& raft_;
};

// The view as the edges see it.
std::vector<MemberInfo> MemberInfos(const membership::View& view);

}  // namespace etcd::node
