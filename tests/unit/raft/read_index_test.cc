#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/raft/cluster.h"
#include "tests/unit/raft/describe.h"
#include "tests/unit/raft/solo.h"

// Linearizable reads (thesis 6.4).
namespace etcd::raft {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Message RoundAnswer(std::uint64_t from, const Message& heartbeat) {
  Message m = Solo::From(from, MessageType::kHeartbeatResp, heartbeat.term.value());
  m.context = heartbeat.context;
  return m;
}

TEST(Thesis64, ReadWaitsForAQuorumOfHeartbeatAnswers) {
  Solo::Options options;
  options.voters = {1, 2, 3, 4, 5};
  Led solo(options);
  solo.core.ReadIndex("r");
  const std::vector<Message> round = solo.FlushAll();
  ASSERT_THAT(round, SizeIs(4));
  EXPECT_EQ(Describe(round[0]), "1->2 Heartbeat term 1 commit 1 ctx #1");
  solo.core.Step(RoundAnswer(2, round[0]));
  solo.core.Step(RoundAnswer(2, round[0]));
  solo.FlushAll();
  EXPECT_THAT(solo.reads, IsEmpty());
  solo.core.Step(RoundAnswer(3, round[1]));
  solo.FlushAll();
  ASSERT_THAT(solo.reads, SizeIs(1));
  EXPECT_EQ(solo.reads[0].index, Index(1));
  EXPECT_EQ(solo.reads[0].context, "r");
}

TEST(Thesis64, ReadsOfOneTurnShareARound) {
  Led solo;
  solo.core.ReadIndex("a");
  solo.core.ReadIndex("b");
  const std::vector<Message> round = solo.FlushAll();
  ASSERT_THAT(round, SizeIs(2));
  solo.core.Step(RoundAnswer(3, round[1]));
  solo.FlushAll();
  EXPECT_THAT(solo.reads, SizeIs(2));
}

// etcd issue 20418: an answer to a heartbeat sent before the read arrived proves nothing for it.
TEST(Thesis64, LateAnswerToAnEarlierRoundDoesNotConfirmALaterRead) {
  Led solo;
  solo.core.ReadIndex("a");
  const std::vector<Message> first = solo.FlushAll();
  solo.core.ReadIndex("b");
  const std::vector<Message> second = solo.FlushAll();
  EXPECT_NE(first[0].context, second[0].context);
  solo.core.Step(RoundAnswer(2, first[0]));
  solo.FlushAll();
  ASSERT_THAT(solo.reads, SizeIs(1));
  EXPECT_EQ(solo.reads[0].context, "a");
  solo.core.Step(RoundAnswer(3, second[1]));
  solo.FlushAll();
  EXPECT_THAT(solo.reads, SizeIs(2));
}

TEST(Thesis64, AnswerToALaterRoundConfirmsEarlierReads) {
  Led solo;
  solo.core.ReadIndex("a");
  solo.FlushAll();
  solo.core.Tick();  // the heartbeat asks again, by a round of its own
  const std::vector<Message> retry = solo.FlushAll();
  EXPECT_EQ(Describe(retry[0]), "1->2 Heartbeat term 1 commit 1 ctx #2");
  solo.core.Step(RoundAnswer(2, retry[0]));
  solo.FlushAll();
  EXPECT_THAT(solo.reads, SizeIs(1));
}

TEST(Thesis64, ReadBeforeTheFirstCommitOfTheTermWaitsForIt) {
  Solo solo;
  solo.Lead();
  solo.core.ReadIndex("r");
  EXPECT_THAT(Lines(solo.FlushAll()), Each(HasSubstr(" App ")));
  solo.core.Step(Solo::Acknowledge(2, 1, Index(1)));
  const std::vector<Message> round = solo.FlushAll();
  ASSERT_FALSE(round.empty());
  for (const Message& m : round) {
    if (m.type == MessageType::kHeartbeat) solo.core.Step(RoundAnswer(m.to.value(), m));
  }
  solo.FlushAll();
  ASSERT_THAT(solo.reads, SizeIs(1));
  EXPECT_EQ(solo.reads[0].index, Index(1));
}

TEST(Thesis64, FollowersReadIsAnsweredThroughTheLeader) {
  Cluster cluster({});
  cluster.Elect(1);
  cluster.core(1).Propose("x");
  cluster.Settle();
  EXPECT_TRUE(cluster.Read(2, "r"));
  cluster.Settle();
  ASSERT_THAT(cluster[2].reads, SizeIs(1));
  EXPECT_EQ(cluster[2].reads[0].index, cluster.core(1).committed());
}

TEST(Thesis64, DeposedLeaderAnswersNoRead) {
  Cluster cluster({});
  cluster.Elect(1);
  cluster.Isolate(1);
  EXPECT_TRUE(cluster.Read(1, "r"));
  cluster.Tick(40);
  cluster.core(cluster.leader()).Propose("x");
  cluster.Heal();
  cluster.Tick(40);
  EXPECT_THAT(cluster[1].reads, IsEmpty());
}

TEST(Thesis64, ConfirmedReadsAreDroppedWhenTheTermChanges) {
  Led solo;
  solo.core.ReadIndex("r");
  for (const Message& m : solo.FlushAll()) solo.core.Step(RoundAnswer(m.to.value(), m));
  solo.core.Step(Solo::From(2, MessageType::kHeartbeat, 9));
  solo.FlushAll();
  EXPECT_THAT(solo.reads, IsEmpty());
}

TEST(Thesis64, LearnersDoNotConfirmReads) {
  Solo::Options options;
  options.voters = {1, 2};
  options.learners = {3};
  Led solo(options);
  solo.core.ReadIndex("r");
  const std::vector<Message> round = solo.FlushAll();
  solo.core.Step(RoundAnswer(3, round[1]));
  solo.FlushAll();
  EXPECT_THAT(solo.reads, IsEmpty());
  solo.core.Step(RoundAnswer(2, round[0]));
  solo.FlushAll();
  EXPECT_THAT(solo.reads, SizeIs(1));
}

}  // namespace
}  // namespace etcd::raft
