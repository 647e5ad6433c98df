#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/base/ids.h"
#include "server/base/random.h"
#include "server/raft/config.h"
#include "server/raft/log.h"
#include "server/raft/ready.h"
#include "server/raft/roles.h"
#include "server/raft/status.h"
#include "server/raft/types.h"

namespace etcd::raft {

// Context of a vote that the leader itself asked for (wire fact).
inline constexpr std::string_view kCampaignTransfer = "CampaignTransfer";

enum class ProposeResult : std::uint8_t {
  kAppended,           // in this leader's log at `first_index`
  kForwarded,          // sent to the leader; outcome unknown until it is applied here
  kNoLeader,           // dropped
  kTransferring,       // dropped: this leader is handing over
  kNotMember,          // dropped: removed from the configuration
  kUncommittedFull,    // dropped: Config::uncommitted_bytes_max
  kConfChangePending,  // an earlier change is not applied yet; an empty entry took its place
};

struct Proposed {
  ProposeResult result = ProposeResult::kNoLeader;
  Index first_index;  // of the batch's first entry; 0 unless kAppended or kConfChangePending
  Term term;          // of those entries

  bool ok() const {
    return result == ProposeResult::kAppended || result == ProposeResult::kForwarded;
  }
};

// The raft protocol of one member as a pure machine: inputs change the state, TakeReady hands out
// what has to be done about it (order and obligations: ready.h). No I/O, clock, thread, log or
// hidden randomness: same state and same input give the same output.
// Owner: the raft thread. Copies are refused; `random` outlives the core.
class Core {
 public:
  Core(const Config& config, InitialState initial, base::Random& random);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // ---- Inputs from the network and the clock ----

  // A message that another member sent to this one. Messages that make no sense here (wrong type,
  // unknown responder, old term) are ignored, as the protocol allows for lost messages anyway.
  void Step(Message message);
  // One tick of the logical clock (etcd: one heartbeat interval).
  void Tick();
  // Starts an election now (the driver's start in a one-voter cluster, where the member leads at
  // once). Ignored by a leader, a learner, and while a committed configuration change or a
  // snapshot waits to be applied.
  void Campaign();

  // ---- Inputs from the clients of this member ----

  // Appends a batch of ordinary entries, in order and without gap, or forwards it to the leader.
  Proposed Propose(std::vector<Payload> batch);
  Proposed Propose(Payload data);
  // `encoded` is the ConfChange as raftcodec writes it. The core looks into it only when it comes
  // back through ApplyConfChange.
  Proposed ProposeConfChange(Payload encoded);
  // Asks for an index at which a linearizable read may be served; the answer is a ReadState with
  // the same context. False: no leader is known, nothing was sent. Unanswered reads are dropped
  // when the term or the leader changes, and messages get lost: the caller asks again, with a new
  // context (etcd issue 20418). Reads that arrive between two TakeReady share one round.
  bool ReadIndex(std::string context);
  // Leader only: hands over to the voter `to`; proposals are refused meanwhile. Gives up after one
  // election timeout. False: not the leader, or `to` is no other voter.
  bool TransferLeadership(MemberId to);

  // ---- Inputs from the driver ----

  // The Ready with this number, and all before it, are on disk.
  void OnPersisted(std::uint64_t ready_number);
  // Everything up to `index` is in the state machine.
  void OnApplied(Index index);
  // A committed change reached the state machine and was found valid there. One that was not is
  // passed with node_id 0 and changes nothing. Returns the configuration now in force.
  const ConfState& ApplyConfChange(const ConfChange& change);
  // Drops entries up to `index` (<= applied) from memory. A follower that needs them gets kSnap
  // with metadata of this core's applied index and no data: the driver puts the metadata and data
  // of a snapshot it really has (index >= the given one) in its place.
  void CompactLog(Index index);
  // The outcome of sending kSnap (ok: the receiver took it whole), or of trying to reach a member.
  void ReportSnapshot(MemberId to, bool ok);
  void ReportUnreachable(MemberId to);

  // ---- Output ----

  bool HasReady() const;
  Ready TakeReady();

  // ---- Views ----

  MemberId id() const { return config_.id; }
  Term term() const { return term_; }
  MemberId leader() const;  // 0: unknown
  Role role() const;
  // Whom this leader is handing over to; 0: nobody. Meanwhile it drops proposals.
  MemberId transferee() const;
  Index committed() const { return log_.committed(); }
  Index applied() const { return log_.applied(); }
  Index persisted() const { return log_.persisted(); }
  Index first_index() const { return log_.first_index(); }
  Index last_index() const { return log_.last_index(); }
  // 0 when the entry is compacted (except the last compacted one) or not there yet.
  Term term_at(Index index) const { return log_.term_at(index); }
  const Entry& entry_at(Index index) const { return log_.at(index); }  // must be in the log
  std::uint64_t log_bytes() const { return log_.bytes(); }
  const ConfState& conf_state() const { return conf_; }
  Status status() const;

 private:
  // election.cc
  bool Promotable() const;
  bool InLease() const;
  void StartPreElection();
  void StartElection(bool transfer);
  void RequestVotes(MessageType type, Term term, const std::string& context);
  void BecomeFollower(Term term, MemberId leader);
  void BecomeLeader();
  void ResetTimeout();
  void TickLeader();
  bool QuorumIsActive(Leader& leader);
  void HandleVoteRequest(const Message& m);
  void HandlePreVoteResponse(const Message& m);
  void HandleVoteResponse(const Message& m);
  void HandleTimeoutNow();
  void HandleTransferLeader(Message m);

  // core.cc: term rules and dispatch, output
  bool AdmitTerm(const Message& m);
  bool AdmitHigherTerm(const Message& m);
  void AnswerLowerTerm(const Message& m);
  void Dispatch(Message m);
  void DispatchFromLeader(Message m);
  void Send(Message m);
  void ReportStates(Ready& ready);
  Message Make(MessageType type, MemberId to) const;
  bool IsMember(MemberId id) const;
  bool IsVoter(MemberId id) const;
  bool TermIsDurable() const { return durable_term_ == term_ && durable_vote_ == vote_; }
  HardState hard_state() const { return {term_, vote_, log_.committed()}; }
  SoftState soft_state() const { return {leader(), role()}; }

  // append.cc
  Proposed ProposeEntries(EntryType type, std::vector<Payload> batch);
  Proposed AppendAsLeader(Leader& leader, EntryType type, std::vector<Payload> batch);
  ProposeResult AdmitProposal(const Leader& leader, std::uint64_t bytes) const;
  void HandleProposal(Message m);
  void HandleAppend(Message m);
  void HandleAppendResponse(const Message& m);
  void HandleAcknowledged(Leader& leader, MemberId from, Index index);
  void HandleHeartbeat(const Message& m);
  void HandleHeartbeatResponse(const Message& m);
  void MaybeCommit(Leader& leader);
  void FlushAppends(Leader& leader);
  bool HasUnsentAppends(const Leader& leader) const;
  bool WantsAppend(const Progress& progress) const;
  void SendAppend(MemberId to, Progress& progress);
  void BroadcastHeartbeat(Leader& leader);

  // read_index.cc
  void HandleReadRequest(Message m);
  void HandleReadResponse(Message m);
  void AcceptRead(Leader& leader, MemberId from, std::string context);
  void AdmitWaitingReads(Leader& leader);
  void ConfirmRound(Leader& leader, Progress& progress, const std::string& context);
  void ReleaseReads(Leader& leader);
  void AnswerRead(PendingRead read);
  std::string NextRoundContext(Leader& leader);
  void FlushReads(Leader& leader);

  // snapshot.cc
  void SendSnapshot(MemberId to, Progress& progress);
  void HandleSnapshot(Message m);
  bool RestoreFrom(Snapshot& snapshot);

  // confchange.cc
  void SetConfiguration(ConfState conf);
  void AdoptConfiguration(Leader& leader);
  Progress& AddProgress(Leader& leader, MemberId id, Index next);

  const Config config_;
  base::Random& random_;

  Term term_;
  MemberId vote_;
  Log log_;
  ConfState conf_;  // in force: as of the last ApplyConfChange
  std::variant<Follower, PreCandidate, Candidate, Leader> role_;
  int election_elapsed_ = 0;    // ticks; a leader counts to its next check-quorum round
  int randomized_timeout_ = 0;  // ticks
  Index installing_;            // snapshot handed out (or to be) and not applied; 0: none

  // Output collected since the last TakeReady.
  Snapshot snapshot_;
  std::vector<Message> messages_;
  std::vector<Message> messages_after_persist_;
  std::vector<ReadState> read_states_;
  SoftState told_soft_state_;
  HardState told_hard_state_;

  // Term and vote on disk, and those on their way there.
  struct VoteWrite {
    std::uint64_t number;
    Term term;
    MemberId vote;
  };
  std::uint64_t ready_number_ = 0;
  std::deque<VoteWrite> vote_writes_;
  Term durable_term_;
  MemberId durable_vote_;
};

}  // namespace etcd::raft
