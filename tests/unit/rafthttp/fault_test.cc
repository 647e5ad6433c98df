#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/rafthttp/stream_codec.h"
#include "tests/unit/rafthttp/fake_peer.h"

// Peers that are dead, slow, foreign or broken.
namespace etcd::rafthttp {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST_F(FakePeer, IsAskedForStreamsAsGoAsks) {
  AwaitDial("/raft/stream/msgapp/1");
  EXPECT_THAT(last_head, AllOf(StartsWith("GET /raft/stream/msgapp/1 HTTP/1.1\r\nHost: 127.0.0.1:"),
                               HasSubstr("X-Server-From: 1\r\n"), HasSubstr("X-Raft-To: 2\r\n"),
                               HasSubstr("X-Server-Version: 3.6.16\r\n"),
                               HasSubstr("X-Min-Cluster-Version: 3.0.0\r\n"),
                               HasSubstr("X-Etcd-Cluster-Id: c1\r\n"),
                               HasSubstr("X-Peerurls: " + member.url() + "\r\n")));
}

// Accepts and says nothing: the read deadline ends it, and it is dialed again.
TEST_F(FakePeer, AHalfOpenPeerIsDialedAgain) {
  RawConnection first = AnswerDial("/raft/stream/message/1", kGoodHead);
  EXPECT_TRUE(member.AwaitActive(kFake));
  RawConnection second = AwaitDial("/raft/stream/message/1");
  EXPECT_THAT(last_head, HasSubstr("/raft/stream/message/1"));
  EXPECT_TRUE(first.ReadAll().empty());
}

TEST_F(FakePeer, GarbageEndsTheStreamAndWhatCameBeforeCounts) {
  FrameBuffer frames;
  MessageEncoder().Append(Heartbeat(kFake, member.id(), 5), frames);
  const std::string good = frames.Take().Flatten();
  RawConnection stream = AnswerDial("/raft/stream/message/1", kGoodHead);
  const std::string chunk = good + std::string("\0\0\0\0\0\0\0\2\xff\xff", 10);
  stream.Send(base::FormatHex(chunk.size()) + "\r\n" + chunk + "\r\n");
  EXPECT_TRUE(member.receiver.Await([&] { return member.receiver.received.size() == 1; }));
  EXPECT_TRUE(member.observer.Await([&] { return member.observer.receive_failures["2"] == 1; }));
  AwaitDial("/raft/stream/message/1");
}

TEST_F(FakePeer, ARemovedMemberHearsIt) {
  AnswerDial("/raft/stream/message/1",
             "HTTP/1.1 410 Gone\r\nX-Server-Version: 3.6.16\r\nContent-Length: 15\r\n\r\n"
             "removed member\n");
  EXPECT_TRUE(member.receiver.Await([&] { return member.receiver.removed_by_peers == 1; }));
}

TEST_F(FakePeer, RefusalsAndOddVersionsOnlyEndTheAttempt) {
  for (const std::string_view answer :
       {"HTTP/1.1 412 Precondition Failed\r\nX-Server-Version: 3.6.16\r\nContent-Length: 20\r\n\r\n"
        "cluster ID mismatch\n",
        "HTTP/1.1 404 Not Found\r\nX-Server-Version: 3.6.16\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Server-Version: 3.4\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",  // 2.0.0
        "SSH-2.0-OpenSSH_9.2\r\n"}) {
    RawConnection refused = AnswerDial("/raft/stream/message/1", answer);
    EXPECT_TRUE(refused.ReadAll().empty()) << answer;  // closed by the member
  }
  EXPECT_FALSE(member.transport().ActiveSince(kFake));
  EXPECT_EQ(member.receiver.removed_by_peers, 0);
  RawConnection good = AnswerDial("/raft/stream/message/1", kGoodHead);
  EXPECT_TRUE(member.AwaitActive(kFake));
}

// Whatever comes on such a stream is of a protocol that this member does not speak.
TEST_F(FakePeer, StreamsOfPeersThatAreTooOldAreNotRead) {
  const auto chunk = [&](std::uint64_t commit) {
    FrameBuffer frames;
    MessageEncoder().Append(Heartbeat(kFake, member.id(), commit), frames);
    const std::string bytes = frames.Take().Flatten();
    return base::FormatHex(bytes.size()) + "\r\n" + bytes + "\r\n";
  };
  for (const std::string version :
       {"", "X-Server-Version: 2.0.13\r\n", "X-Server-Version: 1.9.0\r\n",
        "X-Server-Version: 3.4\r\n", "X-Server-Version: x\r\n"}) {
    RawConnection refused =
        AnswerDial("/raft/stream/message/1", "HTTP/1.1 200 OK\r\n" + version +
                                                 "Transfer-Encoding: chunked\r\n\r\n" + chunk(1));
    EXPECT_TRUE(refused.ReadAll().empty()) << version;  // closed by the member
  }
  for (const std::string version : {"2.1.0", "3.7.1", "4.0.0"}) {
    RawConnection good = AnswerDial("/raft/stream/message/1",
                                    "HTTP/1.1 200 OK\r\nX-Server-Version: " + version +
                                        "\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(2));
    EXPECT_TRUE(member.receiver.Await([&] { return !member.receiver.received.empty(); }))
        << version;
    member.receiver.Change([&] {
      EXPECT_EQ(member.receiver.received.front().commit, Index(2)) << version;
      member.receiver.received.clear();
    });
  }
}

TEST_F(FakePeer, MessagesWithoutStreamsArePosted) {
  raft::Message message = Heartbeat(member.id(), kFake, 3);
  member.transport().Send({message});
  RawConnection post = AwaitDial("POST /raft HTTP/1.1");
  post.Send("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_TRUE(member.AwaitActive(kFake));
  // The connection is used again.
  member.transport().Send({message});
  EXPECT_THAT(post.ReadUntil("POST /raft"), HasSubstr("POST /raft"));
}

TEST_F(FakePeer, APostThatFailsIsReported) {
  member.transport().Send({Heartbeat(member.id(), kFake)});
  RawConnection post = AwaitDial("POST /raft HTTP/1.1");
  post.Send("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(member.receiver.Await([&] { return member.receiver.unreachable[kFake] > 0; }));
}

// Its streams stay without a word from it.
class PatientFakePeer : public FakePeer {
 protected:
  PatientFakePeer() : FakePeer(Options()) {}
  static TransportOptions Options() {
    TransportOptions options = FastOptions();
    options.read_timeout = std::chrono::minutes(2);
    return options;
  }
};

// Say, a message that was queued for the address that a pod had before.
TEST_F(PatientFakePeer, WhileAStreamWorksWhatElseFailsDoesNotMakeItInactive) {
  RawConnection stream = AnswerDial("/raft/stream/message/1", kGoodHead);
  ASSERT_TRUE(member.AwaitActive(kFake));
  const auto since = member.transport().ActiveSince(kFake);
  member.transport().Send({Heartbeat(member.id(), kFake)});
  RawConnection post = AwaitDial("POST /raft HTTP/1.1");
  post.Send("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(member.receiver.Await([&] { return member.receiver.unreachable[kFake] > 0; }));
  EXPECT_EQ(member.transport().ActiveSince(kFake), since);
  stream.Close();
  EXPECT_TRUE(member.AwaitActive(kFake, false));
}

TEST_F(FakePeer, APostRefusedAsOfARemovedMemberIsHeard) {
  member.transport().Send({Heartbeat(member.id(), kFake)});
  RawConnection post = AwaitDial("POST /raft HTTP/1.1");
  post.Send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(member.receiver.Await([&] { return member.receiver.removed_by_peers == 1; }));
}

// A stream is no way around the checks of posts.
TEST_F(FakePeer, OnlyMessagesForThisMemberAndOfMembersAreDelivered) {
  member.receiver.Change([&] { member.receiver.removed.insert(MemberId(8)); });
  raft::Message snapshot = Heartbeat(kFake, member.id(), 1);
  snapshot.type = raft::MessageType::kSnap;
  FrameBuffer frames;
  MessageEncoder encoder;
  encoder.Append(Heartbeat(kFake, MemberId(9), 2), frames);
  encoder.Append(Heartbeat(MemberId(8), member.id(), 3), frames);
  encoder.Append(snapshot, frames);
  encoder.Append(Heartbeat(kFake, member.id(), 5), frames);
  const std::string chunk = frames.Take().Flatten();
  RawConnection stream = AnswerDial("/raft/stream/message/1", kGoodHead);
  stream.Send(base::FormatHex(chunk.size()) + "\r\n" + chunk + "\r\n");
  ASSERT_TRUE(member.receiver.Await([&] { return !member.receiver.received.empty(); }));
  ASSERT_EQ(member.receiver.received.size(), 1U);
  EXPECT_EQ(member.receiver.received[0].commit, Index(5));
}

TEST(PeerUrls, AreTriedInTurnAndNamesAreResolved) {
  TestMember a(1, FastOptions());
  TestMember b(2, FastOptions());
  b.Knows(a);
  const RawListener closed_port;  // accepts, never answers
  a.transport().AddPeer(b.id(), {closed_port.url(), "http://127.0.0.1:1",
                                 "http://localhost:" + std::to_string(b.port())});
  EXPECT_TRUE(a.AwaitStreams(b.id()));
}

TEST(PeerUrls, NewOnesReplaceTheOld) {
  TestMember a(1, FastOptions());
  TestMember b(2, FastOptions());
  b.Knows(a);
  a.transport().AddPeer(b.id(), {"http://127.0.0.1:1"});
  a.Knows(b);
  EXPECT_TRUE(a.AwaitStreams(b.id()));
}

TEST(PeerUrls, TlsIsRefusedForNow) {
  TransportOptions options;
  options.listen_urls = {{"https", "127.0.0.1:0"}};
  Transport transport(options);
  EXPECT_FALSE(transport.Listen().ok());
}

TEST(Clusters, OfDifferentIdsDoNotTalk) {
  TestMember a(1, FastOptions());
  TestMember b(2, FastOptions(), ClusterId(0xc2));
  a.Knows(b);
  b.Knows(a);
  a.transport().Send({Heartbeat(a.id(), b.id())});
  EXPECT_TRUE(a.receiver.Await([&] { return a.receiver.unreachable[b.id()] > 0; }));
  EXPECT_FALSE(a.transport().ActiveSince(b.id()));
  EXPECT_TRUE(b.receiver.received.empty());
}

TEST(Clusters, OfMixedVersionsTalk) {
  TestMember a(1, FastOptions(), kTestCluster, "3.6.16");
  TestMember b(2, FastOptions(), kTestCluster, "3.4.23");
  a.Knows(b);
  b.Knows(a);
  EXPECT_TRUE(a.AwaitStreams(b.id()));
  EXPECT_TRUE(b.AwaitStreams(a.id()));
}

TEST(Clusters, ARemovedMemberIsToldByItsPeers) {
  TestMember a(1, FastOptions());
  TestMember b(2, FastOptions());
  a.receiver.Change([&] { a.receiver.removed.insert(b.id()); });
  b.Knows(a);
  EXPECT_TRUE(b.receiver.Await([&] { return b.receiver.removed_by_peers > 0; }));
}

TEST(Prober, MeasuresRoundTrips) {
  TestMember a(1, FastOptions());
  TestMember b(2, FastOptions());
  a.Knows(b);
  EXPECT_TRUE(a.observer.Await([&] { return a.observer.round_trips.contains(b.id()); }));
}

}  // namespace
}  // namespace etcd::rafthttp
