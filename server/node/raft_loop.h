#pragma once

#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "server/node/apply_loop.h"
#include "server/node/boot.h"
#include "server/node/forwarded.h"
#include "server/node/inbox.h"
#include "server/node/read_queue.h"
#include "server/node/request_ids.h"
#include "server/node/shared.h"
#include "server/raft/core.h"
#include "server/wal/wal.h"

namespace etcd::node {

// What the loop tells the rest of the member; raft thread.
class RaftObserver {
 public:
  virtual ~RaftObserver() = default;
  virtual void OnLeadership(Term term, MemberId leader, bool is_self) = 0;
  // This member leads and the first entry of `term` is applied: leases may be promoted.
  virtual void OnTermStarted(Term term) = 0;
  virtual void OnTick() = 0;
  // A change of the configuration is in force.
  virtual void OnConfChange(const raft::ConfChange& change) = 0;
  // Write this received snapshot's .snap file, then call RaftLoop::OnReceivedSaved.
  virtual void SaveReceived(const raft::Snapshot& snapshot) = 0;
  // It is in the log: let it take the place of the state, after all that was handed to apply.
  virtual void InstallSnapshot(const raft::SnapshotMetadata& metadata) = 0;
  // It has.
  virtual void OnInstalled(Index index) = 0;
  // Send the state to the member that raft's kSnap names.
  virtual void SendSnapshot(raft::Message message) = 0;
};

// Drives raft::Core: ticks, proposals, messages, the log, and the hand-over to apply. Owner: the
// raft thread, which also writes the log: while it waits for the disk, what arrives gathers in the
// inbox and shares the next write (group commit), and the apply thread works on the batch before.
class RaftLoop {
 public:
  RaftLoop(Shared& shared, RequestIds& ids, ApplyLoop& apply, RaftObserver& observer, Boot boot);

  Inbox& inbox() { return inbox_; }

  // ---- Raft thread.
  void Start();
  // Everything that is in the inbox, and all that follows from it.
  void Drain();
  // The .snap file of (index, term) is durable: records it in the log and lets go of older entries.
  // False when it could not be recorded: older snapshots are still needed.
  bool OnSnapshotSaved(const raft::SnapshotMetadata& metadata);
  // See RaftObserver::SaveReceived.
  void OnReceivedSaved();
  // Refuses what is parked; nothing is accepted any more.
  void RefuseParked();
  // Writes what a crash would only have to find out again; then the ticks end.
  void Close();

  // False: not the leader, or `to` is no other voter. Gives up after an election timeout.
  bool TransferLeadership(MemberId to);

  const raft::Core& core() const { return core_; }

 private:
  struct HeldProposals {
    raft::Message message;
    base::Clock::Monotonic since;
  };
  static constexpr std::size_t kHeldMax = 4096;  // messages; above it they are dropped

  void ScheduleTick(base::Clock::Monotonic due);
  void Tick();
  void AdvanceElection();
  void Process(Inbox::Contents contents);
  void RefuseLate(Inbox::Contents contents);

  // raft_messages.cc
  void TakeMessages(Inbox::Contents& contents);
  void TakeProposals(raft::Message message);
  void FilterForwarded(raft::Message& message);
  void ReleaseHeld();

  void Propose(std::vector<Proposal> proposals);
  // Somebody leads, and is not about to hand over: raft would drop proposals then.
  bool CanPropose() const { return core_.leader() && !core_.transferee(); }
  bool Admit(Proposal& proposal);
  void Leave(const Proposal& proposal);
  void Refuse(Proposal& proposal, Errc errc) { Refuse(proposal, Error(errc)); }
  void Refuse(Proposal& proposal, absl::Status status);
  void ParkOrRefuse(std::vector<Proposal> proposals);
  void ProposeChange(Proposal proposal);
  void RetryChanges();
  void FailProposed(const std::vector<RequestId>& ids, const absl::Status& status);
  void HearApply();
  void AdvanceReadys();
  bool ChangesConfiguration() const;
  bool Persist();
  absl::Status WriteReady();

  // raft_snapshots.cc
  void CompactLog(Index snapshot);
  void PurgeLog();
  absl::Status RecordSnapshot(const raft::SnapshotMetadata& metadata);
  void SaveReceived();
  void HearInstalled(Index index);
  void SendAll(std::vector<raft::Message> messages);
  void OnSnapshotSent(MemberId to, bool ok);

  void CompleteReady();
  void OnSoftState(const raft::SoftState& state);
  void UpdateLoneLeader();
  void ExpireWaiters();
  bool IsLate(Proposal& proposal, base::Clock::Monotonic now);
  absl::Status TimeoutOf(const Waiter& waiter) const;
  bool IsConnectedSince(base::Clock::Monotonic start) const;
  void WatchSpace();

  Shared& shared_;
  ApplyLoop& apply_;
  RaftObserver& observer_;
  std::unique_ptr<wal::Wal> wal_;
  raft::Core core_;
  ReadQueue reads_;
  Inbox inbox_;
  ForwardedCheck forwarded_{shared_};

  std::optional<raft::Ready> ready_;     // the one at work, from TakeReady to its last step
  bool retry_posted_ = false;            // ready_ waits for room on the disk
  Index recorded_;                       // newest snapshot in the log
  Index installed_;                      // newest received snapshot that is in force
  std::multiset<MemberId> sending_;      // snapshots under way
  base::Clock::Monotonic retain_until_;  // no compaction of the log before
  raft::HardState unsaved_;              // commit index that no write has taken along; may be lost
  std::vector<Proposal> parked_;         // nobody can append; bounded by queued_bytes_max
  std::vector<HeldProposals> held_;      // of other members, while nobody can append them
  // Configuration changes that came while an earlier one was open, with the index that must be
  // applied before they are checked and tried again.
  std::vector<std::pair<Index, Proposal>> postponed_;
  Term started_term_;   // of the last empty entry applied here
  Index caught_up_at_;  // commit index at start
  Index alone_from_;    // committed with the help of members that are gone, at most
  bool replayed_ = false;
  bool closed_ = false;
  base::Clock::Monotonic leader_since_;
  base::Clock::Monotonic started_;
  bool election_advanced_ = false;
  std::uint64_t ticks_ = 0;
};

}  // namespace etcd::node
