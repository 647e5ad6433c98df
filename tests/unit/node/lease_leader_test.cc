// Leases while leadership moves.
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

void Grant(SimMember& member, std::int64_t id, std::int64_t ttl) {
  const apply::Result result = member.Run([&](etcdserverpb::InternalRaftRequest& request) {
    request.mutable_lease_grant()->set_id(id);
    request.mutable_lease_grant()->set_ttl(ttl);
  });
  ASSERT_TRUE(result.status.ok()) << result.status;
}

bool Has(SimMember& member, std::int64_t id) {
  return member->lessor().Lookup(LeaseId(id)).has_value();
}

absl::Status MoveLeader(SimCluster& cluster, std::size_t from, std::size_t to) {
  std::optional<absl::Status> answer;
  cluster[from]->MoveLeader(cluster[to]->member_id(), {},
                            [&](absl::Status status) { answer = std::move(status); });
  EXPECT_TRUE(cluster.WaitFor([&] { return answer.has_value(); }));
  return answer.value_or(Error(Errc::kTimeout));
}

// etcd issue 15247: a leader that stood still finds its leases run out when it goes on, hears that
// it was replaced, and its proposals reach the new leader, who has renewed them.
TEST(LeaseAndLeader, Bug15247ADeposedLeaderRevokesNothingThroughItsSuccessor) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SimCluster cluster(seed, 3);
    ASSERT_TRUE(cluster.Boot());
    const std::size_t old = cluster.AwaitLeader();
    const Term term = cluster[old]->status().term;
    Grant(cluster[old], 5, 1000);
    ASSERT_TRUE(cluster.AwaitConverged());
    cluster.network.Partition({old});
    ASSERT_TRUE(cluster.WaitFor([&] {
      const auto leader = cluster.Leader();
      return leader.has_value() && *leader != old && !cluster[old]->status().leader;
    }));
    // Proposed by its clock before it knew, seen by its raft thread only now.
    auto* sink = dynamic_cast<lease::ExpireSink*>(&*cluster[old]);
    ASSERT_NE(sink, nullptr);
    std::optional<absl::Status> revoked;
    sink->ProposeRevoke(LeaseId(5), term, [&](absl::Status s) { revoked = std::move(s); });
    cluster.network.Heal();
    ASSERT_TRUE(cluster.AwaitConverged());
    cluster.scheduler.RunFor(seconds(10));
    for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(Has(cluster[i], 5)) << seed;
    ASSERT_TRUE(revoked.has_value());
    EXPECT_EQ(ErrcOf(*revoked), Errc::kNotLeader);
  }
}

// The same with what it had appended while it was cut off.
TEST(LeaseAndLeader, Bug15247RevokesOfACutOffLeaderVanish) {
  SimCluster cluster(11, 3);
  ASSERT_TRUE(cluster.Boot());
  const std::size_t old = cluster.AwaitLeader();
  Grant(cluster[old], 5, 3);
  ASSERT_TRUE(cluster.AwaitConverged());
  cluster.scheduler.RunFor(milliseconds(2900));
  cluster.network.Partition({old});
  ASSERT_TRUE(cluster.WaitFor([&] {
    const auto leader = cluster.Leader();
    return leader.has_value() && *leader != old;
  }));
  const std::size_t next = *cluster.Leader();
  for (int i = 0; i < 10; ++i) {
    cluster[next]->lessor().Renew(LeaseId(5), [](absl::StatusOr<std::int64_t>) {});
    cluster.scheduler.RunFor(seconds(1));
    if (i == 3) cluster.network.Heal();
    for (std::size_t j = 0; j < 3; ++j) EXPECT_TRUE(Has(cluster[j], 5)) << i;
  }
  // Nobody renews it any more.
  EXPECT_TRUE(cluster.WaitFor([&] { return !Has(cluster[next], 5); }));
}

// etcd issue 14253: each new leader gave each lease its whole time again.
TEST(LeaseAndLeader, Bug14253ALeaseDiesInSpiteOfLeaderChanges) {
  SimCluster cluster(12, 3, [](MemberOptions& options) {
    options.lease.checkpoint = true;
    options.lease.checkpoint_interval = seconds(10);
  });
  ASSERT_TRUE(cluster.Boot());
  std::size_t leader = cluster.AwaitLeader();
  ASSERT_TRUE(cluster.WaitFor([&] { return cluster[leader]->ClusterVersion() == "3.6.0"; }));
  constexpr seconds kTtl(120);
  Grant(cluster[leader], 5, kTtl.count());
  const auto granted = cluster.scheduler.clock().Now();
  int changes = 0;
  while (Has(cluster[leader], 5)) {
    ASSERT_LT(changes, 20) << "it never dies";
    cluster.scheduler.RunFor(seconds(30));
    const std::size_t next = (leader + 1) % 3;
    ASSERT_TRUE(MoveLeader(cluster, leader, next).ok());
    leader = cluster.AwaitLeader();
    ++changes;
    if (changes == 2) {  // what was checkpointed is in the backend too
      cluster.Crash((leader + 1) % 3, 1);
      ASSERT_TRUE(cluster.Open((leader + 1) % 3).ok());
      ASSERT_TRUE(cluster.AwaitConverged());
    }
  }
  const auto lived = cluster.scheduler.clock().Now() - granted;
  EXPECT_GE(lived, kTtl);
  // Each change adds an election timeout and what has passed since the last checkpoint.
  EXPECT_LE(lived, kTtl + changes * seconds(12) + seconds(30));
}

// The ones that expire at the moment of a change of leadership are revoked once, by whoever leads.
TEST(LeaseAndLeader, WhatRunsOutIsRevokedByTheLeaderOfTheMoment) {
  SimCluster cluster(13, 3);
  ASSERT_TRUE(cluster.Boot());
  const std::size_t leader = cluster.AwaitLeader();
  Grant(cluster[leader], 5, 10);
  ASSERT_TRUE(cluster[leader].Put("a", "1", 5).status.ok());
  cluster.scheduler.RunFor(seconds(9));
  ASSERT_TRUE(MoveLeader(cluster, leader, (leader + 1) % 3).ok());
  EXPECT_FALSE(cluster[leader]->lessor().IsPrimary());
  cluster.scheduler.RunFor(seconds(9));
  EXPECT_TRUE(cluster[(leader + 1) % 3]->lessor().IsPrimary());
  EXPECT_EQ(cluster[leader].Get("a"), "1") << "the new leader's clock starts anew";
  ASSERT_TRUE(cluster.WaitFor([&] { return cluster[leader].Get("a").empty(); }));
  ASSERT_TRUE(cluster.AwaitConverged());
  EXPECT_TRUE(cluster.CommonHash().has_value());
}

}  // namespace
}  // namespace etcd::node
