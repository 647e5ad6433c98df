// Members of a cluster on one scheduler: elections, replication, what happens to requests when the
// leader changes.
#include <etcdserverpb/raft_internal.pb.h>

#include <gtest/gtest.h>

#include "server/base/status.h"
#include "tests/support/sim_cluster.h"

namespace etcd::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::SimCluster;
using testing::SimMember;

std::string ValueOf(SimMember& member, const std::string& key) { return member.Get(key); }

TEST(Cluster, OfThreeElectsAndReplicates) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimCluster cluster(seed, 3);
    ASSERT_TRUE(cluster.Boot()) << seed;
    const std::size_t leader = cluster.AwaitLeader();
    ASSERT_TRUE(cluster[leader].Put("a", "1").status.ok());
    // A follower forwards.
    ASSERT_TRUE(cluster[(leader + 1) % 3].Put("b", "2").status.ok());
    ASSERT_TRUE(cluster[(leader + 2) % 3].Put("c", "3").status.ok());
    ASSERT_TRUE(cluster.AwaitConverged());
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(ValueOf(cluster[i], "a") + ValueOf(cluster[i], "b") + ValueOf(cluster[i], "c"),
                "123");
      EXPECT_EQ(cluster[i]->Members().size(), 3U);
      for (const MemberInfo& member : cluster[i]->Members()) {
        EXPECT_FALSE(member.client_urls.empty()) << "not published";
      }
    }
    EXPECT_TRUE(cluster.CommonHash().has_value());
  }
}

TEST(Cluster, GoesOnWithoutItsLeader) {
  SimCluster cluster(1, 3);
  ASSERT_TRUE(cluster.Boot());
  const std::size_t old = cluster.AwaitLeader();
  ASSERT_TRUE(cluster[old].Put("a", "1").status.ok());
  cluster.Crash(old, 7);
  const std::size_t other = (old + 1) % 3;
  // Forwarded to a leader that is gone: nobody can say what became of it.
  EXPECT_EQ(ErrcOf(cluster[other].Put("b", "2").status), Errc::kTimeoutDueToLeaderFail);
  ASSERT_TRUE(cluster[other].Put("b", "2").status.ok());
  ASSERT_NE(cluster.AwaitLeader(), old);
  ASSERT_TRUE(cluster.Open(old).ok());
  ASSERT_TRUE(cluster.WaitFor([&] { return cluster[old].is_ready(); }));
  ASSERT_TRUE(cluster.AwaitConverged());
  EXPECT_EQ(ValueOf(cluster[old], "a") + ValueOf(cluster[old], "b"), "12");
}

// How long after the start of all members one of them leads, at best and at worst.
std::pair<milliseconds, milliseconds> TimesToALeader(bool advance) {
  auto out = std::pair(milliseconds::max(), milliseconds::zero());
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimCluster cluster(seed, 3,
                       [&](MemberOptions& o) { o.initial_election_tick_advance = advance; });
    const auto start = cluster.scheduler.clock().Now();
    for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(cluster.Open(i).ok());
    cluster.AwaitLeader();
    const auto took =
        std::chrono::duration_cast<milliseconds>(cluster.scheduler.clock().Now() - start);
    out = {std::min(out.first, took), std::max(out.second, took)};
  }
  return out;
}

// --initial-election-tick-advance: eight of the ten ticks of an election timeout are gone at once.
TEST(Cluster, ElectsSoonAfterItsStart) {
  const auto [at_best, at_worst] = TimesToALeader(true);
  EXPECT_LT(at_best, milliseconds(500));
  EXPECT_LT(at_worst, milliseconds(1500));
  EXPECT_GE(TimesToALeader(false).first, milliseconds(1000));
}

}  // namespace
}  // namespace etcd::node
