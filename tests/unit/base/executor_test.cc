#include <chrono>
#include <future>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/thread_executor.h"

namespace etcd::base {
namespace {

using std::chrono_literals::operator""ms;

TEST(ThreadExecutor, RunsTasksInPostingOrder) {
  const SystemClock clock;
  ThreadExecutor executor("test", clock);
  std::vector<int> order;
  for (int i = 0; i < 1000; ++i) executor.Post([&order, i] { order.push_back(i); });
  executor.Stop();
  ASSERT_EQ(order.size(), 1000U);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(ThreadExecutor, ATimerFiresNotBeforeItsDelay) {
  const SystemClock clock;
  ThreadExecutor executor("test", clock);
  std::promise<Clock::Monotonic> fired;
  const Clock::Monotonic start = clock.Now();
  executor.PostAfter(20ms, [&] { fired.set_value(clock.Now()); });
  EXPECT_GE(fired.get_future().get() - start, 20ms);
}

TEST(ThreadExecutor, TimersFireInOrderOfTheirDueTime) {
  const SystemClock clock;
  ThreadExecutor executor("test", clock);
  std::vector<int> order;
  std::promise<void> done;
  executor.PostAfter(10ms, [&] {
    order.push_back(2);
    done.set_value();
  });
  executor.PostAfter(5ms, [&] { order.push_back(1); });
  done.get_future().wait();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(ThreadExecutor, StopRunsWhatWasPostedAndDropsTimers) {
  const SystemClock clock;
  ThreadExecutor executor("test", clock);
  int ran = 0;
  executor.PostAfter(std::chrono::hours(1), [&] { ran += 100; });
  executor.Post([&] { ++ran; });
  executor.Stop();
  executor.Post([&] { ran += 10; });
  EXPECT_EQ(ran, 1);
}

}  // namespace
}  // namespace etcd::base
