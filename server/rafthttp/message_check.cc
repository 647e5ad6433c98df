#include "server/rafthttp/message_check.h"

#include <iterator>
#include <string>

#include "server/base/status.h"
#include "server/raftcodec/raftpb.h"
#include "server/raftcodec/wire.h"

namespace etcd::rafthttp {
namespace {

absl::Status Refused(std::string_view why) {
  return base::MakeStatus(absl::StatusCode::kInvalidArgument, why);
}

constexpr std::uint32_t kEntries = 7;   // raftpb.Message
constexpr std::uint32_t kSnapshot = 9;  // raftpb.Message
constexpr std::uint32_t kMetadata = 2;  // raftpb.Snapshot

constexpr std::string_view kUnknown = "unknown";
// By raftpb's numbers; those without a name are local to Go's library.
constexpr std::string_view kNames[] = {"",
                                       "",
                                       "MsgProp",
                                       "MsgApp",
                                       "MsgAppResp",
                                       "MsgVote",
                                       "MsgVoteResp",
                                       "MsgSnap",
                                       "MsgHeartbeat",
                                       "MsgHeartbeatResp",
                                       "MsgUnreachable",
                                       "MsgSnapStatus",
                                       "",
                                       "MsgTransferLeader",
                                       "MsgTimeoutNow",
                                       "MsgReadIndex",
                                       "MsgReadIndexResp",
                                       "MsgPreVote",
                                       "MsgPreVoteResp"};

// Large data is the v2 store's, which becomes one string; metadata becomes vectors.
absl::Status CheckSnapshotBytes(std::string_view bytes) {
  raftcodec::FieldReader in(bytes);
  std::size_t metadata_bytes = 0;
  while (in.Next()) {
    if (in.field() == kMetadata && in.is_bytes()) {
      metadata_bytes += in.Bytes().size();
    } else {
      in.Skip();
    }
  }
  if (metadata_bytes > kSnapshotMetadataBytesMax) return Refused("snapshot metadata is too large");
  return absl::OkStatus();
}

absl::Status CheckShape(std::string_view bytes, Channel channel) {
  raftcodec::FieldReader in(bytes);
  std::size_t entries = 0;
  std::size_t snapshot_bytes = 0;
  while (in.Next()) {
    if (in.field() == kSnapshot && in.is_bytes()) {
      const std::string_view snapshot = in.Bytes();
      snapshot_bytes += snapshot.size();
      RETURN_IF_ERROR(CheckSnapshotBytes(snapshot));
    } else {
      if (in.field() == kEntries) ++entries;
      in.Skip();
    }
  }
  if (entries > kEntriesPerMessageMax) return Refused("too many entries in a message");
  // Go 3.4 and 3.5 send an empty one with each message.
  if (channel == Channel::kStream && snapshot_bytes > kSnapshotMetadataBytesMax) {
    return Refused("a snapshot outside of a snapshot transfer");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<raft::Message> DecodeFromPeer(std::string_view bytes, Channel channel) {
  RETURN_IF_ERROR(CheckShape(bytes, channel));
  ASSIGN_OR_RETURN(raft::Message message, raftcodec::DecodeMessage(bytes));
  RETURN_IF_ERROR(CheckEntries(message));
  return message;
}

absl::Status CheckEntries(const raft::Message& message) {
  const bool is_append = message.type == raft::MessageType::kApp;
  Index previous = message.index;
  for (const raft::Entry& entry : message.entries) {
    if (entry.type > raft::EntryType::kConfChangeV2) {
      return Refused("unknown entry type " + std::to_string(static_cast<int>(entry.type)));
    }
    if (!is_append) continue;
    if (entry.index.value() != previous.value() + 1) return Refused("entries with a gap");
    previous = entry.index;
  }
  return absl::OkStatus();
}

bool IsPeerMessage(raft::MessageType type) {
  return TypeName(type) != kUnknown && type != raft::MessageType::kUnreachable &&
         type != raft::MessageType::kSnapStatus;
}

std::string_view TypeName(raft::MessageType type) {
  const auto number = static_cast<std::size_t>(type);
  return number < std::size(kNames) && !kNames[number].empty() ? kNames[number] : kUnknown;
}

}  // namespace etcd::rafthttp
