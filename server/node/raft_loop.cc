#include "server/node/raft_loop.h"

#include <algorithm>
#include <utility>

#include "server/base/failpoint.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::node {
namespace {

constexpr std::chrono::milliseconds kFullDiskRetry(500);
// How long a start waits for peers; see AdvanceElection.
constexpr std::chrono::seconds kAdvanceMax(5);

// Of what may wait for the log, that much may be in a leader's log without a majority that has it:
// 1 GiB. etcd has no such limit: its leader takes what its disk takes while the others do not
// follow.
constexpr std::uint64_t kUncommittedShare = 4;

raft::Config CoreConfig(const Shared& shared) {
  raft::Config config;
  config.id = shared.id;
  config.election_ticks = shared.options.election_ticks;
  config.pre_vote = shared.options.pre_vote;
  config.uncommitted_bytes_max = kUncommittedShare * shared.options.queued_bytes_max;
  return config;
}

// Before it reached any log: a definite failure, the client may try again.
Errc DroppedAs(raft::ProposeResult result) {
  return result == raft::ProposeResult::kUncommittedFull ? Errc::kTooManyRequests
                                                         : Errc::kLeaderChanged;
}

}  // namespace

RaftLoop::RaftLoop(Shared& shared, RequestIds& ids, ApplyLoop& apply, RaftObserver& observer,
                   Boot boot)
    : shared_(shared),
      apply_(apply),
      observer_(observer),
      wal_(std::move(boot.wal)),
      core_(CoreConfig(shared), std::move(boot.raft), shared.ports.random),
      reads_(shared, ids, apply, core_),
      inbox_(shared.ports.raft, [this] { Drain(); }),
      recorded_(core_.first_index() - 1),
      caught_up_at_(core_.committed()) {
  shared_.term.store(core_.term().value());
  shared_.committed.store(core_.committed().value());
}

void RaftLoop::Start() {
  started_ = shared_.ports.raft.clock().Now();
  AdvanceReadys();
  HearApply();
  ScheduleTick(shared_.ports.raft.clock().Now() + shared_.options.heartbeat_interval);
}

void RaftLoop::Drain() {
  if (shared_.halted()) return;
  if (closed_) return RefuseLate(inbox_.Take());
  HearApply();
  Process(inbox_.Take());
  AdvanceReadys();
  HearApply();
}

// What passed the check of is_stopping just before Stop was called.
void RaftLoop::RefuseLate(Inbox::Contents contents) {
  for (Proposal& proposal : contents.proposals) Refuse(proposal, Errc::kStopped);
  for (ReadDone& read : contents.reads) read(Error(Errc::kStopped));
}

void RaftLoop::Process(Inbox::Contents contents) {
  TakeMessages(contents);
  if (!contents.proposals.empty()) Propose(std::move(contents.proposals));
  if (!contents.reads.empty()) reads_.Add(std::move(contents.reads));
  reads_.Flush();
}

// ---- Proposals

void RaftLoop::Propose(std::vector<Proposal> proposals) {
  if (!CanPropose()) return ParkOrRefuse(std::move(proposals));
  std::vector<raft::Payload> batch;
  std::vector<Waiter> waiters;
  std::vector<RequestId> ids;
  std::vector<Proposal> changes;
  batch.reserve(proposals.size());
  waiters.reserve(proposals.size());
  ids.reserve(proposals.size());
  for (Proposal& proposal : proposals) {
    if (!Admit(proposal)) continue;
    if (proposal.type != raft::EntryType::kNormal) {
      changes.push_back(std::move(proposal));
      continue;
    }
    Leave(proposal);
    ids.push_back(proposal.id);
    batch.emplace_back(std::move(proposal.entry));
    waiters.push_back({proposal.id, std::move(proposal.done), proposal.start, proposal.deadline,
                       proposal.deadline_is_callers, core_.term()});
  }
  for (Proposal& change : changes) ProposeChange(std::move(change));
  if (batch.empty()) return;
  shared_.waiters.AddAll(std::move(waiters));
  if (MemberObserver* observer = shared_.ports.observer; observer != nullptr) {
    observer->OnProposed(batch.size());
  }
  const raft::Proposed proposed = core_.Propose(std::move(batch));
  if (!proposed.ok()) FailProposed(ids, Error(DroppedAs(proposed.result)));
}

// False: the proposal was answered here.
bool RaftLoop::Admit(Proposal& proposal) {
  if (!proposal.required_term) return true;
  const bool leads = core_.role() == raft::Role::kLeader;
  if (leads && core_.term() == proposal.required_term) return true;
  Refuse(proposal, Errc::kNotLeader);
  return false;
}

// One change at a time: raft puts an empty entry in the place of another. That is known at once on
// the leader only; a change that was forwarded to a busy leader waits for its deadline.
//
// Checked here, where all earlier changes are applied if raft takes it at all: what was right when
// it was asked for may take the last voter by now.
void RaftLoop::ProposeChange(Proposal proposal) {
  if (absl::Status may = proposal.check ? proposal.check() : absl::OkStatus(); !may.ok()) {
    return Refuse(proposal, std::move(may));
  }
  const raft::Proposed proposed = core_.ProposeConfChange(raft::Payload(proposal.entry));
  if (proposed.result == raft::ProposeResult::kConfChangePending) {
    postponed_.emplace_back(proposed.first_index, std::move(proposal));
    return;
  }
  if (!proposed.ok()) return Refuse(proposal, DroppedAs(proposed.result));
  Leave(proposal);
  if (proposed.result == raft::ProposeResult::kForwarded) {
    const auto give_up = shared_.ports.raft.clock().Now() + shared_.options.request_timeout();
    if (give_up < proposal.deadline) proposal.deadline_is_callers = false;
    proposal.deadline = std::min(proposal.deadline, give_up);
  }
  std::vector<Waiter> waiters;
  waiters.push_back({proposal.id, std::move(proposal.done), proposal.start, proposal.deadline,
                     proposal.deadline_is_callers, core_.term()});
  shared_.waiters.AddAll(std::move(waiters));
}

void RaftLoop::RetryChanges() {
  std::vector<Proposal> due;
  std::erase_if(postponed_, [&](auto& item) {
    if (item.first > core_.applied()) return false;
    due.push_back(std::move(item.second));
    return true;
  });
  if (!due.empty()) Propose(std::move(due));
}

// It no longer counts as queued.
void RaftLoop::Leave(const Proposal& proposal) {
  shared_.queued_bytes.fetch_sub(proposal.entry.size(), std::memory_order_relaxed);
}

void RaftLoop::Refuse(Proposal& proposal, absl::Status status) {
  Leave(proposal);
  proposal.done({std::move(status), {}, Revision(), Index()});
}

void RaftLoop::ParkOrRefuse(std::vector<Proposal> proposals) {
  for (Proposal& proposal : proposals) {
    if (!Admit(proposal)) continue;
    if (shared_.is_stopping.load()) {
      Refuse(proposal, Errc::kStopped);
    } else {
      parked_.push_back(std::move(proposal));
    }
  }
}

void RaftLoop::FailProposed(const std::vector<RequestId>& ids, const absl::Status& status) {
  for (Waiter& waiter : shared_.waiters.TakeAll(ids)) {
    if (waiter.done) waiter.done({status, {}, Revision(), Index()});
  }
}

void RaftLoop::RefuseParked() {
  held_.clear();
  for (Proposal& proposal : std::exchange(parked_, {})) {
    Refuse(proposal, Errc::kStopped);
  }
  for (auto& [index, proposal] : std::exchange(postponed_, {})) {
    Refuse(proposal, Errc::kStopped);
  }
  reads_.FailAll(Error(Errc::kStopped));
}

// ---- Readys

// Steps of ready.h, one Ready after the other. The commit index alone is not written by itself: it
// goes along with the next entries, and a restart finds it out again. Not that of a change of the
// configuration: to find it out, the restart would need the members that the change has removed.
void RaftLoop::AdvanceReadys() {
  // One is at work: it waits for the disk, or this call comes from something that it called (a new
  // leader goes on with a hand-over). What it left to do is taken when the one at work is done.
  if (ready_.has_value()) return;
  while (core_.HasReady() && !shared_.halted()) {
    ready_ = core_.TakeReady();
    if (ready_->soft_state.has_value()) OnSoftState(*ready_->soft_state);
    if (!ready_->messages.empty()) {
      FAILPOINT("raftBeforeLeaderSend");
      SendAll(std::move(ready_->messages));
    }
    if (!ready_->snapshot.empty()) return SaveReceived();
    if (!Persist()) return;
    FAILPOINT("raftBeforeAdvance");
    CompleteReady();
  }
}

bool RaftLoop::ChangesConfiguration() const {
  return std::ranges::any_of(ready_->committed, [](const raft::Entry& entry) {
    return entry.type != raft::EntryType::kNormal;
  });
}

// False when the disk is full (tried again later) or failed (the member stops).
bool RaftLoop::Persist() {
  if (ready_->hard_state.has_value()) unsaved_ = *ready_->hard_state;
  if (!ready_->must_sync && ready_->entries.empty() && !ChangesConfiguration()) return true;
  FAILPOINT("raftBeforeSave");
  const absl::Status status = WriteReady();
  FAILPOINT("raftAfterSave");
  if (status.ok()) {
    unsaved_ = raft::HardState();
    return true;
  }
  if (status.code() != absl::StatusCode::kResourceExhausted) {
    // The page cache may have dropped the bytes: no retry, no acknowledgement (house style 4).
    shared_.Halt("failed to write the log", status);
    return false;
  }
  shared_.log_is_full.store(true);
  retry_posted_ = true;
  shared_.ports.raft.PostAfter(kFullDiskRetry, [this] {
    retry_posted_ = false;
    if (shared_.halted() || closed_ || !Persist()) return;
    CompleteReady();
    AdvanceReadys();
  });
  return false;
}

void RaftLoop::CompleteReady() {
  core_.OnPersisted(ready_->number);
  if (!ready_->messages_after_persist.empty()) {
    FAILPOINT("raftBeforeFollowerSend");
    SendAll(std::move(ready_->messages_after_persist));
  }
  if (!ready_->snapshot.empty()) observer_.InstallSnapshot(ready_->snapshot.metadata);
  shared_.term.store(core_.term().value(), std::memory_order_relaxed);
  shared_.committed.store(core_.committed().value(), std::memory_order_relaxed);
  if (!ready_->committed.empty()) {
    // Without peers there is nobody who waits for a heartbeat while this thread applies; with more
    // proposals waiting, the disk and the apply thread had better work side by side.
    const bool may_run_here = core_.conf_state().voters.size() == 1 &&
                              core_.conf_state().learners.empty() && replayed_ &&
                              !inbox_.HasProposals();
    const Index last = ready_->committed.back().index;
    // To hear when the replay is over, and when raft may hand out what it held back.
    if (!replayed_ || last < core_.committed()) apply_.ReportAt(last);
    apply_.Enqueue(std::move(ready_->committed), may_run_here);
  }
  for (const raft::ReadState& state : ready_->read_states) reads_.OnReadState(state);
  ready_.reset();
}

void RaftLoop::HearApply() {
  const ApplyLoop::Report report = apply_.TakeReport();
  if (report.installed > installed_) HearInstalled(report.installed);
  for (const raft::ConfChange& change : report.conf_changes) {
    // Before a second voter can elect another leader, reads must ask for a quorum again.
    shared_.is_lone_leader.store(false);
    core_.ApplyConfChange(change);
    alone_from_ = core_.committed();
    observer_.OnConfChange(change);
  }
  if (report.applied) core_.OnApplied(report.applied);
  if (report.term_started > started_term_) {
    started_term_ = report.term_started;
    const auto now = shared_.ports.raft.clock().Now();
    shared_.waiters.Doubt(started_term_, now + shared_.options.election_timeout() / 2);
    if (core_.role() == raft::Role::kLeader && core_.term() == started_term_) {
      observer_.OnTermStarted(started_term_);
    }
  }
  if (!replayed_ && core_.applied() >= caught_up_at_) {
    replayed_ = true;
    shared_.store->StartCompaction();
    // A lone voter need not wait for an election timeout that nobody else can answer.
    const auto& voters = core_.conf_state().voters;
    if (voters.size() == 1 && voters.front() == shared_.id) core_.Campaign();
  }
  UpdateLoneLeader();
  if (core_.HasReady()) AdvanceReadys();
}

void RaftLoop::OnSoftState(const raft::SoftState& state) {
  const bool is_self = state.role == raft::Role::kLeader;
  const MemberId before(shared_.leader.exchange(state.leader.value()));
  if (!is_self) shared_.is_lone_leader.store(false);
  if (before == state.leader) return;
  LOG_INFO("leader changed", {"term", core_.term()},
           {"leader", base::FormatHex(state.leader.value())});
  if (state.leader) leader_since_ = shared_.ports.raft.clock().Now();
  reads_.OnLeaderChange();
  observer_.OnLeadership(core_.term(), state.leader, is_self);
  ReleaseHeld();
}

// Alone: nobody else can have answered what is not applied here yet. A learner can, when it has
// applied its promotion before this member has. So can who was removed: it took part in what was
// committed until raft here left it out (alone_from_), and may have applied that first.
void RaftLoop::UpdateLoneLeader() {
  const auto& voters = core_.conf_state().voters;
  const auto& learners = core_.conf_state().learners;
  const bool is_lone = core_.role() == raft::Role::kLeader && voters.size() == 1 &&
                       voters.front() == shared_.id && learners.empty() &&
                       started_term_ == core_.term() &&
                       Index(shared_.applied.load()) >= alone_from_;
  shared_.is_lone_leader.store(is_lone);
  shared_.is_learner.store(std::find(learners.begin(), learners.end(), shared_.id) !=
                           learners.end());
}

// ---- Time

void RaftLoop::ScheduleTick(base::Clock::Monotonic due) {
  const auto now = shared_.ports.raft.clock().Now();
  const auto delay = std::max<base::Clock::Monotonic::duration>(due - now, {});
  shared_.ports.raft.PostAfter(delay, [this, due] {
    if (shared_.halted() || closed_) return;
    Tick();
    // Ticks that a long write swallowed are gone: raft counts them as if time had stood still.
    const auto next = due + shared_.options.heartbeat_interval;
    ScheduleTick(std::max(next, shared_.ports.raft.clock().Now()));
  });
}

void RaftLoop::Tick() {
  ++ticks_;
  HearApply();
  RetryChanges();
  AdvanceElection();
  core_.Tick();
  ReleaseHeld();
  reads_.OnTick();
  AdvanceReadys();
  ExpireWaiters();
  WatchSpace();
  observer_.OnTick();
}

// As etcd: after a start most of the time until the first campaign has passed already, unless fewer
// than two others can be reached, who could not elect anybody either, or somebody leads.
void RaftLoop::AdvanceElection() {
  if (election_advanced_ || !shared_.options.initial_election_tick_advance) return;
  election_advanced_ = core_.leader() || shared_.ports.raft.clock().Now() > started_ + kAdvanceMax;
  std::size_t active = 0;
  for (const auto& [id, member] : shared_.cluster.view()->members) {
    if (id != shared_.id && shared_.ports.peers.ActiveSince(id).has_value()) ++active;
  }
  if (election_advanced_ || active < 2) return;
  election_advanced_ = true;
  for (int i = 0; i < shared_.options.election_ticks - 2; ++i) core_.Tick();
}

void RaftLoop::ExpireWaiters() {
  const auto now = shared_.ports.raft.clock().Now();
  for (Waiter& waiter : shared_.waiters.TakeExpired(now)) {
    if (shared_.ports.observer != nullptr) shared_.ports.observer->OnProposalFailed();
    waiter.done({TimeoutOf(waiter), {}, Revision(), Index()});
  }
  std::erase_if(parked_, [&](Proposal& proposal) { return IsLate(proposal, now); });
  std::erase_if(postponed_, [&](auto& item) { return IsLate(item.second, now); });
}

// Never proposed: certainly not carried out. True: it was answered.
bool RaftLoop::IsLate(Proposal& proposal, base::Clock::Monotonic now) {
  if (proposal.deadline > now) return false;
  Refuse(proposal, Errc::kContextDeadlineExceeded);
  return true;
}

// All of them mean "outcome unknown" (v3-api.md 2.4).
absl::Status RaftLoop::TimeoutOf(const Waiter& waiter) const {
  if (waiter.is_doubtful) return Error(Errc::kTimeoutDueToLeaderFail);
  if (waiter.deadline_is_callers) return Error(Errc::kContextDeadlineExceeded);
  const auto window = 2 * shared_.options.election_timeout();
  if (waiter.start > leader_since_ - window && waiter.start < leader_since_) {
    return Error(Errc::kTimeoutDueToLeaderFail);
  }
  const bool connected = IsConnectedSince(waiter.start);
  return Error(connected ? Errc::kTimeout : Errc::kTimeoutDueToConnectionLost);
}

// A follower with its leader, a leader with a majority.
bool RaftLoop::IsConnectedSince(base::Clock::Monotonic start) const {
  const auto active = [&](MemberId id) {
    if (id == shared_.id) return true;
    const auto since = shared_.ports.peers.ActiveSince(id);
    return since.has_value() && *since <= start;
  };
  if (!core_.leader()) return true;
  if (core_.leader() != shared_.id) return active(core_.leader());
  const auto& voters = core_.conf_state().voters;
  const auto reachable = std::count_if(voters.begin(), voters.end(), active);
  return static_cast<std::size_t>(reachable) > voters.size() / 2;
}

void RaftLoop::WatchSpace() {
  const auto per_second = std::max<std::int64_t>(
      1, std::chrono::milliseconds(1000) / shared_.options.heartbeat_interval);
  if (ticks_ % static_cast<std::uint64_t>(per_second) != 0) return;
  bool full = retry_posted_;
  if (!wal_->has_reserve() && wal_->status().ok()) {
    full = wal_->EnsureReserve().code() == absl::StatusCode::kResourceExhausted || full;
  }
  if (full != shared_.log_is_full.exchange(full)) {
    LOG_WARN(full ? "no room for the log: writes are refused" : "the log has room again");
  }
}

// ---- The end

void RaftLoop::Close() {
  if (closed_ || shared_.halted()) return;
  HearApply();
  closed_ = true;
  if (!unsaved_.empty() && !retry_posted_) {
    base::IgnoreError(wal_->Save(unsaved_, {}), "the commit index is found again by a restart");
    base::IgnoreError(wal_->Sync(), "as above");
  }
}

}  // namespace etcd::node
