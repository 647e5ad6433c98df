#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/raft/cluster.h"

// Partitions that let some messages pass. Within a few election timeouts there must be one leader
// that commits, and it must stay: pre-vote and check-quorum together (thesis 6.2, 9.6).
namespace etcd::raft {
namespace {

using testing::IsEmpty;

class RaftLiveness : public testing::Test {
 protected:
  void Start(std::uint64_t voters) {
    cluster_ = std::make_unique<Cluster>(ClusterOptions{.config = {}, .voters = voters});
    cluster_->Elect(1);
    cluster_->core(1).Propose("before");
    cluster_->Settle();
  }

  // The leader that a majority of `members` follows after the partition has acted, if it stays and
  // commits.
  std::uint64_t StableLeader(const std::vector<std::uint64_t>& members) {
    cluster_->Tick(50);
    const std::uint64_t leader = cluster_->leader();
    if (leader == 0) return 0;
    const Term term = cluster_->core(leader).term();
    cluster_->core(leader).Propose("after");
    cluster_->Tick(100);
    std::size_t have_it = 0;
    for (const std::uint64_t id : members) {
      const StateMachine& machine = (*cluster_)[id].machine();
      if (!machine.data.empty() && machine.data.back() == "after") ++have_it;
    }
    EXPECT_THAT(cluster_->invariants().violations(), IsEmpty());
    EXPECT_GT(have_it * 2, members.size()) << "leader " << leader << " commits nothing";
    const bool stayed = cluster_->leader() == leader && cluster_->core(leader).term() == term;
    return stayed ? leader : 0;
  }

  std::unique_ptr<Cluster> cluster_;
};

TEST_F(RaftLiveness, LeaderThatHearsNobodyIsReplaced) {
  Start(3);
  cluster_->Cut(2, 1);
  cluster_->Cut(3, 1);
  EXPECT_GT(StableLeader({1, 2, 3}), 1U);
}

TEST_F(RaftLiveness, LeaderThatNobodyHearsIsReplaced) {
  Start(3);
  cluster_->Cut(1, 2);
  cluster_->Cut(1, 3);
  EXPECT_GT(StableLeader({1, 2, 3}), 1U);
}

TEST_F(RaftLiveness, IsolatedLeaderIsReplaced) {
  Start(3);
  cluster_->Isolate(1);
  EXPECT_GT(StableLeader({1, 2, 3}), 1U);
}

TEST_F(RaftLiveness, FollowerThatHearsNobodyDoesNotDisturb) {
  Start(3);
  cluster_->Cut(1, 3);
  cluster_->Cut(2, 3);
  EXPECT_EQ(StableLeader({1, 2, 3}), 1U);
}

TEST_F(RaftLiveness, CutBetweenLeaderAndOneFollowerChangesNothing) {
  Start(3);
  cluster_->Cut(1, 3);
  cluster_->Cut(3, 1);
  EXPECT_EQ(StableLeader({1, 2, 3}), 1U);
}

TEST_F(RaftLiveness, BridgeBetweenTwoHalvesKeepsOneLeader) {
  Start(5);
  for (const std::uint64_t left : {1U, 2U}) {
    for (const std::uint64_t right : {4U, 5U}) {
      cluster_->Cut(left, right);
      cluster_->Cut(right, left);
    }
  }
  EXPECT_NE(StableLeader({1, 2, 3, 4, 5}), 0U);
}

TEST_F(RaftLiveness, MinorityDoesNothingAndRejoins) {
  Start(5);
  for (const std::uint64_t lost : {1U, 2U}) {
    for (const std::uint64_t other : {3U, 4U, 5U}) {
      cluster_->Cut(lost, other);
      cluster_->Cut(other, lost);
    }
  }
  const std::uint64_t leader = StableLeader({1, 2, 3, 4, 5});
  EXPECT_GT(leader, 2U);
  EXPECT_EQ(cluster_->core(1).role() == Role::kLeader, false);
  cluster_->Heal();
  cluster_->Tick(10);
  EXPECT_EQ(cluster_->leader(), leader);
  EXPECT_EQ((*cluster_)[1].machine().hash, (*cluster_)[leader].machine().hash);
}

TEST_F(RaftLiveness, RemovedMemberDoesNotDisturb) {
  Start(3);
  cluster_->core(1).ProposeConfChange("remove 3");
  cluster_->Settle();
  EXPECT_EQ(StableLeader({1, 2}), 1U);
}

}  // namespace
}  // namespace etcd::raft
