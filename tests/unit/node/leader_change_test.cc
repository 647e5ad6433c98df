// What clients see when leadership moves: partitions, hand-over, stale answers.
#include <etcdserverpb/raft_internal.pb.h>
#include <optional>

#include <gtest/gtest.h>

#include "server/base/status.h"
#include "tests/support/sim_cluster.h"
#include "tests/unit/node/added.h"

namespace etcd::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::SimCluster;
using testing::SimMember;

using PendingPut = std::shared_ptr<SimMember::Pending>;

PendingPut StartPut(SimMember& member, const std::string& key, const std::string& value) {
  return member.Propose([&](etcdserverpb::InternalRaftRequest& request) {
    request.mutable_put()->set_key(key);
    request.mutable_put()->set_value(value);
  });
}

std::shared_ptr<std::optional<absl::Status>> StartRead(SimMember& member) {
  auto answer = std::make_shared<std::optional<absl::Status>>();
  member->ReadIndex([answer](absl::Status status) { *answer = std::move(status); });
  return answer;
}

TEST(LinearizableRead, OnAnyMemberSeesWhatWasAcknowledgedByAnother) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SimCluster cluster(seed, 3);
    ASSERT_TRUE(cluster.Boot());
    for (int round = 0; round < 20; ++round) {
      const std::string value = std::to_string(round);
      ASSERT_TRUE(cluster[static_cast<std::size_t>(round) % 3].Put("a", value).status.ok());
      for (std::size_t i = 0; i < 3; ++i) {
        const auto read = StartRead(cluster[i]);
        ASSERT_TRUE(cluster.WaitFor([&] { return read->has_value(); }));
        ASSERT_TRUE((*read)->ok()) << **read;
        EXPECT_EQ(cluster[i].Get("a"), value) << "seed " << seed << " member " << i;
      }
    }
  }
}

TEST(CutOffLeader, AcknowledgesNothingStepsDownAndForgets) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SimCluster cluster(seed, 3);
    ASSERT_TRUE(cluster.Boot());
    const std::size_t old = cluster.AwaitLeader();
    const std::size_t other = (old + 1) % 3;
    ASSERT_TRUE(cluster[old].Put("a", "before").status.ok());
    cluster.scheduler.RunFor(
        milliseconds(130 * static_cast<int>(seed)));  // at all times of its second
    cluster.network.Partition({old});
    const auto cut_at = cluster.scheduler.clock().Now();
    const PendingPut put = StartPut(cluster[old], "a", "lost");
    const auto read = StartRead(cluster[old]);
    ASSERT_TRUE(cluster.WaitFor(
        [&] { return cluster[old]->status().leader != cluster[old]->member_id(); }));
    const MemberOptions& options = cluster[old].options;
    EXPECT_LE(cluster.scheduler.clock().Now() - cut_at,
              options.election_timeout() + options.heartbeat_interval)
        << "seed " << seed;
    EXPECT_FALSE(put->result.has_value());
    EXPECT_FALSE(read->has_value());
    ASSERT_TRUE(cluster.WaitFor([&] { return cluster.Leader().has_value(); }));
    ASSERT_TRUE(cluster[other].Put("a", "after").status.ok());
    cluster.network.Heal();
    ASSERT_TRUE(cluster.WaitFor([&] { return put->result.has_value() && read->has_value(); }));
    EXPECT_EQ(ErrcOf(put->result->status), Errc::kTimeoutDueToLeaderFail) << put->result->status;
    // The read took no effect, so the new leader could be asked.
    ASSERT_TRUE((*read)->ok()) << **read;
    EXPECT_EQ(cluster[old].Get("a"), "after");
    ASSERT_TRUE(cluster.AwaitConverged());
    EXPECT_TRUE(cluster.CommonHash().has_value());
  }
}

// etcd issues 20418, 21375: answers to heartbeats of an earlier round reach a leader that was
// deposed meanwhile. They must confirm nothing that was asked later.
TEST(LinearizableRead, Bug20418LateAnswersOfAnEarlierRoundConfirmNothing) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimCluster cluster(seed, 3);
    ASSERT_TRUE(cluster.Boot());
    const std::size_t old = cluster.AwaitLeader();
    const std::size_t other = (old + 1) % 3;
    ASSERT_TRUE(cluster[old].Put("a", "1").status.ok());
    ASSERT_TRUE(cluster.AwaitConverged());
    // The leader's heartbeats arrive; what the others answer takes three seconds.
    const MemberId leader_id = cluster[old]->member_id();
    cluster.network.filter = [&](const raft::Message& m) {
      if (m.to == leader_id) cluster.network.faults.delay_max = seconds(3);
      return true;
    };
    const auto early = StartRead(cluster[old]);
    cluster.scheduler.RunFor(milliseconds(50));
    cluster.network.filter = nullptr;
    cluster.network.faults.delay_max = milliseconds(1);
    // Nothing more of the leader gets through; another one takes over and writes.
    for (const std::size_t i : {(old + 1) % 3, (old + 2) % 3}) cluster.network.Cut(old, i);
    ASSERT_TRUE(cluster.WaitFor([&] {
      return cluster[other]->status().leader && cluster[other]->status().leader != leader_id;
    }));
    ASSERT_TRUE(cluster[other].Put("a", "2").status.ok());
    const auto late = StartRead(cluster[old]);
    const auto give_up = cluster.scheduler.clock().Now() + seconds(5);
    cluster.WaitFor([&] { return late->has_value() || cluster.scheduler.clock().Now() > give_up; });
    if (late->has_value() && (*late)->ok()) {
      EXPECT_EQ(cluster[old].Get("a"), "2") << "stale, seed " << seed;
    }
  }
}

bool IsLearner(SimMember& member) {
  for (const MemberInfo& info : member->Members()) {
    if (info.id == member->member_id()) return info.is_learner;
  }
  return true;
}

// A lone leader answers reads from what it has applied. Not with a learner: that one may apply its
// promotion first, and answer a write that the leader has in its log only. Found by the simulation
// (seed 73000270).
TEST(LinearizableRead, OfALoneLeaderSeesWhatAPromotedLearnerAnswered) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SimCluster cluster(seed, 1, WithoutStrictCheck);
    ASSERT_TRUE(cluster.Boot());
    SimMember& leader = cluster[0];
    ASSERT_TRUE(leader.Put("a", "1").status.ok());
    Added learner(cluster, /*is_learner=*/true);
    ASSERT_TRUE(learner.Open().ok());
    ASSERT_TRUE(cluster.WaitFor([&] { return learner.member->is_ready(); }));
    cluster.scheduler.RunFor(seconds(1));  // the leader hears that it is in sync
    // The leader applies nothing from the promotion on.
    cluster.network.filter = [&](const raft::Message& m) {
      for (const raft::Entry& entry : m.entries) {
        if (entry.type != raft::EntryType::kNormal) leader.engine.SetFull(true);
      }
      return true;
    };
    leader->PromoteMember((*learner.member)->member_id(), {}, [](const auto&) {});
    ASSERT_TRUE(cluster.WaitFor([&] { return !IsLearner(*learner.member); })) << seed;
    ASSERT_TRUE(learner.member->Put("a", "2").status.ok());
    ASSERT_EQ(leader.Get("a"), "1");
    const auto read = StartRead(leader);
    cluster.scheduler.RunFor(milliseconds(200));
    EXPECT_FALSE(read->has_value()) << "stale, seed " << seed;
    cluster.network.filter = nullptr;
    leader.engine.SetFull(false);
    ASSERT_TRUE(cluster.WaitFor([&] { return read->has_value(); }));
    EXPECT_TRUE((*read)->ok()) << **read;
    EXPECT_EQ(leader.Get("a"), "2");
  }
}

// Writers of all members, while leadership is handed over.
class Writers {
 public:
  Writers(SimCluster& cluster, std::size_t per_member) : cluster_(cluster) {
    for (std::size_t i = 0; i < cluster.size(); ++i) {
      for (std::size_t j = 0; j < per_member; ++j) writers_.push_back({i, nullptr, {}});
    }
  }

  void Stop(std::size_t member) {
    for (Writer& writer : writers_) {
      if (writer.member == member) writer.stopped = true;
    }
  }

  // Starts what is idle, looks at what is done. True when nothing is under way any more.
  bool Poll(bool start_new) {
    bool idle = true;
    const auto now = cluster_.scheduler.clock().Now();
    for (Writer& writer : writers_) {
      if (writer.pending != nullptr && writer.pending->result.has_value()) {
        if (!writer.pending->result->status.ok()) failed_.push_back(writer.pending->result->status);
        slowest_ = std::max(slowest_, now - writer.since);
        writer.pending = nullptr;
        ++done_;
      }
      if (writer.pending == nullptr && start_new && !writer.stopped) {
        writer.pending = StartPut(cluster_[writer.member], "k", std::to_string(done_));
        writer.since = now;
      }
      idle = idle && writer.pending == nullptr;
    }
    return idle;
  }

  const std::vector<absl::Status>& failed() const { return failed_; }
  std::chrono::nanoseconds slowest() const { return slowest_; }
  int done() const { return done_; }

 private:
  struct Writer {
    std::size_t member;
    PendingPut pending;
    base::Clock::Monotonic since;
    bool stopped = false;
  };
  SimCluster& cluster_;
  std::vector<Writer> writers_;
  std::vector<absl::Status> failed_;
  std::chrono::nanoseconds slowest_{0};
  int done_ = 0;
};

TEST(HandOver, BeforeAStopFailsNoWriteAndStallsNone) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SimCluster cluster(seed, 3);
    ASSERT_TRUE(cluster.Boot());
    const std::size_t old = cluster.AwaitLeader();
    Writers writers(cluster, 3);
    cluster.WaitFor([&] { return writers.Poll(true), writers.done() > 100; });
    bool handed_over = false;
    cluster[old]->HandOver([&] { handed_over = true; });
    ASSERT_TRUE(cluster.WaitFor([&] { return writers.Poll(true), handed_over; }));
    ASSERT_NE(cluster.Leader(), old) << seed;
    writers.Stop(old);
    bool stopped = false;
    cluster[old]->Stop([&] { stopped = true; });
    ASSERT_TRUE(cluster.WaitFor([&] { return writers.Poll(true), stopped; }));
    ASSERT_TRUE(cluster.WaitFor([&] { return writers.Poll(false); }));
    EXPECT_TRUE(writers.failed().empty()) << writers.failed().front() << ", seed " << seed;
    EXPECT_LT(writers.slowest(), milliseconds(150)) << seed;
  }
}

TEST(HandOver, EndsWhenNobodyTakesOver) {
  SimCluster cluster(3, 3);
  ASSERT_TRUE(cluster.Boot());
  const std::size_t old = cluster.AwaitLeader();
  // They answer, but never campaign.
  cluster.network.filter = [](const raft::Message& m) {
    return m.type != raft::MessageType::kTimeoutNow;
  };
  const auto start = cluster.scheduler.clock().Now();
  bool done = false;
  cluster[old]->HandOver([&] { done = true; });
  ASSERT_TRUE(cluster.WaitFor([&] { return done; }));
  EXPECT_LE(cluster.scheduler.clock().Now() - start,
            2 * cluster[old].options.election_timeout() + milliseconds(1));
  // It leads on, and takes writes again.
  EXPECT_TRUE(cluster[old].Put("a", "1").status.ok());
}

TEST(HandOver, OfTheOnlyVoterIsNoWait) {
  SimCluster cluster(4, 1);
  ASSERT_TRUE(cluster.Boot());
  const auto start = cluster.scheduler.clock().Now();
  cluster.Stop(0);
  EXPECT_LT(cluster.scheduler.clock().Now() - start, milliseconds(10));
}

}  // namespace
}  // namespace etcd::node
