#pragma once

#include <vector>

#include "server/base/ids.h"
#include "server/raft/types.h"

namespace etcd::node {

// What --force-new-cluster makes of a log: all of it counts as committed, and entries at its end
// make `self` the only voter (raft-peer-storage.md 6.4). Used when a majority is lost for good.
//
// etcd drops what the log does not say to be committed. Here the commit index is not written by
// itself, so that would lose acknowledged writes; and with the others gone, nobody can tell that an
// entry at the end was not one.
struct ForcedLog {
  std::vector<raft::Entry> added;  // to be written behind the others
  raft::HardState hard_state;      // with all of it committed
};

// `conf` is the configuration as of `applied`; `entries` is what the log holds, possibly from
// before that.
ForcedLog ForceSingleVoter(MemberId self, const raft::ConfState& conf, Index applied,
                           const raft::HardState& hard_state,
                           const std::vector<raft::Entry>& entries);

}  // namespace etcd::node
