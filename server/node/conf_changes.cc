#include "server/node/conf_changes.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/membership/member.h"
#include "server/raftcodec/raftpb.h"

namespace etcd::node {
namespace {

using raft::ConfChangeType;

// How long a member must have been reachable to count as healthy (etcd: HealthInterval).
constexpr std::chrono::seconds kHealthInterval(5);
// Between two rounds over the leader's URLs.
constexpr std::chrono::milliseconds kForwardPause(50);
// Without a deadline of their own, callers wait for as long as it takes, as in etcd.
constexpr base::Clock::Monotonic kNever = base::Clock::Monotonic::max();

struct Voters {
  std::size_t all = 0;
  std::size_t started = 0;  // has published its name
};

Voters CountVoters(const membership::View& view, MemberId except) {
  Voters out;
  for (const auto& [id, member] : view.members) {
    if (member.is_learner || id == except) continue;
    ++out.all;
    if (!member.name.empty()) ++out.started;
  }
  return out;
}

std::size_t QuorumOf(std::size_t voters) { return voters / 2 + 1; }

}  // namespace

std::vector<MemberInfo> MemberInfos(const membership::View& view) {
  std::vector<MemberInfo> out;
  for (const auto& [id, m] : view.members) {
    out.push_back({id, m.name, m.peer_urls, m.client_urls, m.is_learner});
  }
  return out;
}

// A promotion that the leader is asked for (raft-peer-storage.md 3.15); raft thread.
struct ConfChanges::Forwarded {
  MemberId id;
  base::Clock::Monotonic deadline;
  MembersDone done;
  std::size_t next_url = 0;
};

// ---- The four changes

void ConfChanges::Add(std::vector<std::string> peer_urls, bool is_learner,
                      const ProposeOptions& options, AddedMemberDone done) {
  if (absl::Status refused = MayAdd(is_learner); !refused.ok()) return done(std::move(refused));
  const auto now = shared_.ports.raft.clock().WallNow().time_since_epoch();
  membership::Member member;
  std::sort(peer_urls.begin(), peer_urls.end());
  member.id = membership::MakeMemberId(
      peer_urls, "", std::chrono::duration_cast<std::chrono::seconds>(now).count());
  member.peer_urls = std::move(peer_urls);
  member.is_learner = is_learner;
  raft::ConfChange change;
  change.type = is_learner ? ConfChangeType::kAddLearnerNode : ConfChangeType::kAddNode;
  change.node_id = member.id;
  change.context = membership::EncodeMember(member);
  Propose(
      std::move(change), [this, is_learner] { return MayAdd(is_learner); },
      {options.deadline.value_or(kNever)},
      [this, member, done = std::move(done)](absl::Status status) mutable {
        if (!status.ok()) return done(std::move(status));
        AddedMember added;
        added.member = {member.id, "", member.peer_urls, {}, member.is_learner};
        added.members = MemberInfos(*shared_.cluster.view());
        done(std::move(added));
      });
}

void ConfChanges::Remove(MemberId id, const ProposeOptions& options, MembersDone done) {
  if (absl::Status refused = MayRemove(id); !refused.ok()) return done(std::move(refused));
  raft::ConfChange change;
  change.type = ConfChangeType::kRemoveNode;
  change.node_id = id;
  Propose(
      std::move(change), [this, id] { return MayRemove(id); }, {options.deadline.value_or(kNever)},
      AnswerWith(std::move(done)));
}

void ConfChanges::Update(MemberId id, std::vector<std::string> peer_urls,
                         const ProposeOptions& options, MembersDone done) {
  membership::Member member;
  member.id = id;
  member.peer_urls = std::move(peer_urls);
  raft::ConfChange change;
  change.type = ConfChangeType::kUpdateNode;
  change.node_id = id;
  change.context = membership::EncodeMember(member);
  Propose(std::move(change), nullptr, {options.deadline.value_or(kNever)},
          AnswerWith(std::move(done)));
}

void ConfChanges::Promote(MemberId id, const ProposeOptions& options, MembersDone done) {
  shared_.ports.raft.Post([this, id, options, done = std::move(done)]() mutable {
    const absl::Status ready = LearnerIsReady(id);
    if (ready.ok()) return PromoteHere(id, options, Observed(std::move(done)));
    if (ErrcOf(ready) != Errc::kNotLeader) return Observed(std::move(done))(ready);
    if (shared_.ports.peer_client == nullptr) return done(ready);
    const auto give_up = shared_.ports.raft.clock().Now() + shared_.options.request_timeout();
    auto call = std::make_shared<Forwarded>();
    call->id = id;
    call->deadline = std::min(options.deadline.value_or(give_up), give_up);
    call->done = std::move(done);
    AskLeader(std::move(call));
  });
}

void ConfChanges::PromoteHere(MemberId id, const ProposeOptions& options, MembersDone done) {
  if (absl::Status refused = MayPromote(id); !refused.ok()) return done(std::move(refused));
  raft::ConfChange change;
  change.type = ConfChangeType::kAddNode;
  change.node_id = id;
  change.context = membership::EncodePromotion(id);
  // Members that ask for it over HTTP give no deadline of their own.
  const auto give_up = shared_.ports.raft.clock().Now() + shared_.options.request_timeout();
  Propose(
      std::move(change), [this, id] { return MayStillPromote(id); },
      {options.deadline.value_or(give_up), options.deadline.has_value()},
      AnswerWith(std::move(done)));
}

// ---- Checks

std::size_t ConfChanges::ConnectedVoters() const {
  const auto since = shared_.ports.raft.clock().Now() - kHealthInterval;
  std::size_t count = 0;
  for (const auto& [id, member] : shared_.cluster.view()->members) {
    if (member.is_learner) continue;
    const auto active = shared_.ports.peers.ActiveSince(id);
    if (id == shared_.id || (active.has_value() && *active <= since)) ++count;
  }
  return count;
}

// The majority of the new configuration must be there without the new member, except that a
// cluster of one may grow (etcd issue 21667).
absl::Status ConfChanges::MayAdd(bool is_learner) const {
  if (!shared_.options.strict_reconfig_check) return absl::OkStatus();
  const Voters voters = CountVoters(*shared_.cluster.view(), MemberId());
  const bool grows_from_one = voters.started == 1 && voters.all == 1;
  if (!is_learner && !grows_from_one && voters.started < QuorumOf(voters.all + 1)) {
    return Error(Errc::kNotEnoughStartedMembers);
  }
  if (voters.all == 1 || ConnectedVoters() >= QuorumOf(voters.all + 1)) return absl::OkStatus();
  LOG_WARN(
      "rejecting member add request; local member has not been connected to enough peers, "
      "reconfigure breaks active quorum");
  return Error(Errc::kUnhealthyCluster);
}

absl::Status ConfChanges::MayRemove(MemberId id) const {
  const membership::ViewPtr view = shared_.cluster.view();
  const membership::Member* member = view->Find(id);
  if (member != nullptr && member->is_learner) return absl::OkStatus();
  const Voters left = CountVoters(*view, id);
  // Without a voter there is nobody who could ever commit again: refused with any flag.
  if (left.all == 0) return Error(Errc::kNotEnoughStartedMembers);
  if (!shared_.options.strict_reconfig_check) return absl::OkStatus();
  if (left.started < QuorumOf(left.all)) return Error(Errc::kNotEnoughStartedMembers);
  // A member that is down is no part of the majority at work.
  if (id != shared_.id && !shared_.ports.peers.ActiveSince(id).has_value()) {
    return absl::OkStatus();
  }
  const std::size_t voters = CountVoters(*view, MemberId()).all;
  if (ConnectedVoters() > QuorumOf(voters - 1)) return absl::OkStatus();
  LOG_WARN(
      "rejecting member remove request; local member has not been connected to enough peers, "
      "reconfigure breaks active quorum",
      {"requested-member-remove", base::FormatHex(id.value())});
  return Error(Errc::kUnhealthyCluster);
}

// The learner counts as started: it is in sync.
absl::Status ConfChanges::MayPromote(MemberId id) const {
  if (!shared_.options.strict_reconfig_check) return absl::OkStatus();
  const Voters voters = CountVoters(*shared_.cluster.view(), id);
  return voters.started + 1 >= QuorumOf(voters.all + 1) ? absl::OkStatus()
                                                        : Error(Errc::kNotEnoughStartedMembers);
}

// Another member that leads by now is not asked again: it has been in sync.
absl::Status ConfChanges::MayStillPromote(MemberId id) const {
  const absl::Status ready = LearnerIsReady(id);
  return ready.ok() || ErrcOf(ready) == Errc::kNotLeader ? MayPromote(id) : ready;
}

// In sync: nine tenths of what this leader itself has on disk.
absl::Status ConfChanges::LearnerIsReady(MemberId id) const {
  const raft::Status status = raft_.core().status();
  if (status.soft_state.role != raft::Role::kLeader) return Error(Errc::kNotLeader);
  const auto learner = status.progress.find(id);
  const auto self = status.progress.find(shared_.id);
  if (learner == status.progress.end() || self == status.progress.end()) {
    return Error(Errc::kMemberNotFound);
  }
  const double learner_match = static_cast<double>(learner->second.match.value());
  const double own_match = static_cast<double>(self->second.match.value());
  return learner_match < own_match * 0.9 ? Error(Errc::kLearnerNotReady) : absl::OkStatus();
}

// ---- Proposal and answer

// Answered only when raft works with the new configuration: whoever asks next, asks it.
void ConfChanges::Propose(raft::ConfChange change, Check check, Deadline deadline, Done done) {
  if (shared_.is_stopping.load() || shared_.halted()) return done(Error(Errc::kStopped));
  change.id = ids_.Next().value();
  Proposal proposal;
  proposal.id = RequestId(change.id);
  proposal.type = raft::EntryType::kConfChange;
  proposal.entry = raftcodec::Encode(change);
  proposal.start = shared_.ports.raft.clock().Now();
  proposal.deadline = deadline.at;
  proposal.deadline_is_callers = deadline.is_callers;
  proposal.check = std::move(check);
  proposal.done = [this, done = std::move(done)](apply::Result result) mutable {
    if (!result.status.ok()) return done(std::move(result.status));
    shared_.ports.raft.Post([this, done = std::move(done)]() mutable {
      raft_.Drain();
      done(absl::OkStatus());
    });
  };
  shared_.queued_bytes.fetch_add(proposal.entry.size(), std::memory_order_relaxed);
  raft_.inbox().Put(std::move(proposal));
}

ConfChanges::Done ConfChanges::AnswerWith(MembersDone done) const {
  return [this, done = std::move(done)](absl::Status status) mutable {
    if (!status.ok()) return done(std::move(status));
    done(MemberInfos(*shared_.cluster.view()));
  };
}

MembersDone ConfChanges::Observed(MembersDone done) const {
  return [observer = shared_.ports.observer,
          done = std::move(done)](absl::StatusOr<std::vector<MemberInfo>> members) mutable {
    if (observer != nullptr) observer->OnPromotion(members.status());
    done(std::move(members));
  };
}

// ---- Promotion through the leader

void ConfChanges::AskLeader(std::shared_ptr<Forwarded> call) {
  const auto now = shared_.ports.raft.clock().Now();
  const membership::ViewPtr view = shared_.cluster.view();
  const membership::Member* leader = view->Find(MemberId(shared_.leader.load()));
  if (shared_.is_stopping.load()) return call->done(Error(Errc::kStopped));
  if (now >= call->deadline) {
    return call->done(Error(leader == nullptr ? Errc::kNoLeader : Errc::kTimeout));
  }
  if (leader == nullptr || leader->id == shared_.id || leader->peer_urls.empty()) {
    shared_.ports.raft.PostAfter(kForwardPause, [this, call] {
      if (shared_.leader.load() != shared_.id.value()) return AskLeader(call);
      Promote(call->id, {.deadline = call->deadline}, std::move(call->done));
    });
    return;
  }
  const std::string url = leader->peer_urls[call->next_url++ % leader->peer_urls.size()];
  ports::PeerRequest request;
  request.method = "POST";
  request.path = "/members/promote/" + std::to_string(call->id.value());
  shared_.ports.peer_client->Ask(
      url, std::move(request), call->deadline - now,
      [this, call](absl::StatusOr<ports::PeerReply> reply) mutable {
        shared_.ports.raft.Post([this, call, reply = std::move(reply)]() mutable {
          OnLeaderReply(call, std::move(reply));
        });
      });
}

void ConfChanges::OnLeaderReply(const std::shared_ptr<Forwarded>& call,
                                absl::StatusOr<ports::PeerReply> reply) {
  if (reply.ok() && reply->status == 200) {
    const auto members = membership::DecodeMembers(reply->body);
    if (!members.ok()) return call->done(members.status());
    membership::View view;
    for (const membership::Member& member : *members) view.members[member.id] = member;
    return call->done(MemberInfos(view));
  }
  if (reply.ok() && reply->status == 404) return call->done(Error(Errc::kMemberNotFound));
  if (reply.ok() && reply->status == 412) {
    const bool not_ready = reply->body.find("in sync with leader") != std::string::npos;
    return call->done(Error(not_ready ? Errc::kLearnerNotReady : Errc::kMemberNotLearner));
  }
  // No leader any more, or not reachable: whoever leads next may answer.
  shared_.ports.raft.PostAfter(kForwardPause, [this, call] { AskLeader(call); });
}

}  // namespace etcd::node
