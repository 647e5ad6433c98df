#include "server/net/loop.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/net/running_loop.h"

namespace etcd::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

class Recorder final : public Flushable, public LoopTask {
 public:
  Recorder(std::string& ran, std::string name) : ran_(ran), name_(std::move(name)) {}
  void Flush() override { ran_ += name_; }
  void RunOnLoop() override { ran_ += name_; }

 private:
  std::string& ran_;
  const std::string name_;
};

TEST_F(RunningLoop, RunsWhatIsPostedInOrderOnItsThread) {
  std::string ran;
  bool on_loop = false;
  for (int i = 0; i < 10; ++i) loop.mailbox()->Post([&ran, i] { ran += std::to_string(i); });
  OnLoop([&] { on_loop = loop.mailbox()->OnLoopThread(); });
  EXPECT_EQ(ran, "0123456789");
  EXPECT_TRUE(on_loop);
  EXPECT_FALSE(loop.mailbox()->OnLoopThread());
}

TEST_F(RunningLoop, PostsOfManyThreadsAllArrive) {
  std::atomic<int> ran = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) loop.mailbox()->Post([&] { ++ran; });
    });
  }
  for (std::thread& thread : threads) thread.join();
  AwaitIdle();
  EXPECT_EQ(ran, 8000);
}

// One write for all answers of a round.
TEST_F(RunningLoop, FlushesAfterAllThatWasPosted) {
  std::string ran;
  const auto connection = std::make_shared<Recorder>(ran, "F");
  OnLoop([&] {
    // Taken together, since the loop is busy.
    loop.mailbox()->Post([&] {
      ran += '1';
      loop.MarkDirty(connection);
    });
    loop.mailbox()->Post([&] { ran += '2'; });
    loop.mailbox()->Push(std::make_shared<Recorder>(ran, "p"));
  });
  AwaitIdle();
  EXPECT_EQ(ran, "p12F");
}

// Has always more to write.
class Greedy final : public Flushable, public std::enable_shared_from_this<Greedy> {
 public:
  Greedy(Loop& loop, const std::atomic<bool>& enough) : loop_(loop), enough_(enough) {}
  void Flush() override {
    if (!enough_) loop_.MarkDirty(shared_from_this());
  }

 private:
  Loop& loop_;
  const std::atomic<bool>& enough_;
};

TEST_F(RunningLoop, IsNotKeptByAConnectionThatAlwaysHasMoreToWrite) {
  std::atomic<bool> enough = false;
  OnLoop([&] { loop.MarkDirty(std::make_shared<Greedy>(loop, enough)); });
  std::promise<void> fired;
  loop.mailbox()->PostAfter(milliseconds(5), [&] { fired.set_value(); });
  EXPECT_EQ(fired.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  enough = true;
  AwaitIdle();
}

TEST_F(RunningLoop, PostAfterWaits) {
  const auto begin = steady_clock::now();
  std::promise<steady_clock::time_point> late;
  std::promise<steady_clock::time_point> soon;
  loop.mailbox()->PostAfter(milliseconds(40), [&] { late.set_value(steady_clock::now()); });
  loop.mailbox()->PostAfter(milliseconds(10), [&] { soon.set_value(steady_clock::now()); });
  const auto soon_at = soon.get_future().get();
  const auto late_at = late.get_future().get();
  EXPECT_GE(soon_at - begin, milliseconds(10));
  EXPECT_GE(late_at - begin, milliseconds(40));
  EXPECT_LT(soon_at, late_at);
}

// The kernel's timer stands at the earlier time then, and has to be set anew.
TEST_F(RunningLoop, ATimerThatIsMovedToLaterFiresThen) {
  std::promise<steady_clock::time_point> fired;
  std::unique_ptr<Timer> timer;
  steady_clock::time_point begin;
  OnLoop([&] {
    begin = loop.now();
    timer = std::make_unique<Timer>(loop.timers(), [&] { fired.set_value(steady_clock::now()); });
    timer->Arm(begin + milliseconds(5));
  });
  OnLoop([&] { timer->Arm(begin + milliseconds(40)); });
  EXPECT_GE(fired.get_future().get() - begin, milliseconds(40));
  OnLoop([&] { timer = nullptr; });
}

// What is destroyed with the mailbox may want to tell the loop so.
class PostsWhenDestroyed {
 public:
  PostsWhenDestroyed(MailboxPtr mailbox, bool& posted)
      : mailbox_(std::move(mailbox)), posted_(posted) {}
  ~PostsWhenDestroyed() {
    posted_ = mailbox_->TryPost([] {});
  }

 private:
  const MailboxPtr mailbox_;
  bool& posted_;
};

TEST(LoopJoin, DropsWhatIsPostedLater) {
  Loop loop(4096);
  loop.Start("test");
  const MailboxPtr mailbox = loop.mailbox();
  loop.Join();
  bool ran = false;
  EXPECT_FALSE(mailbox->TryPost([&] { ran = true; }));
  mailbox->Post([&] { ran = true; });
  mailbox->PostAfter(std::chrono::nanoseconds(0), [&] { ran = true; });
  loop.Run([&] { ran = true; });
  EXPECT_FALSE(ran);
}

TEST(LoopJoin, DestroysWhatIsLeftInTheMailbox) {
  Loop loop(4096);  // never started: nothing is taken out
  bool posted = true;
  auto held = std::make_shared<PostsWhenDestroyed>(loop.mailbox(), posted);
  const std::weak_ptr<PostsWhenDestroyed> left = held;
  loop.mailbox()->Post([held = std::move(held)] {});
  loop.Join();
  EXPECT_TRUE(left.expired());
  EXPECT_FALSE(posted);
}

TEST(LoopJoin, EndsBetweenTheTasksOfABusyLoop) {
  Loop loop(4096);
  loop.Start("test");
  std::atomic<int> rounds = 0;
  std::function<void()> again = [&] {
    ++rounds;
    loop.mailbox()->Post([&] { again(); });
  };
  loop.mailbox()->Post([&] { again(); });
  while (rounds < 100) std::this_thread::yield();
  loop.Join();
  const int at_end = rounds;
  std::this_thread::yield();
  EXPECT_EQ(rounds, at_end);
}

}  // namespace
}  // namespace etcd::net
