#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <absl/status/statusor.h>

#include "server/base/ids.h"
#include "server/node/member.h"
#include "server/raft/config.h"
#include "server/snap/snapshotter.h"
#include "server/wal/wal.h"

namespace etcd::node {

// What the member's directories say.
struct Boot {
  MemberId id;
  ClusterId cluster_id;
  std::unique_ptr<wal::Wal> wal;
  std::unique_ptr<snap::Snapshotter> snapshotter;
  raft::InitialState raft;
  // Of a joiner that was stopped before its log said anything (joined.h).
  std::optional<JoinedCluster> joins;
};

// Opens log and snapshots, or makes them for a new cluster. `applied` and `conf_state` are what the
// backend holds. The commit index is raised to `applied`: it alone is not fsynced, and what is in
// the backend was committed. kDataLoss when the files cannot belong together.
absl::StatusOr<Boot> BootFromDisk(const MemberOptions& options, const MemberPorts& ports,
                                  Index applied, const raft::ConfState& conf_state);

}  // namespace etcd::node
