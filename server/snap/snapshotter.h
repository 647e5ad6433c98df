#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/base/clock.h"
#include "server/base/file_system.h"
#include "server/raft/types.h"
#include "server/raftcodec/walpb.h"

namespace etcd::snap {

// What the metrics want to know. Called on the caller's thread.
class Observer {
 public:
  virtual ~Observer() = default;
  // etcd_snap_fsync_duration_seconds; etcd_debugging_snap_save_total_duration_seconds.
  virtual void OnSync(std::chrono::nanoseconds took) = 0;
  virtual void OnSave(std::chrono::nanoseconds took) = 0;
};

// The .snap files of one member, in member/snap: <term %016x>-<index %016x>.snap. Not thread-safe;
// owned by the wal thread. The payload (v2 store JSON) is opaque here.
class Snapshotter {
 public:
  struct Options {
    Observer* observer = nullptr;        // borrowed; may be null
    const base::Clock* clock = nullptr;  // borrowed; null: the system's
  };

  // `dir` must exist before any other call: Prepare makes it.
  Snapshotter(base::FileSystem& file_system, std::string dir);
  Snapshotter(base::FileSystem& file_system, std::string dir, const Options& options);

  // Creates the directory; removes what a crash may have left (tmp*, db.tmp*).
  absl::Status Prepare();

  // Writes the snapshot so that it is durable under its final name, or not there at all. The
  // caller then records it in the WAL. kResourceExhausted leaves nothing behind.
  absl::Status Save(const raft::Snapshot& snapshot);

  // The newest file that is whole; kNotFound ("snap: no available snapshot") when there is none.
  // A damaged file is renamed to *.broken and passed over.
  absl::StatusOr<raft::Snapshot> Load();

  // The same among those whose (term, index) is in `wal_snapshots` (wal::ValidSnapshots).
  absl::StatusOr<raft::Snapshot> LoadNewestAvailable(
      std::span<const raftcodec::WalSnapshot> wal_snapshots);

  // Deletes the oldest .snap files while there are more than `max_snapshots`. Returns how many.
  absl::StatusOr<std::size_t> Purge(std::size_t max_snapshots);

  // Deletes <index>.snap.db files (received, never installed) with an index below `index`.
  absl::Status ReleaseSnapDbs(Index index);

  static std::string FileName(Term term, Index index);

 private:
  template <typename Match>
  absl::StatusOr<raft::Snapshot> LoadMatching(const Match& match);
  absl::StatusOr<raft::Snapshot> LoadFile(const std::string& name);
  absl::Status WriteDurably(const std::string& temporary, const std::string& bytes);
  std::string PathOf(std::string_view name) const;

  base::FileSystem& file_system_;
  std::string dir_;
  Options options_;
  const base::Clock& clock_;
};

}  // namespace etcd::snap
