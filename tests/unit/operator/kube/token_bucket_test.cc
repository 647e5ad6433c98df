#include "operator/kube/token_bucket.h"

#include <gtest/gtest.h>

namespace etcd::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

const base::Clock::Monotonic kBegin{std::chrono::hours(1)};

TEST(TokenBucket, LetsTheBurstThroughAndThenTheRate) {
  TokenBucket bucket(50, 100);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(bucket.Reserve(kBegin), nanoseconds(0));
  EXPECT_EQ(bucket.Reserve(kBegin), milliseconds(20));
  EXPECT_EQ(bucket.Reserve(kBegin), milliseconds(40));
  // Those two have their tokens; the next one comes 20 ms after them.
  EXPECT_EQ(bucket.Reserve(kBegin + milliseconds(40)), milliseconds(20));
}

TEST(TokenBucket, FillsUpToTheBurstOnly) {
  TokenBucket bucket(1, 2);
  const auto later = kBegin + seconds(1000);
  (void)bucket.Reserve(kBegin);
  EXPECT_EQ(bucket.Reserve(later), nanoseconds(0));
  EXPECT_EQ(bucket.Reserve(later), nanoseconds(0));
  EXPECT_EQ(bucket.Reserve(later), seconds(1));
}

}  // namespace
}  // namespace etcd::kube
