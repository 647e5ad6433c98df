#include "operator/kube/reflector.h"

#include <gtest/gtest.h>

#include "operator/kube/api_error.h"

namespace etcd::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
struct ReflectorTest : ::testing::Test {
  using Step = Reflector::Step;
  Reflector::Action Next() { return reflector.Next(now); }
  // Lists, and begins a watch.
  void Sync() {
    ASSERT_EQ(Next().step, Step::kList);
    reflector.OnListed("100");
    ASSERT_EQ(Next().step, Step::kWatch);
  }
  void End(ApiErrc errc) { reflector.OnWatchEnded(now, ApiError(errc, "")); }

  base::Clock::Monotonic now{std::chrono::hours(1)};
  Reflector reflector{Reflector::Options{}, 7};
};

TEST_F(ReflectorTest, ListsThenWatchesFromThere) {
  EXPECT_FALSE(reflector.has_synced());
  EXPECT_EQ(Next().step, Step::kList);
  reflector.OnListed("100");
  EXPECT_TRUE(reflector.has_synced());
  const Reflector::Action watch = Next();
  EXPECT_EQ(watch.step, Step::kWatch);
  EXPECT_EQ(watch.resource_version, "100");
}

TEST_F(ReflectorTest, DrawsTheTimeoutOfEachWatch) {
  Sync();
  seconds shortest{1000}, longest{0};
  for (int i = 0; i < 200; ++i) {
    now += seconds(300);
    reflector.OnWatchEnded(now, absl::OkStatus());
    const seconds timeout = Next().watch_timeout;
    shortest = std::min(shortest, timeout);
    longest = std::max(longest, timeout);
  }
  EXPECT_GE(shortest, seconds(300));
  EXPECT_LE(longest, seconds(600));
  EXPECT_GT(longest - shortest, seconds(200));
}

TEST_F(ReflectorTest, GoesOnAfterTheLastEventWhenTheWatchEnds) {
  Sync();
  reflector.OnEvent("101");
  reflector.OnEvent("opaque-7");
  now += minutes(5);
  reflector.OnWatchEnded(now, absl::OkStatus());
  const Reflector::Action watch = Next();
  EXPECT_EQ(watch.step, Step::kWatch);
  EXPECT_EQ(watch.resource_version, "opaque-7");
}

TEST_F(ReflectorTest, WaitsAndGoesOnAfterALostConnection) {
  Sync();
  reflector.OnEvent("101");
  End(ApiErrc::kNoAnswer);
  const Reflector::Action wait = Next();
  EXPECT_EQ(wait.step, Step::kWait);
  EXPECT_GE(wait.wait, milliseconds(800));
  EXPECT_LE(wait.wait, milliseconds(1600));
  const Reflector::Action watch = Next();
  EXPECT_EQ(watch.step, Step::kWatch);
  EXPECT_EQ(watch.resource_version, "101");
  EXPECT_EQ(reflector.lists(), 1U);
}

TEST_F(ReflectorTest, ListsAtOnceWhenItsVersionIsGone) {
  for (const ApiErrc errc : {ApiErrc::kExpired, ApiErrc::kResourceVersionTooLarge}) {
    now += minutes(10);
    reflector = Reflector(Reflector::Options{}, 7);
    Sync();
    End(errc);
    EXPECT_EQ(Next().step, Step::kList);
  }
}

TEST_F(ReflectorTest, DoesNotHammerAServerWhoseVersionsAreAlwaysGone) {
  Sync();
  End(ApiErrc::kExpired);
  EXPECT_EQ(Next().step, Step::kList);
  reflector.OnListed("200");
  EXPECT_EQ(Next().step, Step::kWatch);
  End(ApiErrc::kExpired);
  EXPECT_EQ(Next().step, Step::kWait);
  EXPECT_EQ(Next().step, Step::kList);
}

TEST_F(ReflectorTest, ListsAnewAfterEventsThatItCannotRead) {
  Sync();
  End(ApiErrc::kBadAnswer);
  EXPECT_EQ(Next().step, Step::kWait);
  EXPECT_EQ(Next().step, Step::kList);
}

TEST_F(ReflectorTest, TakesAWatchThatEndsAtOnceForAFault) {
  Sync();
  reflector.OnWatchEnded(now + milliseconds(5), absl::OkStatus());
  EXPECT_EQ(Next().step, Step::kWait);
  EXPECT_EQ(Next().step, Step::kWatch);
  reflector.OnEvent("101");
  reflector.OnWatchEnded(now + milliseconds(5), absl::OkStatus());
  EXPECT_EQ(Next().step, Step::kWatch);
}

TEST_F(ReflectorTest, WaitsLongerWithEachFailureUpToTheCap) {
  std::chrono::nanoseconds longest{0};
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Next().step, Step::kList);
    reflector.OnListFailed(now, ApiError(ApiErrc::kUnavailable, ""));
    const Reflector::Action wait = Next();
    ASSERT_EQ(wait.step, Step::kWait);
    longest = std::max(longest, wait.wait);
    now += wait.wait;
  }
  EXPECT_GT(longest, seconds(30));
  EXPECT_LE(longest, seconds(60));
  // After two minutes without a failure it begins anew.
  EXPECT_EQ(Next().step, Step::kList);
  reflector.OnListed("1");
  now += minutes(2);
  End(ApiErrc::kNoAnswer);
  const Reflector::Action wait = Next();
  EXPECT_EQ(wait.step, Step::kWait);
  EXPECT_LE(wait.wait, milliseconds(1600));
}

TEST_F(ReflectorTest, WaitsAsLongAsTheServerAsks) {
  Sync();
  reflector.OnWatchEnded(now, StatusOfAnswer(429, "", seconds(20)));
  EXPECT_EQ(Next().wait, seconds(20));
}

}  // namespace
}  // namespace etcd::kube
