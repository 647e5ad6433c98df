// Linearizable reads while a cluster shrinks to one member, and of a member that was started again.
#include <optional>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "server/base/status.h"
#include "server/storage/engine/mem_engine.h"
#include "tests/support/sim_cluster.h"
#include "tests/unit/node/added.h"

namespace etcd::node {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::SimCluster;
using testing::SimMember;

using PendingRead = std::shared_ptr<std::optional<absl::Status>>;

PendingRead StartRead(SimMember& member) {
  auto answer = std::make_shared<std::optional<absl::Status>>();
  member->ReadIndex([answer](absl::Status status) { *answer = std::move(status); });
  return answer;
}

// ---- A leader that is left alone

// The apply thread of a member: it stands still while the engine is full, and it can be let do one
// batch.
class ApplyThread final : public MemberObserver {
 public:
  explicit ApplyThread(engine::MemEngine& engine) : engine_(engine) {}

  void Stall() { engine_.SetFull(true); }
  void RunOneBatch() {
    one_ = true;
    engine_.SetFull(false);
  }
  void Run() {
    one_ = false;
    engine_.SetFull(false);
  }

  void OnCommitted(std::chrono::nanoseconds) override {
    if (one_) engine_.SetFull(true);
  }

 private:
  engine::MemEngine& engine_;
  bool one_ = false;
};

// `leader` removes `other`, which applies the removal and the write that follows it, and answers
// the write, long before the leader applies any of it.
void RemoveAndRead(SimCluster& cluster, SimMember& leader, ApplyThread& apply, SimMember& other) {
  ASSERT_TRUE(leader.Put("a", "1").status.ok());
  const MemberId gone = other->member_id();
  const Index before = leader->status().committed;
  apply.Stall();
  leader->RemoveMember(gone, {}, [](const auto&) {});
  ASSERT_TRUE(cluster.WaitFor([&] { return leader->status().committed > before; }));
  ASSERT_FALSE(other->IsRemoved(gone));
  ASSERT_TRUE(other.Put("a", "2").status.ok());
  ASSERT_FALSE(leader->IsRemoved(gone));
  apply.RunOneBatch();
  ASSERT_TRUE(cluster.WaitFor([&] { return leader->IsRemoved(gone); }));
  // Until the raft thread has heard of it, and some ticks more.
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(leader.Get("a"), "1");
    const PendingRead read = StartRead(leader);
    cluster.scheduler.RunFor(milliseconds(150));
    EXPECT_FALSE(read->has_value()) << "stale";
  }
  const PendingRead read = StartRead(leader);
  apply.Run();
  ASSERT_TRUE(cluster.WaitFor([&] { return read->has_value(); }));
  EXPECT_TRUE((*read)->ok()) << **read;
  EXPECT_EQ(leader.Get("a"), "2");
  // From now on nobody else can have answered anything: no round is needed.
  cluster.scheduler.RunFor(milliseconds(150));
  EXPECT_TRUE(StartRead(leader)->has_value());
}

TEST(LinearizableRead, OfTheLastVoterSeesWhatTheRemovedOneAnswered) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SimCluster cluster(seed, 2, WithoutStrictCheck);
    ApplyThread apply[] = {ApplyThread(cluster[0].engine), ApplyThread(cluster[1].engine)};
    for (std::size_t i = 0; i < 2; ++i) cluster[i].observer = &apply[i];
    ASSERT_TRUE(cluster.Boot());
    const std::size_t leader = cluster.AwaitLeader();
    RemoveAndRead(cluster, cluster[leader], apply[leader], cluster[1 - leader]);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

TEST(LinearizableRead, OfTheLastMemberSeesWhatTheRemovedLearnerAnswered) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SimCluster cluster(seed, 1, WithoutStrictCheck);
    ApplyThread apply(cluster[0].engine);
    cluster[0].observer = &apply;
    ASSERT_TRUE(cluster.Boot());
    Added learner(cluster, /*is_learner=*/true);
    ASSERT_TRUE(learner.Open().ok());
    ASSERT_TRUE(cluster.WaitFor([&] { return learner.member->is_ready(); }));
    RemoveAndRead(cluster, cluster[0], apply, *learner.member);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

// ---- A member that is started again

// A follower that is killed while its reads are open, and started again. Entries do not reach it
// any more from the second start on: it must not answer reads that came after a later write.
struct Restarted {
  explicit Restarted(std::uint64_t seed) : cluster(seed, 3) {
    EXPECT_TRUE(cluster.Boot());
    leader = cluster.AwaitLeader();
    asked = (leader + 1) % 3;
    id = cluster[asked]->member_id();
    EXPECT_TRUE(cluster[leader].Put("a", "1").status.ok());
    EXPECT_TRUE(cluster.AwaitConverged());
    cluster.Kill(asked);
  }

  // A write that it cannot apply; then a read of it.
  PendingRead StartAgainBehind() {
    cluster.Kill(asked);
    gets_entries = false;
    EXPECT_TRUE(cluster[leader].Put("a", "2").status.ok());
    EXPECT_TRUE(cluster.Open(asked).ok());
    return StartRead(cluster[asked]);
  }
  void ExpectNotStale(const PendingRead& read) {
    if (!read->has_value()) return;
    EXPECT_TRUE(!(*read)->ok() || cluster[asked].Get("a") == "2") << "stale";
  }
  void ExpectAnswered() {
    cluster.network.filter = nullptr;
    cluster.network.faults = {};
    ASSERT_TRUE(cluster.WaitFor([&] { return cluster[asked].is_ready(); }));
    const PendingRead read = StartRead(cluster[asked]);
    ASSERT_TRUE(cluster.WaitFor([&] { return read->has_value(); }));
    EXPECT_TRUE((*read)->ok()) << **read;
    EXPECT_EQ(cluster[asked].Get("a"), "2");
  }

  bool IsEntryForIt(const raft::Message& m) const {
    return m.type == raft::MessageType::kApp && m.to == id;
  }

  SimCluster cluster;
  std::size_t leader = 0;
  std::size_t asked = 0;
  MemberId id;
  bool gets_entries = true;
};

// What the leader answers to the process before may reach the one after it, early or late in its
// count of rounds.
TEST(LinearizableRead, AnswersToAnEarlierProcessConfirmNothing) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    Restarted member(seed);
    SimCluster& cluster = member.cluster;
    const milliseconds late(800 + 200 * static_cast<std::int64_t>(seed));
    cluster.network.faults.reorder = true;  // answers do not hold up the heartbeats behind them
    cluster.network.filter = [&](const raft::Message& m) {
      const bool is_late = m.type == raft::MessageType::kReadIndexResp && m.to == member.id;
      cluster.network.faults.delay_min = is_late ? late : microseconds(100);
      cluster.network.faults.delay_max = is_late ? late : microseconds(500);
      return member.gets_entries || !member.IsEntryForIt(m);
    };
    ASSERT_TRUE(cluster.Open(member.asked).ok());
    cluster.scheduler.RunFor(milliseconds(2400));  // asks in vain every half second
    const PendingRead read = member.StartAgainBehind();
    cluster.scheduler.RunFor(milliseconds(2400));
    member.ExpectNotStale(read);
    member.ExpectAnswered();
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

// A read that the leader could not confirm yet is answered with the index of the time when it came.
TEST(LinearizableRead, WhatAnEarlierProcessAskedForIsNotTheAnswerOfALaterOne) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Restarted member(seed);
    SimCluster& cluster = member.cluster;
    bool confirms = false;
    cluster.network.filter = [&](const raft::Message& m) {
      if (!member.gets_entries && member.IsEntryForIt(m)) return false;
      return confirms || m.type != raft::MessageType::kHeartbeatResp || m.context.empty();
    };
    ASSERT_TRUE(cluster.Open(member.asked).ok());
    for (int i = 0; i < 20; ++i) {  // the leader hears of its followers by their entries alone
      ASSERT_TRUE(cluster[member.leader].Put("b", std::to_string(i)).status.ok());
      cluster.scheduler.RunFor(milliseconds(100));
    }
    const PendingRead read = member.StartAgainBehind();
    cluster.scheduler.RunFor(milliseconds(300));
    confirms = true;
    cluster.scheduler.RunFor(milliseconds(300));
    member.ExpectNotStale(read);
    member.ExpectAnswered();
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

// As a Go leader wants it, who keeps open reads by nothing but their context
// (raft-peer-storage.md 2.8, 5.3).
TEST(LinearizableRead, ItsContextIsARequestIdThatNoProcessUsedBefore) {
  Restarted member(1);
  SimCluster& cluster = member.cluster;
  std::set<std::string> contexts;
  cluster.network.filter = [&](const raft::Message& m) {
    if (m.type != raft::MessageType::kReadIndex || m.from != member.id) return true;
    const std::string context(m.entries.at(0).data.view());
    EXPECT_TRUE(contexts.insert(context).second) << "used twice";
    EXPECT_EQ(context.size(), 8U);
    const auto high =
        static_cast<unsigned char>(context[0]) << 8 | static_cast<unsigned char>(context[1]);
    EXPECT_EQ(static_cast<std::uint64_t>(high), member.id.value() & 0xffff);
    return true;
  };
  for (int start = 0; start < 5; ++start) {
    ASSERT_TRUE(cluster.Open(member.asked).ok());
    ASSERT_TRUE(cluster.WaitFor([&] { return cluster[member.asked].is_ready(); }));
    cluster.Kill(member.asked);
  }
  EXPECT_GE(contexts.size(), 5U);
}

}  // namespace
}  // namespace etcd::node
