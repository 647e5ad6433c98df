#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/raft/types.h"

// The records of the WAL (walpb) and of .snap files (snappb).
namespace etcd::raftcodec {

// walpb.Record.type.
enum class RecordType : std::uint8_t {
  kMetadata = 1,
  kEntry = 2,
  kState = 3,
  kCrc = 4,
  kSnapshot = 5,
};

// A record as read; `data` points into the decoded bytes.
struct RecordView {
  std::uint64_t type = 0;  // a RecordType, or a number that no etcd writes
  std::uint32_t crc = 0;   // running CRC-32C, this record's data included
  std::string_view data;
};

absl::Status DecodeRecord(std::string_view bytes, RecordView& out);

// walpb.Snapshot: says in the WAL that a .snap of (term, index) was durable.
struct WalSnapshot {
  Index index;
  Term term;
  // Absent in the {0, 0} of a new WAL, and in everything that etcd 3.4 wrote.
  std::optional<raft::ConfState> conf_state;

  bool operator==(const WalSnapshot&) const = default;
};

std::size_t EncodedSize(const WalSnapshot& snapshot);
void AppendTo(std::string& out, const WalSnapshot& snapshot);
absl::StatusOr<WalSnapshot> DecodeWalSnapshot(std::string_view bytes);

// snappb.snapshot, the whole content of a .snap file: {1 crc of data, 2 data = raftpb.Snapshot}.
std::string EncodeSnapFile(const raft::Snapshot& snapshot);
// kDataLoss with the reason when it cannot be what was written.
absl::StatusOr<raft::Snapshot> DecodeSnapFile(std::string_view bytes);

// etcdserverpb.Metadata, the payload of the WAL's metadata record.
struct WalMetadata {
  MemberId node_id;
  ClusterId cluster_id;

  bool operator==(const WalMetadata&) const = default;
};

std::string EncodeWalMetadata(const WalMetadata& metadata);
absl::StatusOr<WalMetadata> DecodeWalMetadata(std::string_view bytes);

}  // namespace etcd::raftcodec
