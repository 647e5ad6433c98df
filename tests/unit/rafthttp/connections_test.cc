#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rafthttp/peer_fixture.h"
#include "tests/unit/rafthttp/raw_http.h"

// How many connections the peer port accepts.
namespace etcd::rafthttp {
namespace {

using ::testing::StartsWith;

constexpr std::size_t kConnectionsMax = 4;

// Keeps its requests until they are asked for.
class HoldingHandler final : public base::HttpHandler {
 public:
  void Start(base::HttpRequest /*request*/, base::HttpResponderPtr responder) override {
    const std::lock_guard lock(mu_);
    held_.push_back(std::move(responder));
    changed_.notify_all();
  }
  bool Await(std::size_t count, std::chrono::milliseconds patience) {
    std::unique_lock lock(mu_);
    return changed_.wait_for(lock, patience, [&] { return held_.size() >= count; });
  }
  void Answer(std::size_t place) {
    base::HttpResponderPtr responder;
    {
      const std::lock_guard lock(mu_);
      responder = held_.at(place);
    }
    responder->Reply(200, {}, "");
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  std::vector<base::HttpResponderPtr> held_;  // guarded by mu_
};

class FewConnections : public ::testing::Test {
 protected:
  // Nothing but the bound closes a connection within the test.
  static TransportOptions Options() {
    TransportOptions options;
    options.connections_max = kConnectionsMax;
    options.head_timeout = options.read_timeout = options.write_timeout = std::chrono::minutes(10);
    return options;
  }
  RawConnection Ask() const {
    RawConnection connection = RawConnection::Dial(member.port());
    connection.Send(Request("GET /version", ""));
    return connection;
  }

  HoldingHandler handler;
  TestMember member{1, Options(), kTestCluster, "3.6.16", &handler};
};

TEST_F(FewConnections, TheOldestWithoutARequestGivesWay) {
  std::vector<RawConnection> idle;
  for (std::size_t i = 0; i < kConnectionsMax + 2; ++i) {
    idle.push_back(RawConnection::Dial(member.port()));
  }
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(idle[i].ReadAll(), "");
    EXPECT_TRUE(idle[i].ended()) << i;
  }
  // The others are still there.
  for (std::size_t i = 2; i < idle.size(); ++i) {
    idle[i].Send(Request("GET /raft/probing", ""));
    EXPECT_THAT(idle[i].ReadAnswer(), StartsWith("HTTP/1.1 200 ")) << i;
  }
}

TEST_F(FewConnections, OneMoreWaitsUntilAnAnswerIsGiven) {
  std::vector<RawConnection> busy;
  for (std::size_t i = 0; i < kConnectionsMax; ++i) {
    busy.push_back(Ask());
    ASSERT_TRUE(handler.Await(i + 1, std::chrono::seconds(60)));
  }
  RawConnection late = Ask();
  EXPECT_FALSE(handler.Await(kConnectionsMax + 1, std::chrono::milliseconds(300)));
  handler.Answer(0);
  EXPECT_THAT(busy[0].ReadAnswer(), StartsWith("HTTP/1.1 200 "));
  EXPECT_TRUE(handler.Await(kConnectionsMax + 1, std::chrono::seconds(60)));
  handler.Answer(kConnectionsMax);
  EXPECT_THAT(late.ReadAnswer(), StartsWith("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace etcd::rafthttp
