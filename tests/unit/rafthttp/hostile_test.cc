#include <atomic>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rafthttp/peer_fixture.h"
#include "tests/unit/rafthttp/raw_http.h"

// Strangers on the peer port.
namespace etcd::rafthttp {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr std::string_view kGood =
    "X-Server-Version: 3.6.16\r\nX-Min-Cluster-Version: 3.0.0\r\nX-Etcd-Cluster-ID: c1\r\n";

class Hostile : public ::testing::Test {
 protected:
  static TransportOptions Options() {
    TransportOptions options = FastOptions();
    options.message_bytes_max = 100'000;
    options.connections_max = 8;
    return options;
  }
  std::string Send(std::string_view bytes) const {
    RawConnection connection = RawConnection::Dial(member.port());
    connection.Send(bytes);
    return connection.ReadAll();
  }
  bool Alive() const {
    RawConnection connection = RawConnection::Dial(member.port());
    connection.Send(Request("GET /raft/probing", ""));
    return connection.ReadAnswer().starts_with("HTTP/1.1 200");
  }

  TestMember member{1, Options()};
};

TEST_F(Hostile, Http2AndGarbageGet400) {
  EXPECT_THAT(Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_THAT(Send("\x16\x03\x01\x02\x01\x01 TLS"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Send("GET /raft/probing HTTP/1.1\r\nno colon\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_TRUE(Alive());
}

TEST_F(Hostile, HeadsAreBounded) {
  EXPECT_THAT(Send("GET / HTTP/1.1\r\nX: " + std::string(200'000, 'x')),
              StartsWith("HTTP/1.1 431 "));
  EXPECT_TRUE(Alive());
}

TEST_F(Hostile, BodiesAreBounded) {
  EXPECT_THAT(Send(Request("POST /leases", "", std::string(70'000, 'x'))),
              AllOf(StartsWith("HTTP/1.1 413 "), EndsWith("request body too large\n")));
  EXPECT_THAT(Send(Request("POST /raft", kGood, std::string(100'001, 'x'))),
              AllOf(StartsWith("HTTP/1.1 400 "), EndsWith("error reading raft message\n")));
  EXPECT_TRUE(member.receiver.received.empty());
}

// The announced length is not believed: nothing is set aside for it.
TEST_F(Hostile, AnnouncedBodiesCostNothing) {
  RawConnection connection = RawConnection::Dial(member.port());
  connection.Send("POST /raft HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n" +
                  std::string(kGood) + "\r\n");
  connection.ReadAll();
  EXPECT_TRUE(Alive());
}

TEST_F(Hostile, ARefusedSenderHearsWhyAlthoughItsBodyIsNotRead) {
  EXPECT_THAT(Send(Request("POST /raft", "Connection: close\r\n", std::string(50'000, 'x'))),
              AllOf(StartsWith("HTTP/1.1 412 "), EndsWith("incompatible version\n")));
}

TEST_F(Hostile, SlowHeadsBodiesAndIdlersAreCutOff) {
  for (const std::string& part : {std::string(), std::string("GET /raft/pro"),
                                  "POST /raft HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n" +
                                      std::string(kGood) + "\r\nhalf"}) {
    EXPECT_THAT(Send(part), IsEmpty()) << part;
  }
  EXPECT_TRUE(Alive());
  EXPECT_TRUE(member.receiver.received.empty());
}

// A head that comes byte by byte keeps the read deadline away, not the deadline of the head.
TEST_F(Hostile, ADrippingHeadIsCutOff) {
  RawConnection connection = RawConnection::Dial(member.port());
  const auto began = std::chrono::steady_clock::now();
  std::atomic<bool> cut{false};
  std::thread drip([&] {
    for (int i = 0; i < 400 && !cut; ++i) {
      connection.Send("x");
      std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the attack itself
    }
  });
  EXPECT_THAT(connection.ReadAll(), IsEmpty());
  cut = true;
  drip.join();
  // ReadAll itself gives up after 20 s.
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
}

// The oldest connection without a request gives way, so that members still get in.
TEST_F(Hostile, IdleConnectionsDoNotKeepMembersOut) {
  std::vector<RawConnection> idle;
  for (int i = 0; i < 40; ++i) idle.push_back(RawConnection::Dial(member.port()));
  EXPECT_TRUE(Alive());
}

TEST_F(Hostile, AProposalWithAnUnknownEntryTypeIsRefused) {
  const std::string body = "\x08\x02\x10\x01\x18\x02\x3a\x02\x08\x07";
  EXPECT_THAT(Send(Request("POST /raft", std::string(kGood) + "Connection: close\r\n", body)),
              StartsWith("HTTP/1.1 400 "));
  EXPECT_TRUE(member.receiver.received.empty());
}

class FewBodies : public ::testing::Test {
 protected:
  static TransportOptions Options() {
    TransportOptions options = FastOptions();
    options.bodies_bytes_max = 10'000;
    return options;
  }
  TestMember member{1, Options()};
};

TEST_F(FewBodies, AllTogetherAreBounded) {
  RawConnection first = RawConnection::Dial(member.port());
  first.Send("POST /raft HTTP/1.1\r\nHost: x\r\nContent-Length: 9001\r\n" + std::string(kGood) +
             "\r\n" + std::string(9000, 'x'));
  std::string refused;
  for (int i = 0; i < 1000 && !refused.starts_with("HTTP/1.1 503"); ++i) {
    RawConnection second = RawConnection::Dial(member.port());
    second.Send(Request("POST /raft", std::string(kGood) + "Connection: close\r\n",
                        std::string(2000, 'x')));
    refused = second.ReadAll();
  }
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503 "));
  first.Send("x");
  EXPECT_THAT(first.ReadAnswer(), StartsWith("HTTP/1.1 400 "));  // was read whole
  RawConnection third = RawConnection::Dial(member.port());
  third.Send(
      Request("POST /raft", std::string(kGood) + "Connection: close\r\n", std::string(2000, 'x')));
  EXPECT_THAT(third.ReadAll(), HasSubstr("error processing raft message\n"));
}

}  // namespace
}  // namespace etcd::rafthttp
