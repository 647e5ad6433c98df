#include "server/raft/core.h"

#include <algorithm>
#include <utility>

#include "server/base/check.h"

namespace etcd::raft {
namespace {

bool IsFromLeader(MessageType type) {
  return type == MessageType::kApp || type == MessageType::kHeartbeat || type == MessageType::kSnap;
}

bool IsVoteRequest(MessageType type) {
  return type == MessageType::kVote || type == MessageType::kPreVote;
}

bool IsResponse(MessageType type) {
  return type == MessageType::kAppResp || type == MessageType::kVoteResp ||
         type == MessageType::kHeartbeatResp || type == MessageType::kPreVoteResp;
}

// Forwarded requests belong to no term.
bool MayLackTerm(MessageType type) {
  return type == MessageType::kProp || type == MessageType::kReadIndex ||
         type == MessageType::kTransferLeader;
}

// These promise that something is on disk: the log (kAppResp), term and vote (the others).
bool ImpliesPersistence(MessageType type) {
  return type == MessageType::kAppResp || type == MessageType::kVote ||
         type == MessageType::kVoteResp || type == MessageType::kPreVoteResp;
}

bool Contains(const std::vector<MemberId>& ids, MemberId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

Core::Core(const Config& config, InitialState initial, base::Random& random)
    : config_(config),
      random_(random),
      term_(initial.hard_state.term),
      vote_(initial.hard_state.vote),
      log_(initial.snapshot, std::move(initial.entries),
           std::max(initial.hard_state.commit, initial.applied), initial.applied),
      told_hard_state_(initial.hard_state),
      durable_term_(term_),
      durable_vote_(vote_) {
  CHECK(config_.id) << "a member needs an id";
  CHECK(config_.heartbeat_ticks > 0 && config_.election_ticks > config_.heartbeat_ticks)
      << "election timeout " << config_.election_ticks << " must exceed the heartbeat interval "
      << config_.heartbeat_ticks;
  SetConfiguration(std::move(initial.conf_state));
  BecomeFollower(term_, MemberId());
}

// ---- Messages ----

void Core::Step(Message m) {
  // 0 means "nobody" in a vote: nobody may ask for one.
  if (!m.from) return;
  // Someone outside of the configuration cannot vote or acknowledge.
  if (IsResponse(m.type) && !IsMember(m.from)) return;
  if (!AdmitTerm(m)) return;
  Dispatch(std::move(m));
}

// The term rules (paper 5.1). False: the message is dealt with.
bool Core::AdmitTerm(const Message& m) {
  if (!m.term) return MayLackTerm(m.type);
  if (m.term > term_) return AdmitHigherTerm(m);
  if (m.term < term_) {
    AnswerLowerTerm(m);
    return false;
  }
  return true;
}

bool Core::AdmitHigherTerm(const Message& m) {
  if (IsVoteRequest(m.type)) {
    // While a leader is alive here, a member that was cut off (or removed) must not disturb it
    // (paper section 6, thesis 4.2.3), unless the leader itself asked for the election.
    if (m.context != kCampaignTransfer && InLease()) return false;
  }
  // A pre-vote asks about a term that may never come; its grant talks about that term too.
  if (m.type == MessageType::kPreVote) return true;
  if (m.type == MessageType::kPreVoteResp && !m.reject) return true;
  BecomeFollower(m.term, IsFromLeader(m.type) ? m.from : MemberId());
  return true;
}

void Core::AnswerLowerTerm(const Message& m) {
  if (m.type == MessageType::kHeartbeat || m.type == MessageType::kApp) {
    // A leader of an old term steps down when it hears of ours. Without this a member that came
    // back with a higher term could never join again: check-quorum and pre-vote silence it.
    if (config_.check_quorum || config_.pre_vote) Send(Make(MessageType::kAppResp, m.from));
  } else if (m.type == MessageType::kPreVote) {
    Message refusal = Make(MessageType::kPreVoteResp, m.from);
    refusal.reject = true;
    Send(std::move(refusal));
  }
}

void Core::Dispatch(Message m) {
  switch (m.type) {
    case MessageType::kProp:
      return HandleProposal(std::move(m));
    case MessageType::kReadIndex:
      return HandleReadRequest(std::move(m));
    case MessageType::kReadIndexResp:
      return HandleReadResponse(std::move(m));
    case MessageType::kVote:
    case MessageType::kPreVote:
      return HandleVoteRequest(m);
    case MessageType::kVoteResp:
      return HandleVoteResponse(m);
    case MessageType::kPreVoteResp:
      return HandlePreVoteResponse(m);
    case MessageType::kTimeoutNow:
      return HandleTimeoutNow();
    case MessageType::kTransferLeader:
      return HandleTransferLeader(std::move(m));
    case MessageType::kAppResp:
      return HandleAppendResponse(m);
    case MessageType::kHeartbeatResp:
      return HandleHeartbeatResponse(m);
    case MessageType::kApp:
    case MessageType::kHeartbeat:
    case MessageType::kSnap:
      return DispatchFromLeader(std::move(m));
    case MessageType::kUnreachable:
    case MessageType::kSnapStatus:
      return;  // reports of the own driver; from the network they mean nothing
  }
}

void Core::DispatchFromLeader(Message m) {
  // A term has one leader: while this member leads, nobody else may claim its term.
  if (std::holds_alternative<Leader>(role_)) return;
  if (auto* follower = std::get_if<Follower>(&role_)) {
    follower->leader = m.from;
    election_elapsed_ = 0;
  } else {
    BecomeFollower(m.term, m.from);  // the election of this term is decided (paper 5.2)
  }
  if (m.type == MessageType::kApp) {
    HandleAppend(std::move(m));
  } else if (m.type == MessageType::kHeartbeat) {
    HandleHeartbeat(m);
  } else {
    HandleSnapshot(std::move(m));
  }
}

Message Core::Make(MessageType type, MemberId to) const {
  Message m;
  m.type = type;
  m.to = to;
  m.from = config_.id;
  m.term = term_;
  return m;
}

void Core::Send(Message m) {
  // A message of a term that is not on disk could survive a crash that this member's memory of
  // the term does not: one member, two leaderships in a term.
  const bool durable = TermIsDurable() || MayLackTerm(m.type);
  if (durable && !ImpliesPersistence(m.type)) {
    messages_.push_back(std::move(m));
    return;
  }
  if (m.type == MessageType::kAppResp && !m.reject && !messages_after_persist_.empty()) {
    // An acknowledgement covers the earlier ones.
    Message& last = messages_after_persist_.back();
    if (last.type == m.type && !last.reject && last.to == m.to && last.term == m.term) {
      last.index = std::max(last.index, m.index);
      return;
    }
  }
  messages_after_persist_.push_back(std::move(m));
}

// ---- Configuration, views ----

bool Core::IsVoter(MemberId id) const { return Contains(conf_.voters, id); }

bool Core::IsMember(MemberId id) const { return IsVoter(id) || Contains(conf_.learners, id); }

MemberId Core::leader() const {
  if (const auto* follower = std::get_if<Follower>(&role_)) return follower->leader;
  return std::holds_alternative<Leader>(role_) ? config_.id : MemberId();
}

Role Core::role() const {
  static_assert(static_cast<int>(Role::kLeader) == 3, "in the order of the variant");
  return static_cast<Role>(role_.index());
}

MemberId Core::transferee() const {
  const auto* leader = std::get_if<Leader>(&role_);
  return leader != nullptr ? leader->transferee : MemberId();
}

Status Core::status() const {
  Status s;
  s.id = config_.id;
  s.soft_state = soft_state();
  s.hard_state = hard_state();
  s.applied = log_.applied();
  s.persisted = log_.persisted();
  s.first_index = log_.first_index();
  s.last_index = log_.last_index();
  s.conf_state = conf_;
  if (const auto* leader = std::get_if<Leader>(&role_)) {
    s.transferee = leader->transferee;
    for (const auto& [id, progress] : leader->progress) s.progress[id] = progress.status();
  }
  return s;
}

// ---- The driver's side ----

bool Core::HasReady() const {
  if (!messages_.empty() || !messages_after_persist_.empty() || !read_states_.empty()) return true;
  if (log_.HasUntaken() || !snapshot_.empty()) return true;
  if (log_.HasCommitted(config_.applying_bytes_max)) return true;
  if (soft_state() != told_soft_state_ || hard_state() != told_hard_state_) return true;
  const auto* leader = std::get_if<Leader>(&role_);
  return leader != nullptr && (leader->round_open || HasUnsentAppends(*leader));
}

Ready Core::TakeReady() {
  if (auto* leader = std::get_if<Leader>(&role_)) {
    FlushReads(*leader);
    FlushAppends(*leader);
  }
  Ready ready;
  ready.number = ++ready_number_;
  ready.entries = log_.TakeUnwritten(ready.number);
  ready.snapshot = std::exchange(snapshot_, Snapshot());
  ready.committed = log_.TakeCommitted(config_.committed_bytes_max, config_.applying_bytes_max);
  ready.messages = std::exchange(messages_, {});
  ready.messages_after_persist = std::exchange(messages_after_persist_, {});
  ready.read_states = std::exchange(read_states_, {});
  ReportStates(ready);
  return ready;
}

void Core::ReportStates(Ready& ready) {
  const HardState hard = hard_state();
  const bool promised = hard.term != told_hard_state_.term || hard.vote != told_hard_state_.vote;
  if (hard != told_hard_state_) ready.hard_state = told_hard_state_ = hard;
  if (promised) vote_writes_.push_back({ready.number, hard.term, hard.vote});
  if (const SoftState soft = soft_state(); soft != told_soft_state_) {
    ready.soft_state = told_soft_state_ = soft;
  }
  ready.must_sync = promised || !ready.entries.empty() || !ready.snapshot.empty();
}

void Core::OnPersisted(std::uint64_t ready_number) {
  CHECK(ready_number <= ready_number_) << "Ready " << ready_number << " was never given out";
  log_.OnPersisted(ready_number);
  while (!vote_writes_.empty() && vote_writes_.front().number <= ready_number) {
    durable_term_ = vote_writes_.front().term;
    durable_vote_ = vote_writes_.front().vote;
    vote_writes_.pop_front();
  }
  // Only now the leader counts itself (etcd issue 14370).
  if (auto* leader = std::get_if<Leader>(&role_)) {
    const auto self = leader->progress.find(config_.id);
    if (self != leader->progress.end() && self->second.Acknowledge(log_.persisted())) {
      MaybeCommit(*leader);
    }
  }
}

void Core::OnApplied(Index index) {
  log_.OnApplied(index);
  if (index >= installing_) installing_ = Index();
}

void Core::CompactLog(Index index) { log_.Compact(index); }

}  // namespace etcd::raft
