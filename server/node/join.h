#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "server/base/ids.h"
#include "server/membership/member.h"
#include "server/node/member.h"
#include "server/ports/peer_client.h"

// How a member without a log gets to know the cluster that it was added to (raft-peer-storage.md
// 9.2). Pure: main asks the peers and hands the answers in.
namespace etcd::node {

// What GET /members of a running member says.
struct ListedCluster {
  ClusterId id;
  std::vector<membership::Member> members;
};
absl::StatusOr<ListedCluster> ParseMembersReply(const ports::PeerReply& reply);

// What GET /version of a running member says.
struct PeerVersions {
  std::string server;        // "3.6.16"
  std::string cluster;       // "3.6.0", or "not_decided"
  std::string true_version;  // ours only: what the member could do; "" from others
};
absl::StatusOr<PeerVersions> ParseVersionReply(const ports::PeerReply& reply);

// "host:port" -> the same with an address in place of the name; an error says why there is none.
using Resolver = std::function<absl::StatusOr<std::string>(const std::string& host_port)>;

// Finds each listed member in --initial-cluster by its peer URLs (names are resolved where texts
// differ) and takes the ids from there. Errors are etcd's: counts differ, no match.
absl::StatusOr<JoinedCluster> MatchCluster(const std::vector<InitialMember>& initial,
                                           const std::string& own_name, const ListedCluster& listed,
                                           const Resolver& resolve);

// Whether a member of version `own` may join: at least one member has a cluster version within
// [3.0, own], none is outside; with a downgrade under way it must be one above `own`. The highest
// one found.
absl::StatusOr<std::string> CheckJoinVersions(const std::vector<PeerVersions>& peers,
                                              bool downgrade_enabled, std::string_view own);

// For a new cluster: whether a running member already knows `id` as one that has served clients.
bool IsBootstrapped(const ListedCluster& listed, MemberId id);

}  // namespace etcd::node
