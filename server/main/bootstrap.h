#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "server/config/config.h"
#include "server/node/join.h"
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

// The answer of whichever of `urls` lists its members first; nullopt: none does in time.
std::optional<node::ListedCluster> FetchCluster(const std::vector<std::string>& urls,
                                                ports::PeerClient& client,
                                                std::chrono::nanoseconds timeout);

// For a member that was added as `own_id` and whose flags may be older than the cluster's members:
// asks until one of `urls` lists it, for a while.
absl::StatusOr<node::JoinedCluster> AskToRejoin(const std::vector<std::string>& urls,
                                                ClusterId cluster, MemberId own_id,
                                                ports::PeerClient& client);

// --feature-gates=InitialCorruptCheck=true: compares the data of a restarted member, which serves
// nobody yet, with that of the others. kDataLoss when one of them differs.
absl::Status CheckAgainstPeers(node::Member& member, ports::PeerClient& client,
                               std::chrono::nanoseconds timeout);

}  // namespace etcd::server
