#include "server/net/timer_queue.h"

#include <chrono>
#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace etcd::net {
namespace {

using std::chrono::milliseconds;

class Timers : public ::testing::Test {
 protected:
  static TimerQueue::Time At(int ms) { return TimerQueue::Time(milliseconds(ms)); }

  TimerQueue queue;
  std::string ran;
};

TEST_F(Timers, RunInTheOrderOfTheirTimes) {
  Timer a(queue, [&] { ran += 'a'; });
  Timer b(queue, [&] { ran += 'b'; });
  Timer c(queue, [&] { ran += 'c'; });
  a.Arm(At(30));
  b.Arm(At(10));
  c.Arm(At(20));
  EXPECT_EQ(queue.Earliest(), At(10));
  queue.RunDue(At(20));
  EXPECT_EQ(ran, "bc");
  EXPECT_FALSE(b.armed());
  EXPECT_EQ(queue.Earliest(), At(30));
}

TEST_F(Timers, CanBeMovedAndDisarmed) {
  Timer a(queue, [&] { ran += 'a'; });
  Timer b(queue, [&] { ran += 'b'; });
  a.Arm(At(10));
  a.Arm(At(30));
  b.Arm(At(10));
  b.Disarm();
  queue.RunDue(At(20));
  EXPECT_EQ(ran, "");
  queue.RunDue(At(30));
  EXPECT_EQ(ran, "a");
  EXPECT_FALSE(queue.Earliest());
}

TEST_F(Timers, OneThatIsDestroyedNeverRuns) {
  auto a = std::make_unique<Timer>(queue, [&] { ran += 'a'; });
  a->Arm(At(10));
  a = nullptr;
  EXPECT_FALSE(queue.Earliest());
  queue.RunDue(At(10));
  EXPECT_EQ(ran, "");
}

// A closed connection takes all its timers with it, also those that are due in the same round.
TEST_F(Timers, ACallbackMayDestroyTheOthersAndItself) {
  std::unique_ptr<Timer> second;
  std::unique_ptr<Timer> first = std::make_unique<Timer>(queue, [&] {
    ran += '1';
    second = nullptr;
    first = nullptr;
  });
  second = std::make_unique<Timer>(queue, [&] { ran += '2'; });
  first->Arm(At(10));
  second->Arm(At(10) + std::chrono::nanoseconds(1));
  queue.RunDue(At(20));
  EXPECT_EQ(ran, "1");
  EXPECT_FALSE(queue.Earliest());
}

TEST_F(Timers, ACallbackMayArmItsTimerAgain) {
  Timer* self = nullptr;
  Timer beat(queue, [&] {
    ran += 'b';
    self->Arm(At(20));
  });
  self = &beat;
  beat.Arm(At(10));
  queue.RunDue(At(15));
  EXPECT_EQ(ran, "b");
  EXPECT_EQ(queue.Earliest(), At(20));
}

}  // namespace
}  // namespace etcd::net
