#pragma once

#include <optional>

#include <absl/status/statusor.h>

#include "server/config/config.h"
#include "server/node/member.h"
#include "server/ports/peer_client.h"

namespace etcd::server {

// What a member without a log has to ask others before it starts (server-surface.md 3.2). Blocks
// for as long as peers take to answer; main thread.

// --initial-cluster-state=existing: the running cluster, if it is one that this member may join.
absl::StatusOr<node::JoinedCluster> AskToJoin(const config::Config& config,
                                              ports::PeerClient& client);

// --initial-cluster-state=new: an error when a running member knows this one as a member that has
// served clients already: its data was lost, and it must not start over under the same id.
absl::Status CheckNotBootstrapped(const config::Config& config, ports::PeerClient& client);

}  // namespace etcd::server
