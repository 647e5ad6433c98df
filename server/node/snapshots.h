#pragma once

#include <atomic>
#include <memory>

#include <absl/functional/any_invocable.h>

#include "server/node/apply_loop.h"
#include "server/node/shared.h"
#include "server/raft/types.h"
#include "server/snap/snapshotter.h"

namespace etcd::node {

// Every snapshot_count applied entries: flush the engine, then write the .snap file, then (on the
// raft thread) record it in the log and let go of what is older, .snap files last. In this order a
// crash at any point finds a backend that is not older than the snapshot it starts from. Apply
// never waits: the flush and the file are the snapshot executor's work, one at a time.
class Snapshots {
 public:
  // `saved` runs on the raft executor once the file is durable; true when the log has recorded it.
  // `export_failed`: what Send was given for this member could not be sent.
  Snapshots(Shared& shared, ApplyLoop& apply, std::unique_ptr<snap::Snapshotter> snapshotter,
            Index last, absl::AnyInvocable<bool(const raft::SnapshotMetadata&)> saved,
            absl::AnyInvocable<void(MemberId)> export_failed)
      : shared_(shared),
        apply_(apply),
        snapshotter_(std::move(snapshotter)),
        saved_(std::move(saved)),
        export_failed_(std::move(export_failed)),
        last_(last) {}

  // Thread that applies, after Publish: starts a snapshot of this state when it is time.
  void OnApplied(Index index, Term term);
  // Thread that applies: the next one is due now, whatever the count.
  void ForceNext() { forced_.store(true); }

  // Raft thread: `message` is raft's kSnap; fills it with the state that is applied when its turn
  // comes and sends it with the database. The outcome goes to PeerReceiver::ReportSnapshot.
  void Send(raft::Message message);

  // Raft thread: writes the .snap file of a received snapshot, then calls `done` on the raft
  // executor. Tries again while the disk is full.
  void SaveReceived(raft::Snapshot snapshot, absl::AnyInvocable<void()> done);
  // Thread that applies: what is older than the installed snapshot can go.
  void OnInstalled(Index index);

  // Calls `done` on the snapshot executor after what is under way there and a last flush, which
  // spares the next start the replay.
  void Finish(absl::AnyInvocable<void()> done);

 private:
  raft::Snapshot Current(Index index, Term term) const;
  void Export(raft::Message message, std::unique_ptr<engine::View> view);
  void Save(const raft::Snapshot& snapshot);
  void Purge();
  void Idle();
  void PurgeFiles();
  bool Done(const absl::Status& status, const char* what);

  Shared& shared_;
  ApplyLoop& apply_;
  std::unique_ptr<snap::Snapshotter> snapshotter_;  // snapshot executor
  absl::AnyInvocable<bool(const raft::SnapshotMetadata&)> saved_;
  absl::AnyInvocable<void(MemberId)> export_failed_;
  Index last_;  // thread that applies
  std::atomic<bool> running_{false};
  std::atomic<bool> forced_{false};
};

}  // namespace etcd::node
