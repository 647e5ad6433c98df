#include "server/raft/quorum.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "server/base/random.h"

namespace etcd::raft {
namespace {

TEST(RaftQuorum, MajorityValueIsReachedByAMajority) {
  EXPECT_EQ(MajorityValue({}), 0U);
  EXPECT_EQ(MajorityValue({5}), 5U);
  EXPECT_EQ(MajorityValue({5, 7}), 5U);
  EXPECT_EQ(MajorityValue({5, 7, 9}), 7U);
  EXPECT_EQ(MajorityValue({9, 5, 7, 1}), 5U);
  EXPECT_EQ(MajorityValue({1, 9, 1, 9, 9}), 9U);
}

// Against the definition, by counting.
TEST(RaftQuorum, MajorityValueEqualsItsDefinition) {
  base::SeededRandom random(1);
  for (int run = 0; run < 2000; ++run) {
    std::vector<std::uint64_t> values(1 + random.Below(9));
    for (std::uint64_t& value : values) value = random.Below(10);
    std::uint64_t expected = 0;
    for (std::uint64_t candidate = 0; candidate < 10; ++candidate) {
      const auto reached = std::count_if(values.begin(), values.end(),
                                         [&](std::uint64_t v) { return v >= candidate; });
      if (static_cast<std::size_t>(reached) * 2 > values.size()) expected = candidate;
    }
    EXPECT_EQ(MajorityValue(values), expected);
  }
}

TEST(RaftQuorum, VotesAreWonLostOrOpen) {
  const std::vector<MemberId> voters = {MemberId(1), MemberId(2), MemberId(3), MemberId(4)};
  const auto outcome = [&](int granted, int refused) {
    Votes votes;
    for (int i = 0; i < granted + refused; ++i) {
      votes[MemberId(static_cast<std::uint64_t>(i) + 1)] = i < granted;
    }
    return CountVotes(voters, votes);
  };
  EXPECT_EQ(outcome(3, 0), VoteOutcome::kWon);
  EXPECT_EQ(outcome(2, 1), VoteOutcome::kPending);
  EXPECT_EQ(outcome(2, 2), VoteOutcome::kLost);
  EXPECT_EQ(outcome(0, 1), VoteOutcome::kPending);
  EXPECT_EQ(outcome(0, 2), VoteOutcome::kLost);
}

TEST(RaftQuorum, VotesOfOthersDoNotCount) {
  const std::vector<MemberId> voters = {MemberId(1), MemberId(2), MemberId(3)};
  const Votes votes = {{MemberId(1), true}, {MemberId(4), true}, {MemberId(5), true}};
  EXPECT_EQ(CountVotes(voters, votes), VoteOutcome::kPending);
}

TEST(RaftQuorum, NobodyWinsWithoutVoters) {
  EXPECT_NE(CountVotes({}, {{MemberId(1), true}}), VoteOutcome::kWon);
}

}  // namespace
}  // namespace etcd::raft
