#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/node/apply_loop.h"
#include "server/node/boot.h"
#include "server/node/conf_changes.h"
#include "server/node/corruption_duty.h"
#include "server/node/duties.h"
#include "server/node/leadership.h"
#include "server/node/member.h"
#include "server/node/raft_loop.h"
#include "server/node/readmission.h"
#include "server/node/request_ids.h"
#include "server/node/shared.h"
#include "server/node/snapshots.h"

namespace etcd::node {

// The parts of a member, connected. Which thread owns what: see the parts.
class MemberImpl final : public Member,
                         public lease::ExpireSink,
                         public ApplyObserver,
                         public RaftObserver {
 public:
  MemberImpl(MemberOptions options, MemberPorts ports);
  ~MemberImpl() override = default;

  // Loads the state and opens the log.
  absl::Status Open();

  // Node
  RequestId NextRequestId() override { return ids_->Next(); }
  void Propose(RequestId id, std::string entry, ProposeOptions options, ProposeDone done) override;
  void ReadIndex(ReadDone done) override;
  void AddMember(std::vector<std::string> peer_urls, bool is_learner, ProposeOptions options,
                 AddedMemberDone done) override {
    changes_->Add(std::move(peer_urls), is_learner, options, std::move(done));
  }
  void RemoveMember(MemberId id, ProposeOptions options, MembersDone done) override {
    changes_->Remove(id, options, std::move(done));
  }
  void UpdateMember(MemberId id, std::vector<std::string> peer_urls, ProposeOptions options,
                    MembersDone done) override {
    changes_->Update(id, std::move(peer_urls), options, std::move(done));
  }
  void PromoteMember(MemberId id, ProposeOptions options, MembersDone done) override {
    changes_->Promote(id, options, std::move(done));
  }
  void AskLeader(std::string path, std::string body, base::Clock::Monotonic deadline,
                 LeaderAnswer answer) override;
  void MoveLeader(MemberId to, ProposeOptions options, ReadDone done) override;
  Status status() const override;
  MemberId member_id() const override { return shared_.id; }
  ClusterId cluster_id() const override { return shared_.cluster_id; }
  std::vector<MemberInfo> Members() const override;
  std::string ClusterVersion() const override;
  std::string StorageVersion() const override;
  std::string ReportedVersion() const override;
  DowngradeInfo Downgrade() const override;
  std::vector<AlarmInfo> Alarms() const override;
  bool HasAlarm(AlarmType type) const override;
  std::uint64_t BackendBytes() const override;
  std::uint64_t BackendBytesInUse() const override;
  std::int64_t QuotaBytes() const override { return shared_.quota.bytes(); }
  bool AdmitByQuota(std::uint64_t cost) override;

  // Member
  mvcc::Store& store() override { return *shared_.store; }
  lease::Lessor& lessor() override { return *shared_.lessor; }
  std::size_t PendingProposals() const override { return shared_.waiters.size(); }
  void Readmit(ReadmitRequest request, AddedMemberDone done) override {
    readmission_->Start(std::move(request), std::move(done));
  }
  void Start(absl::AnyInvocable<void()> ready) override;
  void HandOver(absl::AnyInvocable<void()> done) override;
  void Stop(absl::AnyInvocable<void()> done) override;

  // ports::PeerReceiver (peers.cc)
  void Receive(std::vector<raft::Message> messages) override;
  absl::StatusOr<std::unique_ptr<ports::SnapshotSink>> ReceiveSnapshot(
      raft::Message message) override;
  void ReportUnreachable(MemberId to) override { raft_->inbox().PutUnreachable(to); }
  void ReportSnapshot(MemberId to, bool ok) override { raft_->inbox().PutSnapshotReport(to, ok); }
  bool IsRemoved(MemberId id) const override {
    return shared_.cluster.view()->removed.contains(id);
  }
  void OnRemovedByPeers() override;

 private:
  // lease::ExpireSink
  void ProposeRevoke(LeaseId id, Term term, Done done) override;
  void ProposeCheckpoint(std::vector<lease::LeaseCheckpoint> checkpoints, Term term,
                         Done done) override;
  // ApplyObserver
  void OnReport() override { raft_->inbox().Poke(); }
  void OnOverQuota() override { duties_->RaiseNoSpace(); }
  void OnApplied(Index index, Term term) override { snapshots_->OnApplied(index, term); }
  void OnClusterVersionSet(bool lowered) override;
  // RaftObserver
  void OnLeadership(Term term, MemberId leader, bool is_self) override;
  void OnTermStarted(Term term) override;
  void OnTick() override;
  void OnConfChange(const raft::ConfChange& change) override;
  void SaveReceived(const raft::Snapshot& snapshot) override;
  void InstallSnapshot(const raft::SnapshotMetadata& metadata) override;
  void OnInstalled(Index index) override;
  void SendSnapshot(raft::Message message) override { snapshots_->Send(std::move(message)); }

  absl::Status LoadState();
  void ProposeOwn(absl::AnyInvocable<std::string(RequestId)> encode, ProposeDone done);
  absl::Status TakeJoined(std::optional<JoinedCluster> joins);
  // Makes the transport know the members of the view, and nobody else. Raft thread.
  void ConnectPeers();
  void ConnectToJoined();
  absl::Status Refusal(const std::string& entry, bool low_cost) const;
  void ProposeInTerm(std::string entry, RequestId id, Term term, Done done);
  void AwaitDrained(base::Clock::Monotonic give_up, absl::AnyInvocable<void()> done);
  void FinishStop(absl::AnyInvocable<void()> done);

  Shared shared_;
  std::unique_ptr<RequestIds> ids_;
  std::unique_ptr<ApplyLoop> apply_;
  std::unique_ptr<RaftLoop> raft_;
  std::unique_ptr<Snapshots> snapshots_;
  std::unique_ptr<Duties> duties_;
  std::unique_ptr<CorruptionDuty> corruption_;
  std::unique_ptr<Leadership> leadership_;
  std::map<MemberId, std::vector<std::string>> peers_;  // as told to the transport; raft thread
  std::atomic<bool> removed_{false};
  std::unique_ptr<ConfChanges> changes_;
  std::unique_ptr<Readmission> readmission_;
};

}  // namespace etcd::node
