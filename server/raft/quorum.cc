#include "server/raft/quorum.h"

#include <algorithm>
#include <functional>

namespace etcd::raft {

std::uint64_t MajorityValue(std::vector<std::uint64_t> values) {
  if (values.empty()) return 0;
  // In descending order, the value at position (majority - 1) is reached by a majority.
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(Majority(values.size()) - 1);
  std::nth_element(values.begin(), nth, values.end(), std::greater<>());
  return *nth;
}

VoteOutcome CountVotes(const std::vector<MemberId>& voters, const Votes& votes) {
  std::size_t granted = 0;
  std::size_t refused = 0;
  for (const MemberId voter : voters) {
    const auto it = votes.find(voter);
    if (it == votes.end()) continue;
    ++(it->second ? granted : refused);
  }
  if (granted >= Majority(voters.size())) return VoteOutcome::kWon;
  // Those who did not answer can no longer make a majority.
  if (refused + Majority(voters.size()) > voters.size()) return VoteOutcome::kLost;
  return VoteOutcome::kPending;
}

}  // namespace etcd::raft
