// A member that was added to a running cluster, before and after it hears of it.
#include <map>
#include <memory>

#include <gtest/gtest.h>

#include "server/base/status.h"
#include "server/node/joined.h"
#include "tests/support/sim_cluster.h"
#include "tests/unit/node/added.h"

namespace etcd::node {
namespace {

using std::chrono::seconds;
using testing::SimCluster;
using testing::SimDisk;
using testing::SimMember;
using testing::SimScheduler;

// Remembers whom it was told of.
class KnownPeers final : public ports::PeerTransport {
 public:
  void Send(std::vector<raft::Message>) override {}
  void SendSnapshot(raft::Message, std::unique_ptr<ports::SnapshotSource>) override {}
  void AddPeer(MemberId id, const std::vector<std::string>& urls) override { known[id] = urls; }
  void RemovePeer(MemberId id) override { known.erase(id); }
  std::optional<base::Clock::Monotonic> ActiveSince(MemberId) const override {
    return std::nullopt;
  }

  std::map<MemberId, std::vector<std::string>> known;
};

JoinedCluster TwoMembers() {
  JoinedCluster out;
  out.id = ClusterId(0xfedcba9876543210);
  out.own_id = MemberId(2);
  out.members = {{MemberId(1), {"http://10.0.0.1:2380"}, false, "a", {"http://10.0.0.1:2379"}},
                 {MemberId(2), {"http://10.0.0.2:2380"}, true, "", {}}};
  out.version = "3.5.0";
  return out;
}

struct Joiner {
  Joiner() : scheduler(1), member({scheduler, 1, 1, peers}, SimMember::DefaultOptions()) {
    member.options.joins = TwoMembers();
  }

  // What a restart has: the flags of a joiner say nothing about ids.
  void ForgetWhatWasAsked() { member.options.joins.reset(); }

  SimScheduler scheduler;
  KnownPeers peers;
  SimMember member;
};

TEST(Joiner, KilledBeforeItHeardAnythingKnowsItsPeersAfterARestart) {
  for (const bool power_cut : {false, true}) {
    Joiner joiner;
    ASSERT_TRUE(joiner.member.Open().ok());
    joiner.scheduler.RunFor(seconds(1));
    ASSERT_EQ(joiner.peers.known.size(), 1U);
    if (power_cut) {
      joiner.member.Crash(1);
    } else {
      joiner.member.Kill();
    }
    joiner.ForgetWhatWasAsked();
    joiner.peers.known.clear();
    const absl::Status opened = joiner.member.Open();
    ASSERT_TRUE(opened.ok()) << opened;
    joiner.scheduler.RunFor(seconds(1));
    EXPECT_EQ(joiner.member->member_id(), MemberId(2));
    EXPECT_EQ(joiner.member->ReportedVersion(), "3.5.99");
    ASSERT_EQ(joiner.peers.known.size(), 1U);
    EXPECT_EQ(joiner.peers.known[MemberId(1)], std::vector<std::string>{"http://10.0.0.1:2380"});
  }
}

TEST(Joiner, AnUnreadableListOfPeersIsNoReasonToStop) {
  Joiner joiner;
  ASSERT_TRUE(joiner.member.Open().ok());
  joiner.member.Kill();
  auto file =
      joiner.member.disk.Open("/data/member/snap/joined.json", base::OpenMode::kCreateOrTruncate);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->WriteAt(0, "{\"clusterID\":1}").ok());
  joiner.ForgetWhatWasAsked();
  joiner.member.options.may_have_joined = true;
  EXPECT_TRUE(joiner.member.Open().ok());
}

TEST(Joiner, TheListOfPeersIsReadAsItWasWritten) {
  SimDisk disk;
  ASSERT_TRUE(disk.CreateDirs("/snap").ok());
  EXPECT_FALSE((*LoadJoined(disk, "/snap")).has_value());
  ASSERT_TRUE(SaveJoined(disk, "/snap", TwoMembers()).ok());
  const auto loaded = LoadJoined(disk, "/snap");
  ASSERT_TRUE(loaded.ok() && loaded->has_value());
  EXPECT_EQ((*loaded)->id, TwoMembers().id);
  EXPECT_EQ((*loaded)->own_id, TwoMembers().own_id);
  EXPECT_EQ((*loaded)->version, "3.5.0");
  EXPECT_EQ((*loaded)->members, TwoMembers().members);
  ASSERT_TRUE(RemoveJoined(disk, "/snap").ok());
  EXPECT_FALSE((*LoadJoined(disk, "/snap")).has_value());
}

TEST(Joiner, ReplaysServesAndForgetsWhomItWasTold) {
  SimCluster cluster(1, 3, WithoutStrictCheck);
  ASSERT_TRUE(cluster.Boot());
  ASSERT_TRUE(cluster[0].Put("a", "1").status.ok());
  Added added(cluster);
  ASSERT_TRUE(added.Open().ok());
  ASSERT_TRUE(cluster.WaitFor([&] { return added.member->is_ready(); }));
  EXPECT_EQ(added.member->Get("a"), "1");
  EXPECT_TRUE(added.member->disk.Exists("/data/member/snap/joined.json"));
  cluster.network.Detach(9);
  added.member->Kill();
  added.member->options.joins.reset();
  ASSERT_TRUE(added.Open().ok());
  EXPECT_FALSE(added.member->disk.Exists("/data/member/snap/joined.json"));
  ASSERT_TRUE(cluster.WaitFor([&] { return added.member->is_ready(); }));
}

// While a member catches up, the cluster looks older than it is; members of 3.7 do not live through
// a v2 request.
TEST(Publish, TakesTheFormOfTodaysVersion) {
  SimCluster cluster(2, 3, [](MemberOptions& options) { options.server_version = "3.5.99"; });
  ASSERT_TRUE(cluster.Boot());
  ASSERT_TRUE(cluster.AwaitConverged());
  ASSERT_EQ(cluster[0]->ClusterVersion(), "3.5.0");
  const std::size_t leader = cluster.AwaitLeader();
  const std::size_t away = (leader + 1) % 3;
  cluster.Kill(away);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(cluster[leader].Put("k", std::string(100'000, 'x')).status.ok());
  }
  for (const std::size_t i : {leader, (leader + 2) % 3}) {
    cluster.Kill(i);
    cluster[i].options.server_version = "3.6.16";
    ASSERT_TRUE(cluster.Open(i).ok());
    ASSERT_TRUE(cluster.WaitFor([&] { return cluster[i].is_ready(); }));
  }
  ASSERT_TRUE(cluster.WaitFor([&] { return cluster[leader]->ClusterVersion() == "3.6.0"; }));
  cluster.network.faults.delay_min = std::chrono::milliseconds(90);
  cluster.network.faults.delay_max = std::chrono::milliseconds(110);
  cluster[away].options.server_version = "3.6.16";
  ASSERT_TRUE(cluster.Open(away).ok());
  int published = 0;
  bool saw_old_version = false;
  cluster.network.filter = [&](const raft::Message& m) {
    if (m.type != raft::MessageType::kProp) return true;
    for (const raft::Entry& entry : m.entries) {
      EXPECT_EQ(entry.data.view().find("/attributes"), std::string_view::npos);
      ++published;
    }
    return true;
  };
  ASSERT_TRUE(cluster.WaitFor([&] {
    saw_old_version = saw_old_version || (cluster[away]->status().leader &&
                                          cluster[away]->ClusterVersion() == "3.5.0");
    return cluster[away].is_ready();
  }));
  EXPECT_EQ(published, 1);
  EXPECT_TRUE(saw_old_version);
  cluster.network.filter = nullptr;
}

}  // namespace
}  // namespace etcd::node
