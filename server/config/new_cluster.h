#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

namespace etcd::config {

using PeerUrlsByName = std::map<std::string, std::vector<std::string>>;

// What --initial-cluster says, with the checks that a member of a new cluster makes: it lists
// `name`, with the URLs of --initial-advertise-peer-urls, and no URL twice. For tools that prepare
// a data directory. kInvalidArgument with etcd's text.
absl::StatusOr<PeerUrlsByName> ReadNewCluster(const std::string& name,
                                              std::string_view initial_cluster,
                                              std::string_view advertise_peer_urls);

}  // namespace etcd::config
