#include "server/node/member_impl.h"

#include <algorithm>
#include <utility>

#include "server/base/check.h"
#include "server/base/log.h"
#include "server/base/status.h"
#include "server/node/entries.h"
#include "server/node/install.h"
#include "server/node/joined.h"
#include "server/node/versions.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/engine/meta_number.h"

namespace etcd::node {
namespace {

// How long Stop waits for proposals that were accepted.
constexpr std::chrono::seconds kDrainMax(2);
constexpr std::chrono::milliseconds kDrainPoll(2);

apply::Result Failed(absl::Status status) { return {std::move(status), {}, Revision(), Index()}; }

}  // namespace

void Shared::Halt(std::string_view message, const absl::Status& status) {
  if (is_halted.exchange(true)) return;
  is_lone_leader.store(false);
  if (ports.fatal) {
    ports.fatal(message, status);
  } else {
    base::Fatal(message, status);
  }
}

absl::StatusOr<std::unique_ptr<Member>> OpenMember(MemberOptions options, MemberPorts ports) {
  auto member = std::make_unique<MemberImpl>(std::move(options), std::move(ports));
  RETURN_IF_ERROR(member->Open());
  return member;
}

MemberImpl::MemberImpl(MemberOptions options, MemberPorts ports)
    : shared_(std::move(options), std::move(ports)) {}

// ---- Opening

absl::Status MemberImpl::Open() {
  RETURN_IF_ERROR(InstallPending(shared_.options, shared_.ports));
  RETURN_IF_ERROR(LoadState());
  apply_ = std::make_unique<ApplyLoop>(shared_, *this);
  RETURN_IF_ERROR(apply_->Load());
  const Index applied = apply_->consistent_index();
  shared_.applied.store(applied.value());
  ASSIGN_OR_RETURN(Boot boot, BootFromDisk(shared_.options, shared_.ports, applied,
                                           shared_.cluster.conf_state()));
  shared_.id = boot.id;
  shared_.cluster_id = boot.cluster_id;
  RETURN_IF_ERROR(TakeJoined(std::move(boot.joins)));
  ids_ = std::make_unique<RequestIds>(boot.id, shared_.ports.raft.clock().WallNow());
  auto snapshotter = std::move(boot.snapshotter);
  const Index snapshot_index = boot.raft.snapshot.index;
  raft_ = std::make_unique<RaftLoop>(shared_, *ids_, *apply_, *this, std::move(boot));
  changes_ = std::make_unique<ConfChanges>(shared_, *ids_, *raft_);
  snapshots_ = std::make_unique<Snapshots>(
      shared_, *apply_, std::move(snapshotter), snapshot_index,
      [this](const raft::SnapshotMetadata& metadata) { return raft_->OnSnapshotSaved(metadata); },
      [this](MemberId to) { ReportSnapshot(to, false); });
  leadership_ = std::make_unique<Leadership>(shared_, *raft_);
  const auto propose = [this](absl::AnyInvocable<std::string(RequestId)> encode, ProposeDone done) {
    ProposeOwn(std::move(encode), std::move(done));
  };
  const auto read = [this](ReadDone done) { ReadIndex(std::move(done)); };
  duties_ = std::make_unique<Duties>(shared_, propose, read);
  corruption_ = std::make_unique<CorruptionDuty>(shared_, propose, read);
  readmission_ = std::make_unique<Readmission>(shared_, *changes_, propose, read);
  return absl::OkStatus();
}

// What the parts propose by themselves.
void MemberImpl::ProposeOwn(absl::AnyInvocable<std::string(RequestId)> encode, ProposeDone done) {
  const RequestId id = NextRequestId();
  ProposeOptions options;
  options.low_cost = true;
  Propose(id, encode(id), options, std::move(done));
}

// Needed until the state names the members.
absl::Status MemberImpl::TakeJoined(std::optional<JoinedCluster> joins) {
  if (!joins.has_value()) return absl::OkStatus();
  if (shared_.cluster.view()->members.empty()) {
    shared_.options.joins = std::move(joins);
    return absl::OkStatus();
  }
  return RemoveJoined(shared_.ports.file_system, shared_.options.snap_dir);
}

absl::Status MemberImpl::LoadState() {
  ASSIGN_OR_RETURN(shared_.store,
                   mvcc::ReplaceableStore::Open(shared_.ports.engine, shared_.ports.compaction,
                                                shared_.options.store));
  // ceil(floor(3 * election_ticks / 2) * heartbeat) in seconds: no lease is shorter than an
  // election.
  const auto shortest =
      shared_.options.heartbeat_interval * (3 * shared_.options.election_ticks / 2);
  shared_.options.lease.ttl_seconds_min = std::chrono::ceil<std::chrono::seconds>(shortest).count();
  shared_.lessor = std::make_unique<lease::Lessor>(
      shared_.ports.lease, *this, shared_.ports.lease_observer, shared_.options.lease);
  return LoadBesideStore(shared_);
}

// ---- Node

absl::Status MemberImpl::Refusal(const std::string& entry, bool low_cost) const {
  if (shared_.is_stopping.load() || shared_.halted()) return Error(Errc::kStopped);
  if (entry.size() > shared_.options.request_bytes_max) return Error(Errc::kRequestTooLarge);
  const std::uint64_t committed = shared_.committed.load(std::memory_order_relaxed);
  const std::uint64_t applied = shared_.applied.load(std::memory_order_relaxed);
  const std::uint64_t backlog_max =
      low_cost ? 2 * shared_.options.apply_backlog_max : shared_.options.apply_backlog_max;
  if (committed > applied + backlog_max) return Error(Errc::kTooManyRequests);
  if (shared_.queued_bytes.load(std::memory_order_relaxed) > shared_.options.queued_bytes_max) {
    return Error(Errc::kTooManyRequests);
  }
  if (shared_.log_is_full.load() || !shared_.ports.engine.AcceptsWrites()) {
    return Error(Errc::kNoSpace);
  }
  return absl::OkStatus();
}

void MemberImpl::Propose(RequestId id, std::string entry, ProposeOptions options,
                         ProposeDone done) {
  if (absl::Status refusal = Refusal(entry, options.low_cost); !refusal.ok()) {
    return done(Failed(std::move(refusal)));
  }
  Proposal proposal;
  proposal.start = shared_.ports.raft.clock().Now();
  proposal.deadline = proposal.start + shared_.options.request_timeout();
  if (options.deadline.has_value() && *options.deadline < proposal.deadline) {
    proposal.deadline = *options.deadline;
    proposal.deadline_is_callers = true;
  }
  shared_.queued_bytes.fetch_add(entry.size(), std::memory_order_relaxed);
  proposal.id = id;
  proposal.entry = std::move(entry);
  proposal.done = std::move(done);
  raft_->inbox().Put(std::move(proposal));
}

void MemberImpl::ReadIndex(ReadDone done) {
  if (shared_.is_stopping.load() || shared_.halted()) return done(Error(Errc::kStopped));
  if (shared_.is_lone_leader.load()) return done(absl::OkStatus());
  raft_->inbox().Put(std::move(done));
}

Status MemberImpl::status() const {
  return {Term(shared_.term.load()), Index(shared_.committed.load()), Index(shared_.applied.load()),
          MemberId(shared_.leader.load()), shared_.is_learner.load()};
}

std::vector<MemberInfo> MemberImpl::Members() const { return MemberInfos(*shared_.cluster.view()); }

std::string MemberImpl::ClusterVersion() const { return shared_.cluster.view()->cluster_version; }

std::string MemberImpl::StorageVersion() const {
  const auto stored = shared_.ports.engine.Get(
      engine::Family::kMeta, engine::MetaKey(engine::kBucketMeta, engine::kMetaStorageVersion));
  if (stored.ok() && stored->has_value()) return **stored;
  const auto term = engine::ReadMetaNumber(shared_.ports.engine, engine::kMetaTerm);
  return term.ok() && *term != 0 ? "3.5.0" : "";
}

std::string MemberImpl::ReportedVersion() const {
  const membership::ViewPtr view = shared_.cluster.view();
  const bool knows = !view->cluster_version.empty() || !shared_.options.joins.has_value();
  return ReportedVersionOf(shared_.options.server_version,
                           knows ? view->cluster_version : shared_.options.joins->version);
}

DowngradeInfo MemberImpl::Downgrade() const {
  const membership::ViewPtr view = shared_.cluster.view();
  if (!view->downgrade.has_value()) return {};
  return {view->downgrade->enabled, view->downgrade->target_version};
}

void MemberImpl::MoveLeader(MemberId to, ProposeOptions options, ReadDone done) {
  shared_.ports.raft.Post([this, to, options, done = std::move(done)]() mutable {
    const auto give_up = shared_.ports.raft.clock().Now() + shared_.options.request_timeout();
    leadership_->Move(to, std::min(options.deadline.value_or(give_up), give_up), std::move(done));
  });
}

std::vector<AlarmInfo> MemberImpl::Alarms() const {
  std::vector<AlarmInfo> out;
  const auto view = shared_.alarms.view();
  for (const apply::Alarm& alarm : *view) out.push_back({alarm.member, alarm.type});
  return out;
}

bool MemberImpl::HasAlarm(AlarmType type) const {
  const auto view = shared_.alarms.view();
  for (const apply::Alarm& alarm : *view) {
    if (alarm.type == static_cast<std::int32_t>(type)) return true;
  }
  return false;
}

std::uint64_t MemberImpl::BackendBytes() const { return shared_.ports.engine.Size().total; }
std::uint64_t MemberImpl::BackendBytesInUse() const { return shared_.ports.engine.Size().in_use; }

bool MemberImpl::AdmitByQuota(std::uint64_t cost) {
  if (shared_.quota.Admits(cost)) return true;
  duties_->RaiseNoSpace();
  return false;
}

// ---- What the parts tell

void MemberImpl::ProposeInTerm(std::string entry, RequestId id, Term term, Done done) {
  Proposal proposal;
  proposal.id = id;
  proposal.entry = std::move(entry);
  proposal.start = shared_.ports.raft.clock().Now();
  proposal.deadline = proposal.start + shared_.options.request_timeout();
  proposal.required_term = term;
  proposal.done = [done = std::move(done)](apply::Result result) mutable {
    done(std::move(result.status));
  };
  if (absl::Status refusal = Refusal(proposal.entry, /*low_cost=*/true); !refusal.ok()) {
    return proposal.done(Failed(std::move(refusal)));
  }
  shared_.queued_bytes.fetch_add(proposal.entry.size(), std::memory_order_relaxed);
  raft_->inbox().Put(std::move(proposal));
}

void MemberImpl::ProposeRevoke(LeaseId id, Term term, Done done) {
  const RequestId request = NextRequestId();
  ProposeInTerm(EncodeLeaseRevoke(request, id), request, term, std::move(done));
}

void MemberImpl::ProposeCheckpoint(std::vector<lease::LeaseCheckpoint> checkpoints, Term term,
                                   Done done) {
  const RequestId request = NextRequestId();
  ProposeInTerm(EncodeLeaseCheckpoint(request, checkpoints), request, term, std::move(done));
}

// A downgrade: the older version that is going to be started here must not meet what it does not
// know in the log, so the log has to end at a snapshot (raft-peer-storage.md 9.1).
void MemberImpl::OnClusterVersionSet(bool lowered) {
  LOG_INFO("updated cluster version", {"cluster-version", shared_.cluster.view()->cluster_version});
  if (lowered) snapshots_->ForceNext();
}

void MemberImpl::OnLeadership(Term, MemberId leader, bool is_self) {
  if (!is_self) shared_.lessor->Demote();
  if (shared_.ports.observer != nullptr) shared_.ports.observer->OnLeaderChange(leader, is_self);
  leadership_->Look();
}

void MemberImpl::OnTermStarted(Term term) {
  shared_.lessor->Promote(term, shared_.options.election_timeout());
  duties_->OnTermStarted();
  duties_->OnTick();  // publish at once: the client port opens after it
}

void MemberImpl::OnTick() {
  shared_.quota.SetUsed(shared_.ports.engine.Size().total);
  leadership_->Look();
  duties_->OnTick();
  corruption_->OnTick();
}

// ---- Start and stop

void MemberImpl::Start(absl::AnyInvocable<void()> ready) {
  shared_.ports.raft.Post([this, ready = std::move(ready)]() mutable {
    ConnectPeers();
    if (shared_.cluster.view()->removed.contains(shared_.id)) OnRemovedByPeers();
    duties_->Start(std::move(ready));
    raft_->Start();
  });
}

void MemberImpl::HandOver(absl::AnyInvocable<void()> done) {
  shared_.ports.raft.Post(
      [this, done = std::move(done)]() mutable { leadership_->HandOver(std::move(done)); });
}

void MemberImpl::Stop(absl::AnyInvocable<void()> done) {
  if (shared_.leader.load() != shared_.id.value() || shared_.is_lone_leader.load()) {
    shared_.is_stopping.store(true);  // nobody to hand over to
  }
  HandOver([this, done = std::move(done)]() mutable {
    shared_.is_stopping.store(true);
    raft_->Drain();
    raft_->RefuseParked();
    AwaitDrained(shared_.ports.raft.clock().Now() + kDrainMax, std::move(done));
  });
}

void MemberImpl::AwaitDrained(base::Clock::Monotonic give_up, absl::AnyInvocable<void()> done) {
  const bool late = shared_.ports.raft.clock().Now() >= give_up;
  if (shared_.waiters.size() > 0 && !late && !shared_.halted()) {
    shared_.ports.raft.PostAfter(kDrainPoll, [this, give_up, done = std::move(done)]() mutable {
      AwaitDrained(give_up, std::move(done));
    });
    return;
  }
  for (Waiter& waiter : shared_.waiters.TakeEverything()) {
    waiter.done(Failed(Error(Errc::kStopped)));
  }
  raft_->Drain();
  raft_->RefuseParked();
  raft_->Close();
  FinishStop(std::move(done));
}

void MemberImpl::FinishStop(absl::AnyInvocable<void()> done) {
  shared_.lessor->Stop();
  apply_->Stop([this, done = std::move(done)]() mutable {
    apply_->FailReads(Error(Errc::kStopped));
    snapshots_->Finish([this, done = std::move(done)]() mutable {
      shared_.store->Stop();
      apply_->FailDeletions(Error(Errc::kStopped));
      LOG_INFO("stopped the member", {"applied-index", shared_.applied.load()});
      done();
    });
  });
}

}  // namespace etcd::node
