#include "server/wal/replayer.h"

#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include "server/base/status.h"
#include "server/raftcodec/raftpb.h"

namespace etcd::wal {
namespace {

using raftcodec::RecordType;

// No cluster lives long enough for so many elections; member ids are hashes far above it.
constexpr Term kTermsEnd{std::uint64_t{1} << 32};

absl::Status Refuse(std::string_view reason) { return base::DataLoss(reason); }

}  // namespace

absl::Status Replayer::ReadAll(RecordReader& reader) {
  raftcodec::RecordView record;
  while (true) {
    const auto more = reader.Next(record);
    if (!more.ok()) return WithIndex(more.status());
    if (!*more) return absl::OkStatus();
    if (const absl::Status status = Apply(record); !status.ok()) {
      return WithIndex(reader.Damage(base::MessageOf(status)));
    }
  }
}

absl::Status Replayer::WithIndex(const absl::Status& status) const {
  return base::MakeStatus(
      status.code(), fmt::format("{} after index {}", base::MessageOf(status), last_index.value()));
}

absl::Status Replayer::Apply(const raftcodec::RecordView& record) {
  // A segment begins with its CRC and the metadata, and these stand nowhere else.
  const bool is_crc = record.type == static_cast<std::uint64_t>(RecordType::kCrc);
  const bool is_metadata = record.type == static_cast<std::uint64_t>(RecordType::kMetadata);
  if (is_first_ && !is_crc) return Refuse("segment does not begin with a crc record");
  if (is_metadata != expects_metadata_) return Refuse("metadata record out of place");
  is_first_ = false;
  expects_metadata_ = is_crc;
  switch (record.type) {
    case static_cast<std::uint64_t>(RecordType::kMetadata):
      return ApplyMetadata(record.data);
    case static_cast<std::uint64_t>(RecordType::kEntry):
      return ApplyEntry(record.data);
    case static_cast<std::uint64_t>(RecordType::kState):
      return ApplyState(record.data);
    case static_cast<std::uint64_t>(RecordType::kCrc):
      return record.data.empty() ? absl::OkStatus() : Refuse("crc record with data");
    case static_cast<std::uint64_t>(RecordType::kSnapshot):
      return ApplySnapshot(record.data);
    default:
      return Refuse(fmt::format("unexpected block type {}", record.type));
  }
}

absl::Status Replayer::ApplyMetadata(std::string_view data) {
  if (has_metadata_ && data != metadata) return Refuse("wal: conflicting metadata found");
  has_metadata_ = true;
  metadata = std::string(data);
  return absl::OkStatus();
}

absl::Status Replayer::ApplyEntry(std::string_view data) {
  auto decoded = raftcodec::DecodeEntry(data);
  if (!decoded.ok()) return Refuse(base::MessageOf(decoded.status()));
  raft::Entry entry = std::move(decoded).value();
  // A hard state read as an entry has no data, and a member id for its term.
  const bool is_hard_state = entry.data.empty() && entry.term >= kTermsEnd;
  if (!entry.term || !entry.index || is_hard_state) {
    return Refuse("entry record with impossible content");
  }
  last_index = entry.index;
  if (!keep_entries || entry.index <= snapshot_index_) return absl::OkStatus();
  const std::uint64_t at = entry.index - snapshot_index_ - 1;
  // Bounded before it is used as a position (CVE-2020-15112).
  if (at > entries.size()) {
    return Refuse(
        fmt::format("wal: slice bounds out of range, entry {} leaves a hole", entry.index.value()));
  }
  entries.resize(at);
  entries.push_back(std::move(entry));
  return absl::OkStatus();
}

absl::Status Replayer::ApplyState(std::string_view data) {
  auto state = raftcodec::DecodeHardState(data);
  if (!state.ok()) return Refuse(base::MessageOf(state.status()));
  // An entry read as a hard state has its entry type, 0, for a term.
  if (!state->term) return Refuse("state record with impossible content");
  hard_state = *state;
  return absl::OkStatus();
}

absl::Status Replayer::ApplySnapshot(std::string_view data) {
  auto snapshot = raftcodec::DecodeWalSnapshot(data);
  if (!snapshot.ok()) return Refuse(base::MessageOf(snapshot.status()));
  if (data.empty() || (snapshot->index && !snapshot->term)) {
    return Refuse("snapshot record with impossible content");
  }
  if (snapshot->index == snapshot_index_) {
    if (snapshot->term != snapshot_term_) return Refuse("wal: snapshot mismatch");
    found_snapshot_ = true;
  }
  if (snapshot->index > last_index) last_index = snapshot->index;
  snapshots.push_back(std::move(snapshot).value());
  return absl::OkStatus();
}

}  // namespace etcd::wal
