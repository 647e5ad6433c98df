#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/raft/types.h"

// What may be taken from a peer. Pure.
namespace etcd::rafthttp {

// A decoded entry takes 40 bytes where "3a 00" takes 2, so their number is bounded before they are
// decoded. Go sends at most 1 MiB of entries in a message (MaxSizePerMsg), the smallest of which
// has 4 bytes.
inline constexpr std::size_t kEntriesPerMessageMax = 512 << 10;
// Of a kSnap: a conf state of thousands of members; each byte of it may become 8.
inline constexpr std::size_t kSnapshotMetadataBytesMax = 1 << 20;

// Where a message came from decides what it may hold.
enum class Channel : std::uint8_t { kStream, kSnapshot };

// DecodeMessage with bounds on what it makes of the bytes, then CheckEntries. The caller bounds the
// bytes themselves. A kSnap is accepted from kSnapshot only, since its database does not fit
// anywhere else.
absl::StatusOr<raft::Message> DecodeFromPeer(std::string_view bytes, Channel channel);

// Entries that would stop every member if they got into a log: an unknown type, a gap in a kApp.
absl::Status CheckEntries(const raft::Message& message);

// Types that members send each other. Others (local to Go's library, or of the future) are dropped
// without harm to the connection, as Go's raft does.
bool IsPeerMessage(raft::MessageType type);

// "MsgApp", for logs.
std::string_view TypeName(raft::MessageType type);

}  // namespace etcd::rafthttp
