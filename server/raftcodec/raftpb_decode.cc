#include <utility>
#include <vector>

#include "server/base/status.h"
#include "server/raftcodec/raftpb.h"
#include "server/raftcodec/wire.h"

// Each Read adds to what `out` holds already: a submessage that occurs twice is merged, as every
// protobuf parser does.
namespace etcd::raftcodec {
namespace {

bool Read(std::string_view bytes, raft::Entry& out);
bool Read(std::string_view bytes, raft::HardState& out);
bool Read(std::string_view bytes, raft::ConfState& out);
bool Read(std::string_view bytes, raft::ConfChange& out);
bool Read(std::string_view bytes, raft::SnapshotMetadata& out);
bool Read(std::string_view bytes, raft::Snapshot& out);
bool Read(std::string_view bytes, raft::Message& out);

template <typename T>
void ReadSubmessage(FieldReader& in, T& out) {
  const std::string_view bytes = in.Bytes();
  if (in.ok() && !Read(bytes, out)) in.Fail();
}

template <typename Id>
Id ReadId(FieldReader& in) {
  return Id(in.Varint());
}

// One element, or a packed run of them.
void ReadIds(FieldReader& in, std::vector<MemberId>& out) {
  if (!in.is_bytes()) {
    out.push_back(ReadId<MemberId>(in));
    return;
  }
  std::string_view packed = in.Bytes();
  std::uint64_t value = 0;
  while (!packed.empty()) {
    if (!base::ConsumeVarint(packed, value)) return in.Fail();
    out.push_back(MemberId(value));
  }
}

bool Read(std::string_view bytes, raft::Entry& out) {
  FieldReader in(bytes);
  while (in.Next()) {
    switch (in.field()) {
      case 1:
        out.type = static_cast<raft::EntryType>(in.Enum());
        break;
      case 2:
        out.term = ReadId<Term>(in);
        break;
      case 3:
        out.index = ReadId<Index>(in);
        break;
      case 4:
        out.data = raft::Payload(in.Bytes());
        break;
      default:
        in.Skip();
    }
  }
  return in.ok();
}

bool Read(std::string_view bytes, raft::HardState& out) {
  FieldReader in(bytes);
  while (in.Next()) {
    switch (in.field()) {
      case 1:
        out.term = ReadId<Term>(in);
        break;
      case 2:
        out.vote = ReadId<MemberId>(in);
        break;
      case 3:
        out.commit = ReadId<Index>(in);
        break;
      default:
        in.Skip();
    }
  }
  return in.ok();
}

bool Read(std::string_view bytes, raft::ConfState& out) {
  FieldReader in(bytes);
  while (in.Next()) {
    switch (in.field()) {
      case 1:
        ReadIds(in, out.voters);
        break;
      case 2:
        ReadIds(in, out.learners);
        break;
      case 3:
        ReadIds(in, out.voters_outgoing);
        break;
      case 4:
        ReadIds(in, out.learners_next);
        break;
      case 5:
        out.auto_leave = in.Varint() != 0;
        break;
      default:
        in.Skip();
    }
  }
  return in.ok();
}

bool Read(std::string_view bytes, raft::ConfChange& out) {
  FieldReader in(bytes);
  while (in.Next()) {
    switch (in.field()) {
      case 1:
        out.id = in.Varint();
        break;
      case 2:
        out.type = static_cast<raft::ConfChangeType>(in.Enum());
        break;
      case 3:
        out.node_id = ReadId<MemberId>(in);
        break;
      case 4:
        out.context = std::string(in.Bytes());
        break;
      default:
        in.Skip();
    }
  }
  return in.ok();
}

bool Read(std::string_view bytes, raft::SnapshotMetadata& out) {
  FieldReader in(bytes);
  while (in.Next()) {
    switch (in.field()) {
      case 1:
        ReadSubmessage(in, out.conf_state);
        break;
      case 2:
        out.index = ReadId<Index>(in);
        break;
      case 3:
        out.term = ReadId<Term>(in);
        break;
      default:
        in.Skip();
    }
  }
  return in.ok();
}

bool Read(std::string_view bytes, raft::Snapshot& out) {
  FieldReader in(bytes);
  while (in.Next()) {
    switch (in.field()) {
      case 1:
        out.data = std::string(in.Bytes());
        break;
      case 2:
        ReadSubmessage(in, out.metadata);
        break;
      default:
        in.Skip();
    }
  }
  return in.ok();
}

void ReadEntry(FieldReader& in, std::vector<raft::Entry>& out) {
  raft::Entry entry;
  ReadSubmessage(in, entry);
  out.push_back(std::move(entry));
}

void ReadMessageField(FieldReader& in, raft::Message& out) {
  switch (in.field()) {
    case 1:
      out.type = static_cast<raft::MessageType>(in.Enum());
      break;
    case 2:
      out.to = ReadId<MemberId>(in);
      break;
    case 3:
      out.from = ReadId<MemberId>(in);
      break;
    case 4:
      out.term = ReadId<Term>(in);
      break;
    case 5:
      out.log_term = ReadId<Term>(in);
      break;
    case 6:
      out.index = ReadId<Index>(in);
      break;
    case 7:
      ReadEntry(in, out.entries);
      break;
    case 8:
      out.commit = ReadId<Index>(in);
      break;
    case 9:
      ReadSubmessage(in, out.snapshot);
      break;
    case 10:
      out.reject = in.Varint() != 0;
      break;
    case 11:
      out.reject_hint = ReadId<Index>(in);
      break;
    case 12:
      out.context = std::string(in.Bytes());
      break;
    default:
      in.Skip();  // 13 vote and 14 responses of 3.6 mean nothing to us
  }
}

bool Read(std::string_view bytes, raft::Message& out) {
  // Absent type = 0, which is a message local to Go's library: receivers drop it.
  out.type = static_cast<raft::MessageType>(0);
  FieldReader in(bytes);
  while (in.Next()) ReadMessageField(in, out);
  return in.ok();
}

template <typename T>
absl::StatusOr<T> Decode(std::string_view bytes, std::string_view name) {
  T out;
  if (!Read(bytes, out)) {
    return base::MakeStatus(
        absl::StatusCode::kInvalidArgument,
        "malformed " + std::string(name) + " of " + std::to_string(bytes.size()) + " bytes");
  }
  return out;
}

}  // namespace

absl::StatusOr<raft::Entry> DecodeEntry(std::string_view bytes) {
  return Decode<raft::Entry>(bytes, "raftpb.Entry");
}
absl::StatusOr<raft::HardState> DecodeHardState(std::string_view bytes) {
  return Decode<raft::HardState>(bytes, "raftpb.HardState");
}
absl::StatusOr<raft::ConfState> DecodeConfState(std::string_view bytes) {
  return Decode<raft::ConfState>(bytes, "raftpb.ConfState");
}
absl::StatusOr<raft::ConfChange> DecodeConfChange(std::string_view bytes) {
  return Decode<raft::ConfChange>(bytes, "raftpb.ConfChange");
}
absl::StatusOr<raft::SnapshotMetadata> DecodeSnapshotMetadata(std::string_view bytes) {
  return Decode<raft::SnapshotMetadata>(bytes, "raftpb.SnapshotMetadata");
}
absl::StatusOr<raft::Snapshot> DecodeSnapshot(std::string_view bytes) {
  return Decode<raft::Snapshot>(bytes, "raftpb.Snapshot");
}
absl::StatusOr<raft::Message> DecodeMessage(std::string_view bytes) {
  return Decode<raft::Message>(bytes, "raftpb.Message");
}

}  // namespace etcd::raftcodec
