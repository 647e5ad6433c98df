#pragma once

#include <atomic>
#include <memory>

#include <absl/functional/any_invocable.h>

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
  Snapshots(Shared& shared, std::unique_ptr<snap::Snapshotter> snapshotter, Index last,
            absl::AnyInvocable<bool(const raft::SnapshotMetadata&)> saved)
      : shared_(shared),
        snapshotter_(std::move(snapshotter)),
        saved_(std::move(saved)),
        last_(last) {}

  // Thread that applies, after Publish: starts a snapshot of this state when it is time.
  void OnApplied(Index index, Term term);

  // Calls `done` on the snapshot executor after what is under way there and a last flush, which
  // spares the next start the replay.
  void Finish(absl::AnyInvocable<void()> done);

 private:
  void Save(const raft::Snapshot& snapshot);
  void Purge();
  bool Done(const absl::Status& status, const char* what);

  Shared& shared_;
  std::unique_ptr<snap::Snapshotter> snapshotter_;  // snapshot executor
  absl::AnyInvocable<bool(const raft::SnapshotMetadata&)> saved_;
  Index last_;  // thread that applies
  std::atomic<bool> running_{false};
};

}  // namespace etcd::node
