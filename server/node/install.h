#pragma once

#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/base/file_system.h"
#include "server/node/apply_loop.h"
#include "server/node/shared.h"
#include "server/ports/peer_receiver.h"
#include "server/raft/types.h"

// A snapshot that another member sent, from its first byte to the state that is served:
//
//   1. the database is written to <snap-dir>/<index>.snap.db, synced and checked (ReceiveImage);
//   2. the message goes to raft; what comes out of it as Ready::snapshot is written as a .snap
//      file, then recorded in the log, then with the commit index that makes the record count;
//   3. the leader is told;
//   4. the engine's content is replaced in one durable step (Install), the rest is loaded anew;
//   5. the database file and what is older than the snapshot go.
//
// A crash before the end of 2 leaves the old state and perhaps files that a start removes. A crash
// after it and before 4 leaves a database file, which the next start installs (InstallPending).
namespace etcd::node {

// <index %016x>.snap.db in `dir`.
std::string SnapDbPath(const std::string& dir, Index index);

// Step 1. `deliver` gets the message when the database is durable. One with authentication enabled
// halts the member: this etcd has none, so everybody could read and write it here, and a refusal
// would have it sent again and again. Unless the member's own data was imported with it: then that
// is so anyway.
absl::StatusOr<std::unique_ptr<ports::SnapshotSink>> ReceiveImage(
    Shared& shared, raft::Message message, absl::AnyInvocable<void(raft::Message)> deliver);

// Step 4, as a step of the apply loop (see ApplyLoop::EnqueueStep). Everything but a full disk
// halts the member.
bool Install(Shared& shared, ApplyLoop& apply, const raft::SnapshotMetadata& metadata);

// At start, before anything is loaded: step 4 when a crash prevented it. Removes database files
// that are of no use any more.
absl::Status InstallPending(const MemberOptions& options, const MemberPorts& ports);

// Everything beside the key space, from the engine: leases and their keys, members, alarms, quota.
absl::Status LoadBesideStore(Shared& shared);

}  // namespace etcd::node
