#include "server/raft/progress.h"

#include <gtest/gtest.h>

namespace etcd::raft {
namespace {

Progress MakeProgress(std::uint64_t match, std::uint64_t next) {
  return Progress(Index(match), Index(next), /*learner=*/false, 3, 1000);
}

TEST(RaftInflights, FillsByCountAndByBytes) {
  Inflights window(2, 100);
  window.Add(Index(1), 10);
  EXPECT_FALSE(window.full());
  window.Add(Index(2), 10);
  EXPECT_TRUE(window.full());
  window.FreeUpTo(Index(1));
  EXPECT_FALSE(window.full());
  window.Clear();
  window.Add(Index(3), 100);
  EXPECT_TRUE(window.full());
}

TEST(RaftInflights, AnswerFreesAllMessagesBelowIt) {
  Inflights window(10, 100);
  for (std::uint64_t i = 1; i <= 5; ++i) window.Add(Index(i * 10), 1);
  window.FreeUpTo(Index(39));
  EXPECT_EQ(window.count(), 2U);
  window.FreeUpTo(Index(50));
  EXPECT_EQ(window.count(), 0U);
}

TEST(RaftProgress, ProbeSendsOneMessageAtATime) {
  Progress progress = MakeProgress(0, 5);
  progress.Sent(2, 10);
  EXPECT_TRUE(progress.paused());
  EXPECT_EQ(progress.next, Index(5));
  EXPECT_TRUE(progress.Acknowledge(Index(6)));
  EXPECT_FALSE(progress.paused());
}

TEST(RaftProgress, ReplicateRunsAheadUntilTheWindowIsFull) {
  Progress progress = MakeProgress(4, 5);
  progress.BecomeReplicate();
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(progress.paused());
    progress.Sent(1, 10);
  }
  EXPECT_TRUE(progress.paused());
  EXPECT_EQ(progress.next, Index(8));
}

TEST(RaftProgress, RefusedProbeGoesBackToTheHint) {
  Progress progress = MakeProgress(0, 10);
  EXPECT_TRUE(progress.Reject(Index(9), Index(4)));
  EXPECT_EQ(progress.next, Index(5));
}

TEST(RaftProgress, RefusedProbeNeverGoesBelowMatch) {
  Progress progress = MakeProgress(6, 10);
  EXPECT_TRUE(progress.Reject(Index(9), Index(2)));
  EXPECT_EQ(progress.next, Index(7));
}

TEST(RaftProgress, RefusalOfAnotherProbeIsStale) {
  Progress progress = MakeProgress(0, 10);
  EXPECT_FALSE(progress.Reject(Index(7), Index(3)));
  EXPECT_EQ(progress.next, Index(10));
}

TEST(RaftProgress, RefusalInReplicateReturnsToMatch) {
  Progress progress = MakeProgress(4, 5);
  progress.BecomeReplicate();
  progress.Sent(3, 10);
  EXPECT_FALSE(progress.Reject(Index(4), Index(2))) << "overtaken by an acknowledgement";
  EXPECT_TRUE(progress.Reject(Index(6), Index(2)));
  EXPECT_EQ(progress.next, Index(5));
}

TEST(RaftProgress, AcknowledgementNeverMovesBack) {
  Progress progress = MakeProgress(6, 7);
  EXPECT_FALSE(progress.Acknowledge(Index(5)));
  EXPECT_EQ(progress.match, Index(6));
}

TEST(RaftProgress, DeliveredSnapshotGoesOnBehindIt) {
  Progress progress = MakeProgress(2, 3);
  progress.BecomeSnapshot(Index(50));
  EXPECT_TRUE(progress.paused());
  progress.BecomeProbe();
  EXPECT_EQ(progress.next, Index(51));
  EXPECT_EQ(progress.match, Index(2)) << "nothing is acknowledged yet";
}

TEST(RaftProgress, LostSnapshotGoesBackToMatch) {
  Progress progress = MakeProgress(2, 3);
  progress.BecomeSnapshot(Index(50));
  progress.SnapshotFailed();
  progress.BecomeProbe();
  EXPECT_EQ(progress.next, Index(3));
}

}  // namespace
}  // namespace etcd::raft
