#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/base/ids.h"
#include "server/raft/roles.h"

namespace etcd::raft {

enum class VoteOutcome : std::uint8_t { kPending, kWon, kLost };

inline std::size_t Majority(std::size_t voters) { return voters / 2 + 1; }

// The highest value that a majority has reached; 0 for no voters. `values`: one per voter.
std::uint64_t MajorityValue(std::vector<std::uint64_t> values);

// Votes of members outside of `voters` do not count.
VoteOutcome CountVotes(const std::vector<MemberId>& voters, const Votes& votes);

}  // namespace etcd::raft
