// Clean stops at moments when nobody expects them.
#include <gtest/gtest.h>

#include "tests/support/sim_cluster.h"
#include "tests/support/sim_member.h"

namespace etcd::node {
namespace {

using testing::SimCluster;
using testing::SimMember;

// SimMember::Stop fails the process when the stop does not end within a minute.

// etcd issue 19167: a stop while the server bootstrapped waited for ever.
TEST(Stop, Bug19167AtAnyStepOfTheFirstStartEnds) {
  bool was_ready = false;
  for (int steps = 0; !was_ready; ++steps) {
    SimMember member(3);
    ASSERT_TRUE(member.Open().ok());
    for (int i = 0; i < steps; ++i) member.scheduler.Step();
    was_ready = member.is_ready();
    member.Stop();
    const absl::Status booted = member.Boot();
    ASSERT_TRUE(booted.ok()) << booted << ", stopped after " << steps << " steps";
    EXPECT_TRUE(member.Put("a", "1").status.ok()) << steps;
    ASSERT_LT(steps, 1000) << "never ready";
  }
}

// The same with others, who may wait for its vote, lead it, or be led by it.
TEST(Stop, Bug19167AtAnyStepOfTheStartOfAClusterEnds) {
  bool were_ready = false;
  for (int steps = 0; !were_ready; steps += 7) {
    SimCluster cluster(4, 3);
    for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(cluster.Open(i).ok());
    for (int i = 0; i < steps; ++i) cluster.scheduler.Step();
    were_ready = cluster[0].is_ready() && cluster[1].is_ready() && cluster[2].is_ready();
    const std::size_t stopped = static_cast<std::size_t>(steps) % 3;
    cluster.Stop(stopped);
    ASSERT_TRUE(cluster.Open(stopped).ok()) << steps;
    for (std::size_t i = 0; i < 3; ++i) {
      ASSERT_TRUE(cluster.WaitFor([&] { return cluster[i].is_ready(); })) << steps;
    }
    EXPECT_TRUE(cluster[stopped].Put("a", "1").status.ok()) << steps;
    ASSERT_LT(steps, 5000) << "never ready";
  }
}

}  // namespace
}  // namespace etcd::node
