// Proposals of other members that must not get into the log (etcd's leaders append them unseen;
// each of these ends every member of a cluster of Go's).
#include "server/node/forwarded.h"

#include <etcdserverpb/raft_internal.pb.h>

#include <gtest/gtest.h>

#include "server/base/status.h"
#include "server/node/entries.h"
#include "server/raftcodec/raftpb.h"
#include "tests/support/sim_cluster.h"

namespace etcd::node {
namespace {

using testing::SimCluster;

raft::Entry Normal(std::string data) {
  return {Term(), Index(), raft::EntryType::kNormal, raft::Payload(std::move(data))};
}

std::string Put(const std::string& key, std::uint64_t id) {
  etcdserverpb::InternalRaftRequest request;
  request.mutable_header()->set_id(id);
  request.mutable_put()->set_key(key);
  request.mutable_put()->set_value("1");
  return request.SerializeAsString();
}

std::vector<raft::Entry> Hostile() {
  std::vector<raft::Entry> out;
  for (const char* data : {"", "garbage", "\x12"}) out.push_back(Normal(data));
  out.push_back(Normal(std::string(11 << 20, 'x')));
  etcdserverpb::InternalRaftRequest nothing;
  nothing.mutable_header()->set_id(1);
  out.push_back(Normal(nothing.SerializeAsString()));
  etcdserverpb::InternalRaftRequest version;
  version.mutable_header()->set_id(2);
  version.mutable_cluster_version_set()->set_ver("3.9.0");
  out.push_back(Normal(version.SerializeAsString()));
  etcdserverpb::InternalRaftRequest user;
  user.mutable_header()->set_id(3);
  user.mutable_auth_user_add()->set_name("u");
  out.push_back(Normal(user.SerializeAsString()));
  const auto change = [&](raft::EntryType type, std::string data) {
    out.push_back({Term(), Index(), type, raft::Payload(std::move(data))});
  };
  change(raft::EntryType::kConfChangeV2, "");
  change(raft::EntryType::kConfChange, "garbage");
  change(raft::EntryType::kConfChange,
         raftcodec::Encode(
             raft::ConfChange{3, raft::ConfChangeType::kAddNode, MemberId(77), "no JSON"}));
  change(static_cast<raft::EntryType>(9), "x");
  return out;
}

raft::Message Forwarded(SimCluster& cluster, std::size_t from, std::size_t to,
                        std::vector<raft::Entry> entries) {
  raft::Message message;
  message.type = raft::MessageType::kProp;
  message.from = cluster[from]->member_id();
  message.to = cluster[to]->member_id();
  message.entries = std::move(entries);
  return message;
}

void Deliver(SimCluster& cluster, std::size_t to, raft::Message message) {
  std::vector<raft::Message> one;
  one.push_back(std::move(message));
  cluster[to]->Receive(std::move(one));
}

TEST(Forwarded, HostileProposalsAreDroppedAndTheirNeighboursGoOn) {
  SimCluster cluster(1, 3);
  ASSERT_TRUE(cluster.Boot());
  const std::size_t leader = cluster.AwaitLeader();
  const std::size_t other = (leader + 1) % 3;
  ASSERT_TRUE(cluster.AwaitConverged());
  const Index before = cluster[leader]->status().committed;
  std::vector<raft::Entry> entries = Hostile();
  const auto middle = entries.begin() + static_cast<std::ptrdiff_t>(entries.size() / 2);
  entries.insert(middle, Normal(Put("good", 77)));
  Deliver(cluster, leader, Forwarded(cluster, other, leader, std::move(entries)));
  ASSERT_TRUE(cluster.WaitFor([&] { return cluster[other].Get("good") == "1"; }));
  ASSERT_TRUE(cluster.AwaitConverged());
  EXPECT_EQ(cluster[leader]->status().committed, before + 1);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_FALSE(cluster[i].fatal().has_value());
  // The log is sound: every member starts from it.
  for (std::size_t i = 0; i < 3; ++i) cluster.Crash(i, i);
  ASSERT_TRUE(cluster.Boot());
  EXPECT_TRUE(cluster[leader].Put("after", "1").status.ok());
}

// A member that no longer leads would pass them on to one that may look at nothing.
TEST(Forwarded, AFollowerPassesOnOnlyWhatIsSound) {
  SimCluster cluster(2, 3);
  ASSERT_TRUE(cluster.Boot());
  const std::size_t leader = cluster.AwaitLeader();
  const std::size_t from = (leader + 1) % 3;
  const std::size_t via = (leader + 2) % 3;
  ASSERT_TRUE(cluster.AwaitConverged());
  std::size_t forwarded = 0;
  cluster.network.filter = [&](const raft::Message& m) {
    if (m.type == raft::MessageType::kProp) forwarded += m.entries.size();
    return true;
  };
  std::vector<raft::Entry> entries = Hostile();
  entries.push_back(Normal(Put("good", 78)));
  Deliver(cluster, via, Forwarded(cluster, from, via, std::move(entries)));
  ASSERT_TRUE(cluster.WaitFor([&] { return cluster[from].Get("good") == "1"; }));
  EXPECT_EQ(forwarded, 1U);
}

// What a leader of Go's has committed: to skip it would part this member from the others.
TEST(Committed, ChangesOfAuthenticationHaltTheMember) {
  testing::SimMember member(4);
  ASSERT_TRUE(member.Boot().ok());
  ASSERT_TRUE(member.Put("a", "1").status.ok());
  const auto answer = member.Propose([](etcdserverpb::InternalRaftRequest& request) {
    request.mutable_auth_user_add()->set_name("u");
  });
  ASSERT_TRUE(member.WaitFor([&] { return member.fatal().has_value(); }));
  EXPECT_NE(member.fatal()->find("needs authentication"), std::string::npos) << *member.fatal();
  EXPECT_FALSE(answer->result.has_value());
  member.Kill();
  EXPECT_FALSE(member.Boot().ok());
}

// Operations that members of the applied cluster version do not know.
TEST(Forwarded, WhatOldMembersDoNotKnowWaitsForTheClusterVersion) {
  SimCluster cluster(3, 3, [](MemberOptions& o) { o.server_version = "3.4.99"; });
  ASSERT_TRUE(cluster.Boot());
  const std::size_t leader = cluster.AwaitLeader();
  const std::size_t other = (leader + 1) % 3;
  ASSERT_TRUE(cluster.AwaitConverged());
  ASSERT_EQ(cluster[leader]->ClusterVersion(), "3.4.0");
  const Index before = cluster[leader]->status().committed;
  const MemberId id = cluster[other]->member_id();
  Deliver(cluster, leader,
          Forwarded(cluster, other, leader,
                    {Normal(EncodeMemberAttributes(RequestId(5), id, "new", {}))}));
  cluster.scheduler.RunFor(std::chrono::seconds(1));
  EXPECT_EQ(cluster[leader]->status().committed, before);
  Deliver(cluster, leader,
          Forwarded(cluster, other, leader,
                    {Normal(EncodeLegacyPut(RequestId(6), LegacyAttributesPath(id),
                                            R"({"name":"renamed"})"))}));
  const auto name = [&] {
    for (const MemberInfo& member : cluster[leader]->Members()) {
      if (member.id == id) return member.name;
    }
    return std::string();
  };
  EXPECT_TRUE(cluster.WaitFor([&] { return name() == "renamed"; }));
}

}  // namespace
}  // namespace etcd::node
