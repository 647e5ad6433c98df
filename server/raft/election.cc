#include <algorithm>
#include <utility>

#include "server/base/check.h"
#include "server/raft/core.h"
#include "server/raft/quorum.h"

// Elections (paper 5.2, 5.4.1), pre-vote (thesis 9.6), check-quorum (thesis 6.2), leadership
// transfer (thesis 3.10).
namespace etcd::raft {

// ---- Time ----

void Core::Tick() {
  if (std::holds_alternative<Leader>(role_)) {
    TickLeader();
    return;
  }
  ++election_elapsed_;
  if (election_elapsed_ < randomized_timeout_ || !Promotable()) return;
  election_elapsed_ = 0;
  Campaign();
}

void Core::TickLeader() {
  auto& leader = std::get<Leader>(role_);
  ++leader.ticks;
  ++leader.heartbeat_elapsed;
  ++election_elapsed_;
  if (election_elapsed_ >= config_.election_ticks) {
    election_elapsed_ = 0;
    leader.transferee = MemberId();  // it had its chance
  }
  if (!QuorumIsActive(leader) && config_.check_quorum) {
    // Cut off from the majority, which may have a new leader by now.
    BecomeFollower(term_, MemberId());
    return;
  }
  if (leader.heartbeat_elapsed >= config_.heartbeat_ticks) {
    leader.heartbeat_elapsed = 0;
    BroadcastHeartbeat(leader);
  }
}

// Has a majority answered within the last election timeout? Looked at in each tick: looks one
// timeout apart, as etcd's, would let a leader go on for up to two after it was cut off.
bool Core::QuorumIsActive(Leader& leader) {
  const auto timeout = static_cast<std::uint64_t>(config_.election_ticks);
  std::size_t active = 0;
  for (auto& [id, progress] : leader.progress) {
    const bool is_silent = leader.ticks - progress.active_at >= timeout;
    if (is_silent) progress.recently_active = false;
    if (IsVoter(id) && (id == config_.id || !is_silent)) ++active;
  }
  return active >= Majority(conf_.voters.size());
}

void Core::ResetTimeout() {
  election_elapsed_ = 0;
  const auto spread = static_cast<std::uint64_t>(config_.election_ticks);
  randomized_timeout_ = config_.election_ticks + static_cast<int>(random_.Below(spread));
}

// ---- Role changes ----

void Core::BecomeFollower(Term term, MemberId leader_id) {
  CHECK(term >= term_) << "term goes back from " << term_ << " to " << term;
  // What an old leader said about reads is not mixed with a new one's (etcd issue 20418).
  if (term != term_ || leader_id != leader()) read_states_.clear();
  if (term != term_) {
    term_ = term;
    vote_ = MemberId();
  }
  role_ = Follower{leader_id};
  ResetTimeout();
}

void Core::BecomeLeader() {
  Leader leader;
  for (const auto* ids : {&conf_.voters, &conf_.learners}) {
    for (const MemberId id : *ids) AddProgress(leader, id, log_.last_index() + 1);
  }
  if (auto self = leader.progress.find(config_.id); self != leader.progress.end()) {
    self->second.Acknowledge(log_.persisted());
  }
  // Anything up to here may be a configuration change that is not applied yet.
  leader.pending_conf_index = log_.last_index();
  read_states_.clear();
  role_ = std::move(leader);
  election_elapsed_ = 0;
  // Entries of earlier terms commit only below one of this term (paper 5.4.2, thesis 6.4).
  log_.Append(term_, EntryType::kNormal, Payload());
}

// ---- Campaigns ----

// With a snapshot or a configuration change still to be applied this member does not know yet
// which majority it would need.
bool Core::Promotable() const { return IsVoter(config_.id) && !installing_; }

bool Core::InLease() const {
  return config_.check_quorum && leader() && election_elapsed_ < config_.election_ticks;
}

void Core::Campaign() {
  if (std::holds_alternative<Leader>(role_) || !Promotable()) return;
  if (log_.HasUnappliedConfChange()) return;
  if (config_.pre_vote) {
    StartPreElection();
  } else {
    StartElection(/*transfer=*/false);
  }
}

// Asks whether an election could be won before disturbing anybody with a new term.
void Core::StartPreElection() {
  read_states_.clear();
  ResetTimeout();
  Votes votes = {{config_.id, true}};
  const bool won = CountVotes(conf_.voters, votes) == VoteOutcome::kWon;
  role_ = PreCandidate{std::move(votes)};
  if (won) return StartElection(/*transfer=*/false);
  RequestVotes(MessageType::kPreVote, term_ + 1, {});
}

void Core::StartElection(bool transfer) {
  BecomeFollower(term_ + 1, MemberId());
  vote_ = config_.id;
  Votes votes = {{config_.id, true}};
  const bool won = CountVotes(conf_.voters, votes) == VoteOutcome::kWon;
  role_ = Candidate{std::move(votes)};
  if (won) return BecomeLeader();
  RequestVotes(MessageType::kVote, term_, transfer ? std::string(kCampaignTransfer) : "");
}

void Core::RequestVotes(MessageType type, Term term, const std::string& context) {
  for (const MemberId voter : conf_.voters) {
    if (voter == config_.id) continue;
    Message m = Make(type, voter);
    m.term = term;
    m.index = log_.last_index();
    m.log_term = log_.last_term();
    m.context = context;
    Send(std::move(m));
  }
}

// ---- Votes ----

void Core::HandleVoteRequest(const Message& m) {
  const bool pre = m.type == MessageType::kPreVote;
  const bool free_to_vote = vote_ == m.from || (!vote_ && !leader()) || (pre && m.term > term_);
  Message answer = Make(pre ? MessageType::kPreVoteResp : MessageType::kVoteResp, m.from);
  if (free_to_vote && log_.IsUpToDate(m.index, m.log_term)) {
    // A pre-vote's grant speaks of the future term, a refusal of the present one.
    answer.term = m.term;
    if (!pre) {
      vote_ = m.from;
      election_elapsed_ = 0;
    }
  } else {
    answer.reject = true;
  }
  Send(std::move(answer));
}

void Core::HandlePreVoteResponse(const Message& m) {
  auto* candidate = std::get_if<PreCandidate>(&role_);
  if (candidate == nullptr) return;
  if (m.term != (m.reject ? term_ : term_ + 1)) return;  // of another round
  candidate->votes.try_emplace(m.from, !m.reject);
  switch (CountVotes(conf_.voters, candidate->votes)) {
    case VoteOutcome::kWon:
      return StartElection(/*transfer=*/false);
    case VoteOutcome::kLost:
      return BecomeFollower(term_, MemberId());
    case VoteOutcome::kPending:
      return;
  }
}

void Core::HandleVoteResponse(const Message& m) {
  auto* candidate = std::get_if<Candidate>(&role_);
  if (candidate == nullptr) return;
  candidate->votes.try_emplace(m.from, !m.reject);
  switch (CountVotes(conf_.voters, candidate->votes)) {
    case VoteOutcome::kWon:
      return BecomeLeader();
    case VoteOutcome::kLost:
      return BecomeFollower(term_, MemberId());
    case VoteOutcome::kPending:
      return;
  }
}

// ---- Leadership transfer ----

bool Core::TransferLeadership(MemberId to) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr || to == config_.id || !IsVoter(to)) return false;
  if (leader->transferee == to) return true;
  leader->transferee = to;
  election_elapsed_ = 0;  // one election timeout from now
  Progress& progress = leader->progress.at(to);
  if (progress.match == log_.last_index()) {
    Send(Make(MessageType::kTimeoutNow, to));
  } else {
    progress.send_even_empty = true;  // bring it up to date; its answer goes on from here
  }
  return true;
}

// From a follower whose operator asked it; `from` is the transferee.
void Core::HandleTransferLeader(Message m) {
  if (std::holds_alternative<Leader>(role_)) {
    TransferLeadership(m.from);
  } else if (leader()) {
    m.to = leader();
    m.term = term_;
    Send(std::move(m));
  }
}

void Core::HandleTimeoutNow() {
  if (!std::holds_alternative<Follower>(role_) || !Promotable()) return;
  if (log_.HasUnappliedConfChange()) return;
  // No pre-vote: the leader wants it, and its followers' leases must not stand in the way.
  StartElection(/*transfer=*/true);
}

}  // namespace etcd::raft
