#include "server/net/readiness.h"

#include <array>
#include <future>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/unit/net/running_loop.h"

namespace etcd::net {
namespace {

// Two connected sockets, one of them watched by a loop.
class Watched : public RunningLoop {
 protected:
  Watched() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
    OnLoop([&] {
      readiness = std::make_unique<Readiness>(loop);
      EXPECT_TRUE(readiness->Watch(ends[0]));
    });
  }
  ~Watched() override {
    OnLoop([&] { readiness = nullptr; });
    for (const int end : ends) ::close(end);
  }
  void SendByte() { EXPECT_EQ(::send(ends[1], "x", 1, 0), 1); }

  std::array<int, 2> ends{};
  std::unique_ptr<Readiness> readiness;
};

TEST_F(Watched, TellsOnceWhenThereIsSomethingToRead) {
  std::promise<bool> told;  // would throw the second time
  OnLoop([&] { readiness->OnReadable([&] { told.set_value(loop.mailbox()->OnLoopThread()); }); });
  SendByte();
  EXPECT_TRUE(told.get_future().get());
  SendByte();
  OnLoop([] {});
}

TEST_F(Watched, TellsWhenThereIsRoomToWrite) {
  const std::string chunk(65536, 'x');
  while (::send(ends[0], chunk.data(), chunk.size(), 0) > 0) {
  }
  std::promise<void> told;
  OnLoop([&] { readiness->OnWritable([&] { told.set_value(); }); });
  std::string into(1 << 20, '\0');
  while (::recv(ends[1], into.data(), into.size(), 0) > 0) {
  }
  EXPECT_EQ(told.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST_F(Watched, TellsWhenThePeerHasGone) {
  std::promise<void> told;
  OnLoop([&] { readiness->OnReadable([&] { told.set_value(); }); });
  ::shutdown(ends[1], SHUT_WR);
  EXPECT_EQ(told.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST_F(Watched, IsSilentAfterRelease) {
  bool told = false;
  OnLoop([&] {
    readiness->OnReadable([&] { told = true; });
    readiness->Release();
  });
  SendByte();
  OnLoop([&] { EXPECT_TRUE(readiness->Watch(ends[0])); });
  std::promise<void> again;
  OnLoop([&] { readiness->OnReadable([&] { again.set_value(); }); });
  again.get_future().wait();
  EXPECT_FALSE(told);
}

TEST(ReadinessAtTheEnd, WhatAWaitHeldIsLetGoOf) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
  Loop loop(4096);
  loop.Start("test");
  std::weak_ptr<int> held;
  std::promise<void> done;
  loop.mailbox()->Post([&] {
    auto connection = std::make_shared<int>(1);
    held = connection;
    Readiness readiness(loop);
    EXPECT_TRUE(readiness.Watch(ends[0]));
    readiness.OnReadable([connection] {});
    done.set_value();
  });
  done.get_future().wait();
  loop.Join();
  EXPECT_TRUE(held.expired());
  for (const int end : ends) ::close(end);
}

}  // namespace
}  // namespace etcd::net
