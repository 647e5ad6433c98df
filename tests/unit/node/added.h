#pragma once

#include <memory>
#include <optional>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <gtest/gtest.h>

#include "server/base/status.h"
#include "server/node/member.h"
#include "tests/support/sim_cluster.h"

namespace etcd::node {

// New members are accepted before the cluster is known to be healthy.
inline void WithoutStrictCheck(MemberOptions& options) { options.strict_reconfig_check = false; }

// One more machine in the network of `cluster`, for a member that is added to it. Its number is 9.
struct Added {
  explicit Added(testing::SimCluster& around, bool is_learner = false) : cluster(around) {
    testing::SimMember& any = cluster[0];
    std::optional<absl::StatusOr<AddedMember>> answer;
    any->AddMember({"http://10.0.0.9:2380"}, is_learner, {},
                   [&](absl::StatusOr<AddedMember> added) { answer = std::move(added); });
    EXPECT_TRUE(cluster.WaitFor([&] { return answer.has_value(); }));
    EXPECT_TRUE(answer.has_value() && answer->ok()) << answer->status();
    JoinedCluster joins;
    joins.id = any->cluster_id();
    joins.own_id = (*answer)->member.id;
    for (const MemberInfo& m : (*answer)->members) {
      joins.members.push_back({m.id, m.peer_urls, m.is_learner, m.name, m.client_urls});
    }
    joins.version = any->ClusterVersion();
    MemberOptions options = any.options;
    options.name = "added";
    options.joins = std::move(joins);
    member = std::make_unique<testing::SimMember>(
        testing::SimMember::Machine{cluster.scheduler, 9ULL << 32, 9, cluster.network.PortOf(9)},
        options);
  }
  ~Added() { cluster.network.Detach(9); }

  absl::Status Open() {
    RETURN_IF_ERROR(member->Open());
    cluster.network.Attach(9, (*member)->member_id(), **member);
    return absl::OkStatus();
  }

  testing::SimCluster& cluster;
  std::unique_ptr<testing::SimMember> member;
};

}  // namespace etcd::node
