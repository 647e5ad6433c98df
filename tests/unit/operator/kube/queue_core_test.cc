#include "operator/kube/queue_core.h"

#include <gtest/gtest.h>

namespace etcd::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const WorkKey kWorkA{"EtcdCluster", "n", "a"};
const WorkKey kWorkB{"EtcdCluster", "n", "b"};

struct QueueTest : ::testing::Test {
  base::Clock::Monotonic now{std::chrono::hours(1)};
  QueueCore queue{QueueCore::Options{}, 3};
};

TEST_F(QueueTest, GivesEachKeyOnceInTheOrderOfAdding) {
  queue.Add(kWorkA, now);
  queue.Add(kWorkB, now);
  queue.Add(kWorkA, now);
  EXPECT_EQ(queue.Take(now), kWorkA);
  EXPECT_EQ(queue.Take(now), kWorkB);
  EXPECT_EQ(queue.Take(now), std::nullopt);
}

TEST_F(QueueTest, NeverGivesAKeyThatIsWorkedOn) {
  queue.Add(kWorkA, now);
  EXPECT_EQ(queue.Take(now), kWorkA);
  queue.Add(kWorkA, now);
  queue.Add(kWorkA, now);
  queue.AddAfter(kWorkA, now, seconds(1));
  EXPECT_EQ(queue.Take(now + seconds(2)), std::nullopt);
  queue.Done(kWorkA, now, std::nullopt);
  EXPECT_EQ(queue.Take(now), kWorkA);
  queue.Done(kWorkA, now, std::nullopt);
  EXPECT_EQ(queue.Take(now + seconds(10)), std::nullopt);
}

TEST_F(QueueTest, OfSeveralDelaysTheEarliestCounts) {
  queue.AddAfter(kWorkA, now, seconds(30));
  queue.AddAfter(kWorkA, now, seconds(2));
  queue.AddAfter(kWorkA, now, seconds(10));
  EXPECT_EQ(queue.NextDue(), now + seconds(2));
  EXPECT_EQ(queue.Take(now + seconds(1)), std::nullopt);
  EXPECT_EQ(queue.Take(now + seconds(2)), kWorkA);
  EXPECT_EQ(queue.NextDue(), std::nullopt);
}

TEST_F(QueueTest, WorkSaysWhenTheKeyIsDueAgain) {
  queue.AddAfter(kWorkA, now, seconds(30));
  queue.Add(kWorkA, now);
  EXPECT_EQ(queue.Take(now), kWorkA);
  queue.Done(kWorkA, now, seconds(60));
  EXPECT_EQ(queue.NextDue(), now + seconds(60));
}

TEST_F(QueueTest, FailuresWaitLongerEachTimeAndAreForgotten) {
  for (int round = 0; round < 2; ++round) {
    std::chrono::nanoseconds longest{0};
    for (int i = 0; i < 3; ++i) {
      queue.Add(kWorkA, now);
      ASSERT_EQ(queue.Take(now), kWorkA);
      queue.Failed(kWorkA, now);
      if (!queue.NextDue().has_value()) continue;  // drew no wait at all
      longest = std::max<std::chrono::nanoseconds>(longest, *queue.NextDue() - now);
    }
    EXPECT_LE(longest, milliseconds(800));
    queue.Add(kWorkA, now);
    ASSERT_EQ(queue.Take(now), kWorkA);
    queue.Done(kWorkA, now, std::nullopt);
  }
}

TEST_F(QueueTest, FailuresWaitAtMostTwoMinutesSpreadOverAll) {
  std::chrono::nanoseconds longest{0}, shortest{minutes(5)};
  for (int i = 0; i < 200; ++i) {
    queue.Add(kWorkA, now);
    ASSERT_EQ(queue.Take(now), kWorkA);
    queue.Failed(kWorkA, now);
    if (i < 20) continue;
    const std::chrono::nanoseconds wait = *queue.NextDue() - now;
    longest = std::max(longest, wait);
    shortest = std::min(shortest, wait);
  }
  EXPECT_LE(longest, minutes(2));
  EXPECT_GT(longest, seconds(100));
  EXPECT_LT(shortest, seconds(20));
  EXPECT_EQ(queue.GetStats(now).retries, 200U);
}

TEST_F(QueueTest, CountsWhatItHas) {
  queue.Add(kWorkA, now);
  queue.AddAfter(kWorkB, now, seconds(5));
  QueueCore::Stats stats = queue.GetStats(now + seconds(3));
  EXPECT_EQ(stats.depth, 1U);
  EXPECT_EQ(stats.delayed, 1U);
  EXPECT_EQ(stats.oldest, seconds(3));
  ASSERT_EQ(queue.Take(now), kWorkA);
  stats = queue.GetStats(now);
  EXPECT_EQ(stats.depth, 0U);
  EXPECT_EQ(stats.processing, 1U);
}

}  // namespace
}  // namespace etcd::kube
