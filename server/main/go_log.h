#pragma once

#include <map>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "server/base/file_system.h"
#include "server/main/data_dir.h"
#include "server/raft/types.h"

namespace etcd::server {

// What the log of a stopped Go etcd holds from its newest .snap file on. Reads only.
struct GoLog {
  raft::SnapshotMetadata from;  // index 0: there is no .snap file
  std::string document;         // that file's v2 store; "" without one
  std::vector<raft::Entry> entries;
};

// An empty one when there is no log.
absl::StatusOr<GoLog> ReadGoLog(base::FileSystem& file_system, const DataDir& dir);

// Who belongs to the cluster, as a 3.4 or 3.5 sees it: the v2 store and what the log says since.
struct GoMembership {
  std::map<MemberId, std::string> members;  // JSON as in the members bucket
  std::map<MemberId, bool> removed;         // values without meaning
  std::string version;
};
absl::StatusOr<GoMembership> MembershipAt(const GoLog& log, Index applied);

// True when an entry after `applied` can only be carried out by a server that has authentication:
// it changes users, roles or the switch, or is the request of a user, whose permission the members
// check when they apply it.
bool NeedsAuth(const GoLog& log, Index applied);

}  // namespace etcd::server
