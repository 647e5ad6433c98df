#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/raft/types.h"

// raft structs <-> raftpb bytes (proto2), as Go etcd 3.6 writes them: every scalar is emitted, also
// when zero, in ascending order of field numbers; bytes and repeated fields only when not empty;
// repeated integers unpacked; Message.vote always as 68 00; Message.snapshot only in kSnap.
//
// Decoders accept what any etcd from 3.4 to 3.7 writes: absent fields are 0, order is free,
// repeated integers may be packed, unknown fields are skipped, of a repeated scalar the last
// counts. A wrong wire type, a truncated field or an enum above 255 is kInvalidArgument. Nothing is
// ever allocated for a length that the input does not hold.
namespace etcd::raftcodec {

std::size_t EncodedSize(const raft::Entry& entry);
std::size_t EncodedSize(const raft::HardState& state);
std::size_t EncodedSize(const raft::ConfState& state);
std::size_t EncodedSize(const raft::ConfChange& change);
std::size_t EncodedSize(const raft::SnapshotMetadata& metadata);
std::size_t EncodedSize(const raft::Snapshot& snapshot);
std::size_t EncodedSize(const raft::Message& message);

// Append exactly EncodedSize bytes.
void AppendTo(std::string& out, const raft::Entry& entry);
void AppendTo(std::string& out, const raft::HardState& state);
void AppendTo(std::string& out, const raft::ConfState& state);
void AppendTo(std::string& out, const raft::ConfChange& change);
void AppendTo(std::string& out, const raft::SnapshotMetadata& metadata);
void AppendTo(std::string& out, const raft::Snapshot& snapshot);
void AppendTo(std::string& out, const raft::Message& message);

template <typename T>
std::string Encode(const T& value) {
  std::string out;
  out.reserve(EncodedSize(value));
  AppendTo(out, value);
  return out;
}

absl::StatusOr<raft::Entry> DecodeEntry(std::string_view bytes);
absl::StatusOr<raft::HardState> DecodeHardState(std::string_view bytes);
absl::StatusOr<raft::ConfState> DecodeConfState(std::string_view bytes);
absl::StatusOr<raft::ConfChange> DecodeConfChange(std::string_view bytes);
absl::StatusOr<raft::SnapshotMetadata> DecodeSnapshotMetadata(std::string_view bytes);
absl::StatusOr<raft::Snapshot> DecodeSnapshot(std::string_view bytes);
absl::StatusOr<raft::Message> DecodeMessage(std::string_view bytes);

}  // namespace etcd::raftcodec
