#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/raftcodec/raftpb.h"
#include "tests/unit/rafthttp/peer_fixture.h"
#include "tests/unit/rafthttp/raw_http.h"

// Statuses, headers and texts of raft-peer-storage.md 3.3, 3.4, 3.7, 3.8.
namespace etcd::rafthttp {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kVersions =
    "X-Server-Version: 3.6.16\r\nX-Min-Cluster-Version: 3.0.0\r\n";

std::string From(std::string_view from, std::string_view more = "X-Etcd-Cluster-ID: c1\r\n") {
  return std::string(kVersions) + "X-Server-From: " + std::string(from) + "\r\n" +
         std::string(more);
}

class PeerServer : public ::testing::Test {
 protected:
  explicit PeerServer(const TransportOptions& options = FastOptions()) : member(1, options) {
    member.transport().AddPeer(MemberId(2), {"http://127.0.0.1:1"});
  }
  std::string Ask(std::string_view request) const {
    RawConnection connection = RawConnection::Dial(member.port());
    connection.Send(request);
    return connection.ReadAnswer();
  }
  std::string PostMessage(const raft::Message& message) const {
    return Ask(Request("POST /raft", From("2"), raftcodec::Encode(message)));
  }

  TestMember member;
};

TEST_F(PeerServer, TakesAPostedMessage) {
  const raft::Message message = Heartbeat(MemberId(2), MemberId(1));
  EXPECT_THAT(PostMessage(message),
              AllOf(StartsWith("HTTP/1.1 204 No Content\r\n"),
                    HasSubstr("X-Etcd-Cluster-Id: c1\r\n"), Not(HasSubstr("X-Server-Version"))));
  EXPECT_TRUE(member.receiver.Await([&] { return member.receiver.received.size() == 1; }));
  EXPECT_EQ(member.receiver.received[0], message);
}

TEST_F(PeerServer, WrongMethodsGet405) {
  EXPECT_THAT(Ask(Request("GET /raft", From("2"))),
              AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("Allow: POST\r\n"),
                    EndsWith("Method Not Allowed\n")));
  EXPECT_THAT(Ask(Request("PUT /raft/snapshot", From("2"))), StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(Ask(Request("POST /raft/stream/message/2", From("2"))),
              AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("Allow: GET\r\n")));
}

TEST_F(PeerServer, OtherVersionsGet412) {
  const std::string cluster = "X-Etcd-Cluster-ID: c1\r\n";
  for (const std::string& versions :
       {std::string(), std::string("X-Server-Version: 2.3.8\r\n"),
        std::string("X-Server-Version: 3.9.0\r\nX-Min-Cluster-Version: 3.7.0\r\n")}) {
    EXPECT_THAT(Ask(Request("POST /raft", versions + cluster, "x")),
                AllOf(StartsWith("HTTP/1.1 412 "), EndsWith("\r\n\r\nincompatible version\n"),
                      HasSubstr("X-Content-Type-Options: nosniff\r\n"),
                      HasSubstr("Content-Type: text/plain; charset=utf-8\r\n")))
        << versions;
  }
}

TEST_F(PeerServer, OtherClustersGet412) {
  for (const std::string_view cluster : {"X-Etcd-Cluster-ID: c2\r\n", ""}) {
    EXPECT_THAT(Ask(Request("POST /raft", From("2", cluster), "x")),
                AllOf(StartsWith("HTTP/1.1 412 "), EndsWith("\r\n\r\ncluster ID mismatch\n"),
                      HasSubstr("X-Etcd-Cluster-Id: c1\r\n")));
    EXPECT_THAT(Ask(Request("POST /raft/snapshot", From("2", cluster), "x")),
                AllOf(StartsWith("HTTP/1.1 412 "), EndsWith("\r\n\r\ncluster ID mismatch\n")));
    EXPECT_THAT(
        Ask(Request("GET /raft/stream/message/2", From("2", cluster))),
        AllOf(StartsWith("HTTP/1.1 412 "), EndsWith("\r\n\r\ncluster ID mismatch\n"),
              HasSubstr("X-Server-Version: 3.6.16\r\n"), HasSubstr("X-Etcd-Cluster-Id: c1\r\n")));
  }
}

TEST_F(PeerServer, AMalformedVersionOrUrlEndsTheConnection) {
  EXPECT_THAT(Ask(Request("POST /raft", "X-Server-Version: 3.4\r\nX-Etcd-Cluster-ID: c1\r\n", "x")),
              IsEmpty());
  EXPECT_THAT(Ask(Request("POST /raft", From("9") + "X-PeerURLs: nonsense\r\n", "x")), IsEmpty());
  EXPECT_THAT(Ask(Request("GET /raft/probing", "")), StartsWith("HTTP/1.1 200"));
}

TEST_F(PeerServer, MessagesThatCannotBeReadGet400) {
  EXPECT_THAT(Ask(Request("POST /raft", From("2"), "garbage")),
              AllOf(StartsWith("HTTP/1.1 400 "), EndsWith("error unmarshalling raft message\n")));
  raft::Message bad = Append(MemberId(2), MemberId(1), 0, {"x"});
  bad.entries[0].type = static_cast<raft::EntryType>(3);
  EXPECT_THAT(PostMessage(bad), StartsWith("HTTP/1.1 400 "));
  EXPECT_TRUE(member.receiver.received.empty());
}

TEST_F(PeerServer, MessagesForOthersAndOfRemovedMembersGet500) {
  EXPECT_THAT(PostMessage(Heartbeat(MemberId(2), MemberId(9))),
              AllOf(StartsWith("HTTP/1.1 500 "), EndsWith("error processing raft message\n")));
  member.receiver.Change([&] { member.receiver.removed.insert(MemberId(2)); });
  EXPECT_THAT(PostMessage(Heartbeat(MemberId(2), MemberId(1))), StartsWith("HTTP/1.1 500 "));
  EXPECT_TRUE(member.receiver.received.empty());
}

TEST_F(PeerServer, MessagesThatAreNotForPeersAreDropped) {
  for (const int type : {0, 1, 10, 11, 12, 19, 77}) {
    raft::Message message = Heartbeat(MemberId(2), MemberId(1));
    message.type = static_cast<raft::MessageType>(type);
    EXPECT_THAT(PostMessage(message), StartsWith("HTTP/1.1 204 ")) << type;
  }
  PostMessage(Heartbeat(MemberId(2), MemberId(1), 5));
  ASSERT_TRUE(member.receiver.Await([&] { return !member.receiver.received.empty(); }));
  EXPECT_EQ(member.receiver.received.size(), 1U);
}

TEST_F(PeerServer, RefusedStreamsSayWhy) {
  const std::string to = "X-Raft-To: 1\r\n";
  const auto stream = [&](std::string_view path, const std::string& more) {
    return Ask(Request("GET /raft/stream/" + std::string(path), From("2") + more));
  };
  EXPECT_THAT(stream("nonsense/2", to),
              AllOf(StartsWith("HTTP/1.1 404 "), EndsWith("\r\n\r\ninvalid path\n"),
                    HasSubstr("X-Server-Version: 3.6.16\r\n")));
  EXPECT_THAT(stream("message/xyz", to),
              AllOf(StartsWith("HTTP/1.1 404 "), EndsWith("\r\n\r\ninvalid from\n")));
  EXPECT_THAT(stream("message/9", to),
              AllOf(StartsWith("HTTP/1.1 404 "), EndsWith("\r\n\r\nerror sender not found\n")));
  EXPECT_THAT(stream("msgapp/2", "X-Raft-To: 7\r\n"),
              AllOf(StartsWith("HTTP/1.1 412 "), EndsWith("\r\n\r\nto field mismatch\n")));
  EXPECT_THAT(stream("msgapp/2", ""), EndsWith("\r\n\r\nto field mismatch\n"));
  member.receiver.Change([&] { member.receiver.removed.insert(MemberId(2)); });
  EXPECT_THAT(stream("message/2", to),
              AllOf(StartsWith("HTTP/1.1 410 Gone\r\n"), EndsWith("\r\n\r\nremoved member\n")));
}

TEST_F(PeerServer, AStreamBeginsAtOnceAndKeepsBeating) {
  RawConnection stream = RawConnection::Dial(member.port());
  stream.Send(Request("GET /raft/stream/msgapp/2", From("2") + "X-Raft-To: 1\r\n"));
  const std::string beat("1\r\n\0\r\n", 6);
  std::string got = stream.ReadUntil(beat + beat + beat);
  EXPECT_THAT(got,
              AllOf(StartsWith("HTTP/1.1 200 OK\r\nX-Etcd-Cluster-Id: c1\r\n"
                               "X-Server-Version: 3.6.16\r\n"),
                    HasSubstr("Transfer-Encoding: chunked\r\n"), Not(HasSubstr("Content-Type"))));
  EXPECT_THAT(got, EndsWith(beat + beat + beat));
}

TEST_F(PeerServer, ANewStreamTakesThePlaceOfTheOld) {
  const std::string ask = Request("GET /raft/stream/message/2", From("2") + "X-Raft-To: 1\r\n");
  RawConnection old_stream = RawConnection::Dial(member.port());
  old_stream.Send(ask);
  old_stream.ReadUntil("\r\n\r\n");
  RawConnection new_stream = RawConnection::Dial(member.port());
  new_stream.Send(ask);
  new_stream.ReadUntil("\r\n\r\n");
  old_stream.ReadAll();  // ends, since the connection was closed
  member.transport().Send({Heartbeat(MemberId(1), MemberId(2), 0x7777)});
  EXPECT_THAT(new_stream.ReadUntil("\x40\xf7\xee\x01"), HasSubstr("\x40\xf7\xee\x01"));
}

TEST_F(PeerServer, AnswersProbes) {
  EXPECT_THAT(Ask(Request("GET /raft/probing", "")),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"),
                    HasSubstr("{\"OK\":true,\"Now\":\"20"), EndsWith("Z\"}\n"),
                    Not(HasSubstr("X-Etcd-Cluster-Id"))));
}

TEST_F(PeerServer, EverythingElseGoesToTheOtherHandler) {
  EXPECT_THAT(Ask(Request("GET /members?linearizable=true", "")),
              EndsWith("\r\n\r\nGET /members?linearizable=true "));
  EXPECT_THAT(Ask(Request("POST /leases", "", "lease")), EndsWith("\r\n\r\nPOST /leases lease"));
  EXPECT_THAT(Ask(Request("GET /raft/nonsense", "")),
              AllOf(StartsWith("HTTP/1.1 404 "), EndsWith("\r\n\r\n404 page not found\n")));
}

TEST_F(PeerServer, AnswersRequestsSentAheadInOrder) {
  RawConnection connection = RawConnection::Dial(member.port());
  connection.Send(Request("GET /a", "") + Request("GET /raft/probing", "") +
                  Request("POST /b", "", "body") + Request("GET /c", "Connection: close\r\n"));
  const std::string all = connection.ReadAll();
  EXPECT_LT(all.find("GET /a"), all.find("\"OK\":true"));
  EXPECT_LT(all.find("\"OK\":true"), all.find("POST /b body"));
  EXPECT_LT(all.find("POST /b body"), all.find("GET /c"));
  EXPECT_NE(all.find("GET /c"), std::string::npos);
}

// A member that nobody knows asks: it is remembered and answered by posts.
TEST_F(PeerServer, AnUnknownSenderIsAnsweredByPosts) {
  const RawListener stranger;
  EXPECT_THAT(Ask(Request("GET /raft/stream/message/9",
                          From("9") + "X-Raft-To: 1\r\nX-PeerURLs: " + stranger.url() + "\r\n")),
              StartsWith("HTTP/1.1 404 "));
  member.transport().Send({Heartbeat(MemberId(1), MemberId(9))});
  RawConnection post = stranger.Accept();
  EXPECT_THAT(
      post.ReadUntil("\r\n\r\n"),
      AllOf(StartsWith("POST /raft HTTP/1.1\r\n"), HasSubstr("X-Server-From: 1\r\n"),
            HasSubstr("X-Server-Version: 3.6.16\r\n"),
            HasSubstr("X-Min-Cluster-Version: 3.0.0\r\n"), HasSubstr("X-Etcd-Cluster-Id: c1\r\n"),
            HasSubstr("X-Peerurls: " + member.url() + "\r\n"),
            HasSubstr("Content-Type: application/protobuf\r\n"), Not(HasSubstr("X-Raft-To"))));
}

}  // namespace
}  // namespace etcd::rafthttp
