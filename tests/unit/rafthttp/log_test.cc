#include "server/base/log.h"

#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/raftcodec/raftpb.h"
#include "tests/unit/rafthttp/peer_fixture.h"
#include "tests/unit/rafthttp/raw_http.h"

// Members that are refused come again many times a second: each cause is logged once, until it goes
// well again.
namespace etcd::rafthttp {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// Counts the lines of each message while it lives.
class LogCounter final : public base::LogSink {
 public:
  LogCounter() { base::SetLogSink(this); }
  ~LogCounter() override { base::SetLogSink(nullptr); }
  void Write(const base::LogRecord& record) override {
    const std::lock_guard lock(mu_);
    ++lines_[std::string(record.message)];
    changed_.notify_all();
  }
  bool AwaitLine(const std::string& message) {
    std::unique_lock lock(mu_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return lines_[message] > 0; });
  }
  int Lines(const std::string& message) {
    const std::lock_guard lock(mu_);
    return lines_[message];
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  std::map<std::string, int> lines_;
};

// A member, and requests of member 2 or of strangers.
class Refusals : public ::testing::Test {
 protected:
  Refusals() { member.transport().AddPeer(MemberId(2), {"http://127.0.0.1:1"}); }
  std::string Ask(std::string_view request) const {
    RawConnection connection = RawConnection::Dial(member.port());
    connection.Send(request);
    return connection.ReadAnswer();
  }
  std::string AskForStream(std::string_view kind, std::string_view cluster = "c1") const {
    return Ask(Request("GET /raft/stream/" + std::string(kind) + "/2",
                       Head(cluster) + "X-Raft-To: 1\r\nConnection: close\r\n"));
  }
  std::string Post(MemberId to) const {
    return Ask(Request("POST /raft", Head("c1"), raftcodec::Encode(Heartbeat(MemberId(2), to))));
  }
  static std::string Head(std::string_view cluster) {
    return "X-Server-Version: 3.6.16\r\nX-Min-Cluster-Version: 3.0.0\r\nX-Server-From: 2\r\n"
           "X-Etcd-Cluster-ID: " +
           std::string(cluster) + "\r\n";
  }

  LogCounter log;
  TestMember member{1, FastOptions()};
};

constexpr char kRemoved[] = "rejected stream from remote peer because it was removed";
constexpr char kOtherCluster[] = "request cluster ID mismatch";
constexpr char kNotTaken[] = "failed to process Raft message";

TEST_F(Refusals, OfARemovedMemberAreLoggedOnce) {
  member.receiver.Change([&] { member.receiver.removed.insert(MemberId(2)); });
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(AskForStream("message"), StartsWith("HTTP/1.1 410 "));
    EXPECT_THAT(AskForStream("msgapp"), StartsWith("HTTP/1.1 410 "));
    EXPECT_THAT(Post(MemberId(1)), StartsWith("HTTP/1.1 500 "));
  }
  EXPECT_EQ(log.Lines(kRemoved), 1);
  EXPECT_EQ(log.Lines(kNotTaken), 1);
}

TEST_F(Refusals, ThatTakeTurnsAreLoggedOnceEach) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(AskForStream("message", "c2"), StartsWith("HTTP/1.1 412 "));
    EXPECT_THAT(AskForStream("nonsense"), StartsWith("HTTP/1.1 404 "));
    EXPECT_THAT(Post(MemberId(9)), StartsWith("HTTP/1.1 500 "));
  }
  EXPECT_EQ(log.Lines(kOtherCluster), 1);
  EXPECT_EQ(log.Lines(kNotTaken), 1);
}

// Posts that are taken do not make a refused stream news.
TEST_F(Refusals, AreLoggedAgainAfterASuccessOfTheSameKind) {
  EXPECT_THAT(AskForStream("message", "c2"), StartsWith("HTTP/1.1 412 "));
  EXPECT_THAT(Post(MemberId(1)), StartsWith("HTTP/1.1 204 "));
  EXPECT_THAT(AskForStream("message", "c2"), StartsWith("HTTP/1.1 412 "));
  EXPECT_EQ(log.Lines(kOtherCluster), 1);
  EXPECT_THAT(AskForStream("message"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(AskForStream("message", "c2"), StartsWith("HTTP/1.1 412 "));
  EXPECT_EQ(log.Lines(kOtherCluster), 2);
}

TEST_F(Refusals, OfStrangersWithoutANameAreCountedByAddress) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(Ask(Request("POST /raft", "X-Server-Version: 3.6.16\r\n", "x")),
                HasSubstr("cluster ID mismatch"));
  }
  EXPECT_EQ(log.Lines(kOtherCluster), 1);
}

// The same on the side that dials: member 2 is of another cluster, or does not know us.
TEST(Dialer, LogsEachRefusalOnce) {
  LogCounter log;
  TestMember a(1, FastOptions());
  TestMember foreign(2, FastOptions(), ClusterId(0xc2));
  TestMember forgetful(3, FastOptions());
  a.Knows(foreign);
  a.Knows(forgetful);
  forgetful.receiver.Change([&] { forgetful.receiver.removed.insert(a.id()); });
  constexpr char kIgnored[] = "request sent was ignored by remote peer due to cluster ID mismatch";
  ASSERT_TRUE(log.AwaitLine(kIgnored));
  // Several rounds of dials, to both.
  ASSERT_TRUE(a.receiver.Await([&] { return a.receiver.removed_by_peers >= 10; }));
  EXPECT_EQ(log.Lines(kIgnored), 1);
  EXPECT_EQ(log.Lines("the member has been permanently removed from the cluster"), 1);
  EXPECT_EQ(log.Lines(kRemoved), 1);
  EXPECT_EQ(log.Lines(kOtherCluster), 1);
}

}  // namespace
}  // namespace etcd::rafthttp
