#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rafthttp/fake_peer.h"

// What waits for a peer is bounded; what is over is dropped and reported
// (raft-peer-storage.md 3.9).
namespace etcd::rafthttp {
namespace {

using ::testing::StartsWith;

// The reader does not read: messages are dropped and reported, the sender never waits.
TEST_F(FakePeer, ASlowReaderLosesMessagesAndIsReported) {
  RawConnection stream = AskForStream("msgapp", /*small_buffer=*/true);
  const std::string payload(1 << 20, 'x');
  std::uint64_t index = 0;
  const auto full = [&] {
    const std::lock_guard lock(member.receiver.mu);
    return member.receiver.unreachable[kFake] > 0;
  };
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!full() && std::chrono::steady_clock::now() < end) {
    member.transport().Send({Append(member.id(), kFake, index++, {payload})});
  }
  EXPECT_TRUE(full());
}

// Nothing times out while a test looks.
TransportOptions PatientOptions() {
  TransportOptions options = FastOptions();
  options.read_timeout = options.write_timeout = std::chrono::minutes(1);
  return options;
}

class FullQueue : public FakePeer {
 protected:
  explicit FullQueue(const TransportOptions& options) : FakePeer(options) {}

  // 64 appends of 1 MiB to a peer that reads nothing: beyond what the kernel, the connection and
  // the queue take they are dropped.
  void FillStream() {
    RawConnection stream = AskForStream("msgapp", /*small_buffer=*/true);
    const std::string payload(1 << 20, 'x');
    for (std::uint64_t i = 0; i < 64; ++i) {
      member.transport().Send({Append(member.id(), kFake, i, {payload})});
    }
    ASSERT_TRUE(member.receiver.Await([&] { return member.receiver.unreachable[kFake] >= 32; }));
    std::size_t sent = 0;
    EXPECT_TRUE(member.observer.Await([&] {
      sent = member.observer.sent_bytes[kFake];
      return true;
    }));
    EXPECT_LT(sent, 24U << 20);
  }
};

class FewMessages : public FullQueue {
 protected:
  static TransportOptions Options() {
    TransportOptions options = PatientOptions();
    options.stream_messages_max = 8;
    return options;
  }
  FewMessages() : FullQueue(Options()) {}
};
TEST_F(FewMessages, OfAStreamAreBounded) { FillStream(); }

class FewBytes : public FullQueue {
 protected:
  static TransportOptions Options() {
    TransportOptions options = PatientOptions();
    options.stream_payload_bytes_max = 8 << 20;
    return options;
  }
  FewBytes() : FullQueue(Options()) {}
};
TEST_F(FewBytes, OfAStreamAreBounded) { FillStream(); }

class FewPosts : public FakePeer {
 protected:
  static TransportOptions Options() {
    TransportOptions options = PatientOptions();
    options.pipeline_messages_max = 4;
    options.pipeline_posts = 2;
    return options;
  }
  FewPosts() : FakePeer(Options()) {}
  int Unreachable() {
    const std::lock_guard lock(member.receiver.mu);
    return member.receiver.unreachable[kFake];
  }
};

// Two are on their way to a peer that does not answer, four wait.
TEST_F(FewPosts, AreBounded) {
  std::vector<raft::Message> messages(40, Heartbeat(member.id(), kFake));
  member.transport().Send(messages);
  EXPECT_TRUE(member.receiver.Await([&] { return member.receiver.unreachable[kFake] >= 34; }));
  EXPECT_EQ(Unreachable(), 34);
}

// The loop may be slower than raft: what it has not taken yet is bounded too.
TEST_F(FewPosts, WhatIsPostedToTheLoopIsBounded) {
  constexpr std::size_t kOver = (64 << 10) + 1;
  member.transport().Send(std::vector<raft::Message>(kOver, Heartbeat(member.id(), kFake)));
  EXPECT_TRUE(member.receiver.Await(
      [&] { return member.receiver.unreachable[kFake] == static_cast<int>(kOver); }));
  // That is over then.
  member.transport().Send({Heartbeat(member.id(), kFake)});
  AwaitDial("POST /raft HTTP/1.1");
  EXPECT_THAT(last_head, StartsWith("POST /raft "));
}

class FewRemotes : public FakePeer {
 protected:
  static TransportOptions Options() {
    TransportOptions options = PatientOptions();
    options.remotes_max = 1;
    return options;
  }
  FewRemotes() : FakePeer(Options()) {}
  void Introduce(MemberId id, const RawListener& at) const {
    RawConnection stranger = RawConnection::Dial(member.port());
    const std::string hex = base::FormatHex(id.value());
    stranger.Send(Request("GET /raft/stream/message/" + hex,
                          "X-Server-Version: 3.6.16\r\nX-Min-Cluster-Version: 3.0.0\r\n"
                          "X-Etcd-Cluster-ID: c1\r\nX-Raft-To: 1\r\nX-Server-From: " +
                              hex + "\r\nX-PeerURLs: " + at.url() + "\r\n"));
    EXPECT_THAT(stranger.ReadAnswer(), StartsWith("HTTP/1.1 404 "));
  }
};

TEST_F(FewRemotes, StrangersWhoGetAnswersAreBounded) {
  const RawListener first;
  const RawListener second;
  Introduce(MemberId(8), first);
  Introduce(MemberId(9), second);
  member.transport().Send(
      {Heartbeat(member.id(), MemberId(9)), Heartbeat(member.id(), MemberId(8))});
  EXPECT_THAT(first.Accept().ReadUntil("\r\n\r\n"), StartsWith("POST /raft "));
  EXPECT_FALSE(second.HasConnection());
}

class OneSnapshot : public FakePeer {
 protected:
  static TransportOptions Options() {
    TransportOptions options = PatientOptions();
    options.snapshots_received_max = 1;
    return options;
  }
  OneSnapshot() : FakePeer(Options()) {}
};

TEST_F(OneSnapshot, MoreAtATimeAreRefused) {
  const std::string head =
      "POST /raft/snapshot HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
      "X-Server-Version: 3.6.16\r\nX-Min-Cluster-Version: 3.0.0\r\nX-Etcd-Cluster-ID: c1\r\n"
      "X-Server-From: 2\r\n\r\n";
  RawConnection first = RawConnection::Dial(member.port());
  first.Send(head);
  std::string refused;
  for (int i = 0; i < 1000 && refused.empty(); ++i) {
    RawConnection second = RawConnection::Dial(member.port());
    second.Send(head + std::string(1000, 'x'));
    const std::string answer = second.ReadAnswer();
    if (answer.find("too many snapshots at once") != std::string::npos) refused = answer;
  }
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 500 "));
}

}  // namespace
}  // namespace etcd::rafthttp
