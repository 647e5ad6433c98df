#pragma once

#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/base/file_system.h"
#include "server/node/member.h"

// <snap-dir>/joined.json: whom a joiner was told of. Its log is empty until the leader has reached
// it, so a process that dies before would not know its peers. (Go's know nobody then, and wait to
// be found.) Written before the log is made, removed by the first start whose state names the
// members.
namespace etcd::node {

absl::Status SaveJoined(base::FileSystem& file_system, const std::string& dir,
                        const JoinedCluster& cluster);
// nullopt: there is none, or it is not readable, which costs no more than having none.
absl::StatusOr<std::optional<JoinedCluster>> LoadJoined(base::FileSystem& file_system,
                                                        const std::string& dir);
absl::Status RemoveJoined(base::FileSystem& file_system, const std::string& dir);

}  // namespace etcd::node
