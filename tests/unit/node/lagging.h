#pragma once

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "server/base/check.h"
#include "server/node/member.h"
#include "tests/support/sim_cluster.h"

namespace etcd::node {

using testing::SimCluster;

inline void SmallLogs(MemberOptions& options) {
  options.snapshot_count = 10;
  options.catchup_entries = 3;
  options.wal_segment_bytes = 64 << 10;
}

inline std::string Key(int i) { return "key" + std::to_string(i); }

// A cluster whose member `lagging` has been away for so long that the log does not reach it.
struct Lagging {
  explicit Lagging(std::uint64_t seed, const std::string& version = "3.6.16")
      : cluster(seed, 3, [version](MemberOptions& options) {
          SmallLogs(options);
          options.server_version = version;
        }) {
    CHECK(cluster.Boot());
    const std::size_t leader = cluster.AwaitLeader();
    lagging = (leader + 1) % 3;
    other = (leader + 2) % 3;
    for (int i = 0; i < 5; ++i) CHECK_OK(cluster[leader].Put(Key(i), "old").status);
    CHECK(cluster.AwaitConverged());
    cluster.Kill(lagging);
    for (int i = 0; i < 60; ++i) CHECK_OK(cluster[other].Put(Key(i), "new").status);
  }

  void Return() { CHECK_OK(cluster.Open(lagging)); }

  // The member has everything, and the same as the others.
  void ExpectCaughtUp() {
    ASSERT_TRUE(cluster.AwaitConverged());
    for (int i = 0; i < 60; ++i) EXPECT_EQ(cluster[lagging].Get(Key(i)), "new") << i;
    EXPECT_TRUE(cluster.CommonHash().has_value());
    EXPECT_EQ(cluster[lagging]->Members().size(), 3U);
  }

  SimCluster cluster;
  std::size_t lagging = 0;
  std::size_t other = 0;
};

}  // namespace etcd::node
