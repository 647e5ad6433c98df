#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "client/types.h"
#include "operator/model/backup.h"

namespace etcd::worker {

// A member that answered.
struct Candidate {
  std::string endpoint{};
  client::StatusResponse status{};
};

// How far a follower may be behind for a backup to be taken from it.
inline constexpr std::uint64_t kLagMax = 1000;

// The members to take a backup from, best first (operator-spec 10.1 step 1). A member counts when
// it is a voter, follows the leader that most follow and has no CORRUPT alarm. An error says why
// there is none. Pure.
absl::StatusOr<std::vector<Candidate>> RankMembers(std::vector<Candidate> candidates,
                                                   model::BackupSource wanted);

}  // namespace etcd::worker
