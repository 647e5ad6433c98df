#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rafthttp/peer_fixture.h"

namespace etcd::rafthttp {
namespace {

// Two members that know each other and have both streams both ways.
class Pair : public ::testing::Test {
 protected:
  explicit Pair(const TransportOptions& options = FastOptions()) : a(1, options), b(2, options) {
    a.Knows(b);
    b.Knows(a);
  }
  bool Connected() { return a.AwaitStreams(b.id()) && b.AwaitStreams(a.id()); }

  TestMember a;
  TestMember b;
};

TEST_F(Pair, ExchangesMessagesBothWays) {
  ASSERT_TRUE(Connected());
  a.transport().Send({Heartbeat(a.id(), b.id(), 7)});
  b.transport().Send({Heartbeat(b.id(), a.id(), 8)});
  EXPECT_TRUE(b.receiver.Await([&] { return b.receiver.received.size() == 1; }));
  EXPECT_TRUE(a.receiver.Await([&] { return a.receiver.received.size() == 1; }));
  EXPECT_EQ(b.receiver.received[0], Heartbeat(a.id(), b.id(), 7));
  EXPECT_EQ(a.receiver.received[0], Heartbeat(b.id(), a.id(), 8));
}

TEST_F(Pair, KeepsTheOrderOfAppendsAndTheirBytes) {
  ASSERT_TRUE(Connected());
  std::vector<raft::Message> sent;
  std::uint64_t index = 0;
  for (int i = 0; i < 300; ++i) {
    const std::size_t size = i % 50 == 0 ? 300'000 : static_cast<std::size_t>(i);
    std::vector<std::string> payloads(static_cast<std::size_t>(i % 4),
                                      std::string(size, static_cast<char>('a' + i % 26)));
    sent.push_back(Append(a.id(), b.id(), index, payloads));
    index += payloads.size();
  }
  for (const raft::Message& message : sent) a.transport().Send({message});
  ASSERT_TRUE(b.receiver.Await([&] { return b.receiver.received.size() == sent.size(); }));
  EXPECT_EQ(b.receiver.received, sent);
}

TEST_F(Pair, MessagesOfOneReadyArriveInOneBatch) {
  ASSERT_TRUE(Connected());
  std::vector<raft::Message> ready;
  for (std::uint64_t i = 0; i < 50; ++i) ready.push_back(Append(a.id(), b.id(), i, {"x"}));
  a.transport().Send(ready);
  ASSERT_TRUE(b.receiver.Await([&] { return b.receiver.received.size() == 50; }));
  EXPECT_LE(b.receiver.batches, 3);
}

TEST_F(Pair, APeerThatStopsIsReportedAndFoundAgain) {
  ASSERT_TRUE(Connected());
  const std::uint16_t port = b.port();
  b.Stop();
  EXPECT_TRUE(a.AwaitActive(b.id(), false));
  EXPECT_TRUE(a.receiver.Await([&] { return a.receiver.unreachable[b.id()] > 0; }));
  TransportOptions options = FastOptions();
  options.listen_urls = {{"http", "127.0.0.1:" + std::to_string(port)}};
  TestMember again(2, options);
  again.Knows(a);
  EXPECT_TRUE(a.AwaitActive(b.id()));
  a.transport().Send({Heartbeat(a.id(), b.id())});
  EXPECT_TRUE(again.receiver.Await([&] { return !again.receiver.received.empty(); }));
}

TEST_F(Pair, ARemovedPeerIsNotTalkedTo) {
  ASSERT_TRUE(Connected());
  a.transport().RemovePeer(b.id());
  EXPECT_TRUE(a.AwaitActive(b.id(), false));
  a.transport().Send({Heartbeat(a.id(), b.id())});
  // The other direction still works: a new link, over which nothing of the above comes.
  a.transport().AddPeer(b.id(), {b.url()});
  ASSERT_TRUE(Connected());
  a.transport().Send({Heartbeat(a.id(), b.id(), 9)});
  ASSERT_TRUE(b.receiver.Await([&] { return !b.receiver.received.empty(); }));
  EXPECT_EQ(b.receiver.received[0].commit, Index(9));
}

// --socket-reuse-port: the next process may listen while the one before it still does.
TEST(ListenUrls, ShareAPortOnlyWhenTold) {
  TransportOptions options;
  options.listen_urls = {{"http", "127.0.0.1:0"}};
  options.reuse_port = true;
  Transport first(options);
  const auto ports = first.Listen();
  ASSERT_TRUE(ports.ok());
  options.listen_urls = {{"http", "127.0.0.1:" + std::to_string(ports->front())}};
  Transport second(options);
  EXPECT_TRUE(second.Listen().ok());
  options.reuse_port = false;
  Transport third(options);
  EXPECT_FALSE(third.Listen().ok());
}

}  // namespace
}  // namespace etcd::rafthttp
