#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/base/clock.h"
#include "server/base/file_system.h"
#include "server/raft/types.h"
#include "server/raftcodec/walpb.h"
#include "server/wal/observer.h"
#include "server/wal/record_writer.h"

namespace etcd::wal {

struct Options {
  std::uint64_t segment_bytes = 64'000'000;  // a segment at or above this is cut
  Observer* observer = nullptr;              // borrowed; may be null
  const base::Clock* clock = nullptr;        // borrowed; null: the system's
};

// What the log says, from a snapshot on.
struct Replay {
  std::string metadata;              // etcdserverpb.Metadata, see raftcodec::DecodeWalMetadata
  raft::HardState hard_state;        // the last one; empty when there is none
  std::vector<raft::Entry> entries;  // all after the snapshot, without holes; may exceed commit
};

// The log of one member: <seq>-<first index>.wal files with etcd's format bit for bit.
//
// Owned by one thread (wal). A failed write or fsync leaves the disk in an unknown state, so the
// object then returns that same error for ever: the caller stops the process and never retries.
// kResourceExhausted is different: it is returned before any byte of the batch is written (also
// when the next segment cannot be allocated), nothing of the batch is kept, and a later call may
// succeed.
class Wal {
 public:
  // A new log in `dir`, which must hold none. Built in <dir>.tmp and renamed, so that a crash
  // leaves a whole log or none. Synced when it returns.
  static absl::StatusOr<std::unique_ptr<Wal>> Create(base::FileSystem& file_system,
                                                     const std::string& dir,
                                                     std::string_view metadata,
                                                     const Options& options);

  // Opens an existing log for appending and reads what follows `snapshot` ({0, 0} for all of it),
  // which must be recorded in the log. Cuts a torn tail (the file is first copied to *.broken).
  // kNotFound: no log, or no record of the snapshot. kUnavailable: locked by another process.
  // kDataLoss: damage; the message names file, offset, index and reason.
  static absl::StatusOr<std::unique_ptr<Wal>> Open(base::FileSystem& file_system,
                                                   const std::string& dir, Index snapshot_index,
                                                   Term snapshot_term, const Options& options,
                                                   Replay& replay);

  ~Wal();
  Wal(const Wal&) = delete;
  Wal& operator=(const Wal&) = delete;

  // Appends `entries`, then `hard_state` unless it is empty, as one write, and fsyncs when there
  // are entries or term or vote changed (a new commit index alone may be lost). Entries of several
  // Readys may be passed at once (group commit), in their order; the first may overwrite a suffix.
  absl::Status Save(const raft::HardState& hard_state, std::span<const raft::Entry> entries);

  // The same in parts, for entries that live in several places: Append only encodes into memory,
  // Save({}, {}) or Save(state, {}) writes all that was appended.
  void Append(std::span<const raft::Entry> entries);

  // Records that the .snap of (index, term) is durable. Fsyncs. Call after Snapshotter::Save.
  absl::Status SaveSnapshot(Index index, Term term, const raft::ConfState& conf_state);

  // Fsyncs what a Save with a commit index alone has left unsynced.
  absl::Status Sync();

  // Unlocks the segments that hold nothing after `index` (except the last such), for Purge.
  void ReleaseBefore(Index index);

  // Deletes unlocked segments, oldest first, while there are more than `max_wals`. Returns how
  // many were deleted.
  absl::StatusOr<std::size_t> Purge(std::size_t max_wals);

  // True when the next segment is already allocated: no Save of less than a segment meets a full
  // disk. When false, EnsureReserve tries again (kResourceExhausted while the disk is full).
  bool has_reserve() const { return reserve_ != nullptr; }
  absl::Status EnsureReserve();

  // OK, or the error that ended this object.
  const absl::Status& status() const { return failed_; }
  Index last_index() const { return last_index_; }

 private:
  struct Segment {
    std::string name;
    Index first_index;
    std::unique_ptr<base::File> file;  // open and locked
  };

  Wal(base::FileSystem& file_system, std::string dir, const Options& options);

  absl::Status WriteFirstSegment(const std::string& dir);
  absl::Status OpenSegments(Index snapshot_index);
  absl::Status ReadSegments(Index snapshot_index, Term snapshot_term, Replay& replay);
  absl::Status Repair(std::uint64_t good_offset);
  absl::Status ClearTail();
  absl::Status RewriteHead();
  absl::Status RemoveLeftovers();

  absl::Status Flush(bool must_sync);
  absl::Status MakeRoom();
  absl::Status Allocate();
  absl::Status WriteTimed(base::File& file, std::uint64_t offset, std::string_view bytes);
  absl::Status SyncTimed(base::File& file);
  absl::Status Cut();
  absl::Status StartNextSegment(const std::string& name);
  void DropPending();
  absl::Status Fail(absl::Status status);
  base::File& tail() { return *segments_.back().file; }
  std::string PathOf(std::string_view name) const;

  base::FileSystem& file_system_;
  std::string dir_;
  Options options_;
  const base::Clock& clock_;
  absl::Status failed_;

  std::deque<Segment> segments_;  // locked ones, ascending; the last is written to
  std::uint64_t offset_ = 0;      // end of the written records in the last segment
  std::uint64_t allocated_ = 0;   // bytes of it that have blocks; at least offset_
  bool is_synced_ = true;         // nothing was written since the last fsync
  std::uint32_t crc_ = 0;         // running CRC of what is written
  std::string metadata_;
  raft::HardState state_;  // last written
  Index last_index_;       // of the last written entry, or of a snapshot beyond it

  RecordWriter pending_;  // encoded, not yet written; its CRC continues crc_
  Index pending_index_;   // last_index_ once that is written
  bool has_pending_entries_ = false;

  std::unique_ptr<base::File> reserve_;  // the next segment, preallocated; null when there is none
  std::string reserve_path_;
  std::uint64_t reserve_count_ = 0;  // alternates between 0.tmp and 1.tmp, as etcd's
};

// True when `dir` holds at least one segment.
bool Exists(base::FileSystem& file_system, const std::string& dir);

// Reads without locking or changing anything (offline tools); a torn tail is left out.
absl::StatusOr<Replay> ReadAll(base::FileSystem& file_system, const std::string& dir,
                               Index snapshot_index, Term snapshot_term);

// The snapshots that a boot may start from: those recorded in the log with an index at most the
// last hard state's commit, in the log's order. Does not lock.
absl::StatusOr<std::vector<raftcodec::WalSnapshot>> ValidSnapshots(base::FileSystem& file_system,
                                                                   const std::string& dir);

// Makes durable what a reader of the log has seen: a process that was killed may have written
// records that it did not sync. For those who act on ValidSnapshots before the log is opened.
absl::Status SyncTail(base::FileSystem& file_system, const std::string& dir);

}  // namespace etcd::wal
