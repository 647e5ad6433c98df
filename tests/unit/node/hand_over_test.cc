// Hand-overs that fail half way: whoever was to lead has begun its election and is gone, and the
// old leader leads again while the hand-over is still open.
#include <etcdserverpb/raft_internal.pb.h>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "server/wal/wal.h"
#include "tests/support/sim_cluster.h"

namespace etcd::node {
namespace {

using testing::SimCluster;
using testing::SimMember;

// The index of the last entry in the log of a member that does not run.
Index LastInLog(SimMember& member) {
  wal::Replay replay;
  const auto log = wal::Wal::Open(member.disk, member.options.wal_dir, Index(), Term(),
                                  {.segment_bytes = member.options.wal_segment_bytes}, replay);
  EXPECT_TRUE(log.ok()) << log.status();
  return replay.entries.empty() ? Index() : replay.entries.back().index;
}

// A client whose write comes at the moment when its member leads again.
class WriterAtElection final : public MemberObserver {
 public:
  explicit WriterAtElection(SimMember& member) : member_(member) { member.observer = this; }

  void OnLeaderChange(MemberId, bool is_self) override {
    if (!is_self || !armed) return;
    armed = false;
    pending = member_.Propose([](etcdserverpb::InternalRaftRequest& request) {
      request.mutable_put()->set_key("b");
      request.mutable_put()->set_value("1");
    });
  }
  bool was_taken() const { return pending->result.has_value() && pending->result->status.ok(); }

  bool armed = false;
  std::shared_ptr<SimMember::Pending> pending;

 private:
  SimMember& member_;
};

// Three members. The first that is told to take over asks for votes, which only the old leader
// hears, and is cut off. The third never campaigns.
struct LostElection {
  explicit LostElection(std::uint64_t seed) : cluster(seed, 3) {
    for (std::size_t i = 0; i < 3; ++i) {
      writers.push_back(std::make_unique<WriterAtElection>(cluster[i]));
    }
    EXPECT_TRUE(cluster.Boot());
    old = cluster.AwaitLeader();
    EXPECT_TRUE(cluster[old].Put("a", "1").status.ok());
    EXPECT_TRUE(cluster.AwaitConverged());
    before = cluster[old]->status();
    writers[old]->armed = true;
    cluster.network.filter = [this](const raft::Message& m) { return Passes(m); };
  }

  bool Passes(const raft::Message& m) {
    using raft::MessageType;
    if (m.type == MessageType::kTimeoutNow) {
      if (transferee) return false;
      transferee = m.to;
      return true;
    }
    if (transferee && m.to == transferee) return false;
    if (transferee && m.from == transferee) {
      return m.type == MessageType::kVote && m.to == before.leader;
    }
    return m.from == before.leader ||
           (m.type != MessageType::kVote && m.type != MessageType::kPreVote);
  }

  bool LeadsAgain() {
    const Status now = cluster[old]->status();
    return now.leader == before.leader && now.term > before.term;
  }
  // It has counted itself among those that hold the first entry of its new term: the transferee
  // is silent, so the majority is not complete without it.
  bool HasCommittedInItsNewTerm() {
    return LeadsAgain() && cluster[old]->status().committed > before.committed;
  }

  std::vector<std::unique_ptr<WriterAtElection>> writers;  // outlive the members
  SimCluster cluster;
  std::size_t old = 0;
  Status before;
  MemberId transferee;
};

// With a candidate left, the hand-over goes on inside of the election's own Ready.
TEST(HandOver, ALeaderThatLeadsAgainAndTriesTheNextCandidateKeepsItsLog) {
  int led_again = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    LostElection lost(seed);
    SimCluster& cluster = lost.cluster;
    bool done = false;
    cluster[lost.old]->HandOver([&] { done = true; });
    ASSERT_TRUE(cluster.WaitFor([&] { return done || lost.LeadsAgain(); }));
    if (done) continue;  // the election took longer than the hand-over may
    ++led_again;
    ASSERT_TRUE(cluster.WaitFor([&] { return lost.HasCommittedInItsNewTerm(); })) << seed;
    const Index committed = cluster[lost.old]->status().committed;
    cluster.Crash(lost.old, seed);
    EXPECT_GE(LastInLog(cluster[lost.old]), committed) << "what it vouched for, seed " << seed;
    const absl::Status opened = cluster.Open(lost.old);
    ASSERT_TRUE(opened.ok()) << opened << ", seed " << seed;
    cluster.network.filter = nullptr;
    ASSERT_TRUE(cluster[cluster.AwaitLeader()].Put("a", "2").status.ok());
    ASSERT_TRUE(cluster.AwaitConverged());
    EXPECT_TRUE(cluster.CommonHash().has_value());
  }
  EXPECT_GT(led_again, 5);
}

// Without one, the hand-over before a stop has failed, and the stop goes on.
TEST(HandOver, AStopOfALeaderThatLeadsAgainKeepsItsLog) {
  int led_again = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    LostElection lost(seed);
    SimCluster& cluster = lost.cluster;
    // A candidate must be connected, and one of the two is not for a moment.
    const std::size_t third = (lost.old + 1) % 3;
    cluster.network.Partition({third});
    bool stopped = false;
    cluster[lost.old]->Stop([&] { stopped = true; });
    ASSERT_TRUE(cluster.WaitFor([&] { return static_cast<bool>(lost.transferee); }));
    cluster.network.Heal();
    bool led = false;
    ASSERT_TRUE(cluster.WaitFor([&] {
      led = led || lost.LeadsAgain();
      return stopped;
    }));
    if (!led) continue;
    ++led_again;
    EXPECT_TRUE(lost.writers[lost.old]->pending->result.has_value()) << "never answered";
    const bool was_taken = lost.writers[lost.old]->was_taken();
    const Index committed = cluster[lost.old]->status().committed;
    cluster.Crash(lost.old, seed);
    EXPECT_GE(LastInLog(cluster[lost.old]), committed) << "seed " << seed;
    const absl::Status opened = cluster.Open(lost.old);
    ASSERT_TRUE(opened.ok()) << opened << ", seed " << seed;
    cluster.network.filter = nullptr;
    ASSERT_TRUE(cluster[cluster.AwaitLeader()].Put("a", "2").status.ok());
    ASSERT_TRUE(cluster.AwaitConverged());
    if (was_taken) {
      EXPECT_EQ(cluster[lost.old].Get("b"), "1") << "seed " << seed;
    }
  }
  EXPECT_GT(led_again, 5);
}

}  // namespace
}  // namespace etcd::node
