#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/raft/types.h"
#include "server/raftcodec/walpb.h"
#include "server/wal/record_reader.h"

namespace etcd::wal {

// Gives the records of a log their meaning: metadata, last hard state, entries after a snapshot,
// recorded snapshots. The type of a record is not covered by its CRC, so each payload is also
// checked to be one that its type can have.
class Replayer {
 public:
  Replayer(Index snapshot_index, Term snapshot_term)
      : snapshot_index_(snapshot_index), snapshot_term_(snapshot_term) {}

  // Reads to the end. kDataLoss names file, offset and last index.
  absl::Status ReadAll(RecordReader& reader);

  // True when the log records the snapshot that was asked for.
  bool found_snapshot() const { return found_snapshot_; }
  // True when the log ends between the two records that begin a segment.
  bool ends_in_head() const { return expects_metadata_; }

  std::string metadata;
  raft::HardState hard_state;
  std::vector<raft::Entry> entries;               // after the snapshot, without holes
  std::vector<raftcodec::WalSnapshot> snapshots;  // all recorded ones
  Index last_index;                               // of the last entry, or a snapshot beyond it
  bool keep_entries = true;                       // false: only check them

 private:
  absl::Status Apply(const raftcodec::RecordView& record);
  absl::Status WithIndex(const absl::Status& status) const;
  absl::Status ApplyMetadata(std::string_view data);
  absl::Status ApplyEntry(std::string_view data);
  absl::Status ApplyState(std::string_view data);
  absl::Status ApplySnapshot(std::string_view data);

  const Index snapshot_index_;
  const Term snapshot_term_;
  bool found_snapshot_ = false;
  bool has_metadata_ = false;
  bool expects_metadata_ = false;  // the record that was read last began a segment
  bool is_first_ = true;
};

}  // namespace etcd::wal
