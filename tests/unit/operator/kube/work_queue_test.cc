#include "operator/kube/work_queue.h"

#include <map>
#include <set>
#include <stdexcept>

#include <gtest/gtest.h>

#include "kube_fixture.h"
#include "server/base/status.h"

namespace etcd::kube {
namespace {

using std::chrono::milliseconds;

WorkKey Key(int number) { return {"K", "n", std::to_string(number)}; }

struct WorkQueueTest : ::testing::Test {
  base::SystemClock clock;
  Signal signal;
  WorkQueue queue{clock, 1, {.first_failure = milliseconds(1), .failure_cap = milliseconds(2)}};
};

TEST_F(WorkQueueTest, NeverWorksOnAKeyTwiceAtOnceAndLosesNoAdd) {
  std::set<WorkKey> running;
  std::map<WorkKey, int> added, worked_at;  // worked_at: number of adds that the last run saw
  bool overlapped = false;
  queue.Start(8, [&](const WorkKey& key, const std::stop_token&) -> WorkQueue::Result {
    signal.Do([&] {
      overlapped = overlapped || !running.insert(key).second;
      worked_at[key] = added[key];
    });
    std::this_thread::yield();
    signal.Do([&] { running.erase(key); });
    return {};
  });
  for (int i = 0; i < 5000; ++i) {
    signal.Do([&] { ++added[Key(i % 7)]; });
    queue.Add(Key(i % 7));
  }
  EXPECT_TRUE(signal.WaitUntil([&] { return running.empty() && worked_at == added; }));
  queue.Stop();
  EXPECT_FALSE(overlapped);
}

TEST_F(WorkQueueTest, ComesBackAfterErrorsExceptionsAndDelays) {
  int runs = 0;
  queue.Start(2, [&](const WorkKey&, const std::stop_token&) -> WorkQueue::Result {
    int run = 0;
    signal.Do([&] { run = ++runs; });
    if (run == 1) return {absl::InternalError("first"), std::nullopt};
    if (run == 2) throw std::runtime_error("second");
    if (run == 3) return {absl::OkStatus(), milliseconds(1)};
    return {};
  });
  queue.Add(Key(1));
  EXPECT_TRUE(signal.WaitUntil([&] { return runs == 4; }));
  queue.Stop();
  EXPECT_EQ(queue.stats().retries, 2U);
}

TEST_F(WorkQueueTest, ADelayIsKeptWhileTheOtherWorkersAreBusy) {
  bool release = false;
  bool late_ran = false;
  queue.Start(2, [&](const WorkKey& key, const std::stop_token&) -> WorkQueue::Result {
    if (key == Key(0)) {
      signal.WaitUntil([&] { return release; });
    } else {
      signal.Do([&] { late_ran = true; });
    }
    return {};
  });
  // Whichever worker waits for the delay is taken away from it by the other key.
  queue.AddAfter(Key(1), milliseconds(20));
  queue.Add(Key(0));
  EXPECT_TRUE(signal.WaitUntil([&] { return late_ran; }));
  signal.Do([&] { release = true; });
  queue.Stop();
}

TEST_F(WorkQueueTest, StopWaitsForRunningWorkAndTellsIt) {
  bool started = false, ended = false;
  queue.Start(2, [&](const WorkKey&, const std::stop_token& stop) -> WorkQueue::Result {
    signal.Do([&] { started = true; });
    while (!stop.stop_requested()) std::this_thread::yield();
    signal.Do([&] { ended = true; });
    return {};
  });
  queue.Add(Key(1));
  ASSERT_TRUE(signal.WaitUntil([&] { return started; }));
  queue.Stop();
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace etcd::kube
