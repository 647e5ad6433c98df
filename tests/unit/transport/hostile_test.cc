// Clients that break the rules are cut off; the calls of another client go on.
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/transport/h2_client.h"
#include "tests/unit/transport/raw_client.h"
#include "tests/unit/transport/test_server.h"

namespace etcd::transport {
namespace {

constexpr std::uint8_t kData = 0, kHeaders = 1, kRst = 3, kSettings = 4, kPing = 6,
                       kContinuation = 9;
constexpr std::uint8_t kEndStream = 1, kEndHeaders = 4;

class Hostile : public testing::Test {
 protected:
  void SetUp() override {
    server_.Unary("/t.S/Echo", [](auto, std::string_view request, base::UnaryDone done) {
      done(base::Body(base::Rope(std::string(request))));
    });
    server_.Stream("/t.S/Hold", [](auto, auto sink) -> std::unique_ptr<base::StreamHandler> {
      struct Quiet final : base::StreamHandler {
        explicit Quiet(base::StreamSinkPtr s) : sink(std::move(s)) {}
        void OnMessage(std::string_view) override {}
        void OnHalfClose() override {}
        void OnClose() override {}
        base::StreamSinkPtr sink;
      };
      return std::make_unique<Quiet>(std::move(sink));
    });
  }
  void Start() {
    server_.Start();
    good_ = std::make_unique<H2Client>(server_.port);
    ExpectGoodClientIsServed();
  }
  void ExpectGoodClientIsServed() {
    const std::int32_t id = good_->Call("/t.S/Echo", GrpcMessage("x"));
    EXPECT_TRUE(good_->Finish(id));
    EXPECT_EQ(good_->stream(id).GrpcStatus(), 0);
  }
  // Sends `bytes` again and again, without reading, until the server cuts the connection.
  bool FloodIsCut(RawClient& client, const std::string& bytes, int times) {
    for (int i = 0; i < times; ++i) {
      if (!client.Send(bytes)) return true;
    }
    client.ReadToEnd();
    return client.closed();
  }

  static bool IsClosed(RawClient& client) {
    client.ReadToEnd();
    return client.closed();
  }

  TestServer server_;
  std::unique_ptr<H2Client> good_;
};

TEST_F(Hostile, GarbageIsClosedWithoutAByte) {
  Start();
  for (const std::string& garbage :
       {std::string("\x16\x03\x01\x02\x00\x01\x00", 7), std::string("hello\n"),
        std::string("GET / HTTP/3.0\r\n"), std::string("PRI * HTTP/2.0\r\n\r\nXX"),
        std::string(20'000, 'A')}) {
    RawClient client(server_.port);
    client.Send(garbage);
    EXPECT_EQ(client.ReadToEnd(), "");
    EXPECT_TRUE(client.closed());
  }
  ExpectGoodClientIsServed();
}

TEST_F(Hostile, PartialPrefaceIsCutAfterTheDeadline) {
  server_.options.handshake_timeout = std::chrono::milliseconds(100);
  Start();
  RawClient partial(server_.port);
  partial.Send(kH2Preface.substr(0, 10));
  RawClient silent(server_.port);
  RawClient no_settings(server_.port);
  no_settings.Send(kH2Preface);
  RawClient half_head(server_.port);
  half_head.Send("GET / HTTP/1.1\r\nHost: ");
  for (RawClient* client : {&partial, &silent, &no_settings, &half_head}) {
    client->ReadToEnd();
    EXPECT_TRUE(client->closed());
  }
  ExpectGoodClientIsServed();
}

TEST_F(Hostile, HeaderBlockThatNeverEndsIsCut) {
  server_.options.handshake_timeout = std::chrono::milliseconds(100);
  Start();
  RawClient client(server_.port);
  client.Send(H2Start() + H2Frame(kHeaders, 0, 1, GrpcHeaderBlock("/t.S/Echo")));
  client.ReadToEnd();
  EXPECT_TRUE(client.closed());
  ExpectGoodClientIsServed();
}

TEST_F(Hostile, OldestHalfOpenConnectionGivesWay) {
  server_.options.half_open_max = 4;
  // Only the cap may close them.
  server_.options.handshake_timeout = std::chrono::hours(1);
  Start();
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 8; ++i) silent.push_back(std::make_unique<RawClient>(server_.port));
  silent[0]->ReadToEnd();
  EXPECT_TRUE(silent[0]->closed());
  H2Client fresh(server_.port);
  EXPECT_TRUE(fresh.Finish(fresh.Call("/t.S/Echo", GrpcMessage("x"))));
  ExpectGoodClientIsServed();
}

TEST_F(Hostile, ConnectionLimitMakesOthersWait) {
  server_.options.connections_max = 2;
  Start();
  auto second = std::make_unique<H2Client>(server_.port);
  EXPECT_TRUE(second->Finish(second->Call("/t.S/Echo", GrpcMessage("x"))));
  H2Client third(server_.port);
  const std::int32_t id = third.Call("/t.S/Echo", GrpcMessage("x"));
  ExpectGoodClientIsServed();
  EXPECT_EQ(server_.server->connections(), 2U);
  EXPECT_FALSE(third.stream(id).has_headers);
  second.reset();
  EXPECT_TRUE(third.Finish(id));
}

TEST_F(Hostile, OversizeHeaderListIsRefusedOnItsStreamOnly) {
  server_.options.header_bytes_max = 4096;
  Start();
  const std::int32_t id =
      good_->Call("/t.S/Echo", GrpcMessage("x"), {{"big", std::string(6000, 'x')}});
  ASSERT_TRUE(good_->Finish(id));
  EXPECT_EQ(good_->stream(id).headers.at(":status"), "431");
  ExpectGoodClientIsServed();
}

TEST_F(Hostile, HpackBombIsReset) {
  Start();
  // One entry of 4,000 bytes in the table, then a thousand references to it: 4 MB in 1 kB.
  std::string block = GrpcHeaderBlock("/t.S/Echo");
  block += std::string(
               "\x40\x01"
               "b"
               "\x7f\xa1\x1e",
               6) +
           std::string(4000, 'x');
  block += std::string(1000, '\xbe');
  RawClient client(server_.port);
  client.Send(H2Start() + H2Frame(kHeaders, kEndStream | kEndHeaders, 1, block));
  const std::string reset = H2Frame(kRst, 0, 1, "").substr(3, 1);
  // RST_STREAM of 4 bytes on stream 1.
  const std::string head = std::string("\0\0\4\3\0\0\0\0\1", 9);
  EXPECT_NE(client.ReadUntil(head).find(head), std::string::npos);
  ExpectGoodClientIsServed();
}

TEST_F(Hostile, ContinuationFloodIsCut) {
  Start();
  RawClient client(server_.port);
  client.Send(H2Start() + H2Frame(kHeaders, 0, 1, GrpcHeaderBlock("/t.S/Echo")));
  EXPECT_TRUE(FloodIsCut(client, H2Frame(kContinuation, 0, 1, ""), 10'000));
  ExpectGoodClientIsServed();
}

TEST_F(Hostile, PingFloodIsCut) {
  Start();
  RawClient client(server_.port);
  client.Send(H2Start());
  EXPECT_TRUE(FloodIsCut(client, H2Frame(kPing, 0, 0, "12345678"), 100'000));
  ExpectGoodClientIsServed();
}

TEST_F(Hostile, PingFloodIsCutWithKeepaliveEnforcementOff) {
  server_.options.ping_min_time = std::chrono::nanoseconds(0);
  Start();
  RawClient client(server_.port);
  client.Send(H2Start());
  // The client does not read: answers pile up to the bound.
  std::string many;
  for (int i = 0; i < 1000; ++i) many += H2Frame(kPing, 0, 0, "12345678");
  bool cut = false;
  for (int i = 0; i < 5000 && !cut; ++i) cut = client.SendSome(many) == 0;
  EXPECT_TRUE(cut || IsClosed(client));  // no longer read, or cut (and what still comes discarded)
  ExpectGoodClientIsServed();
}

TEST_F(Hostile, SettingsFloodIsCut) {
  Start();
  RawClient client(server_.port);
  client.Send(H2Start());
  std::string many;
  for (int i = 0; i < 1000; ++i) many += H2Frame(kSettings, 0, 0, "");
  bool cut = false;
  for (int i = 0; i < 20'000 && !cut; ++i) cut = client.SendSome(many) == 0;
  EXPECT_TRUE(cut || IsClosed(client));
  ExpectGoodClientIsServed();
}

TEST_F(Hostile, ResetFloodIsCut) {
  Start();
  RawClient client(server_.port);
  client.Send(H2Start());
  bool cut = false;
  for (std::int32_t i = 0; i < 20'000 && !cut; ++i) {
    const std::int32_t id = 2 * i + 1;
    cut = !client.Send(H2Frame(kHeaders, kEndHeaders, id, GrpcHeaderBlock("/t.S/Hold")) +
                       H2Frame(kRst, 0, id, std::string("\0\0\0\x08", 4)));
  }
  if (!cut) client.ReadToEnd();
  EXPECT_TRUE(client.closed());
  ExpectGoodClientIsServed();
}

TEST_F(Hostile, BrokenFramesEndTheirConnection) {
  Start();
  const std::string oversize = H2Frame(kData, 0, 1, std::string(20'000, 'x'));
  for (const std::string& bytes :
       {oversize, H2Frame(kData, 0, 0, "x"), H2Frame(kSettings, 0, 0, "12345"),
        H2Frame(kPing, 0, 0, "short"), H2Frame(kContinuation, kEndHeaders, 1, ""),
        H2Frame(kHeaders, kEndHeaders, 2, GrpcHeaderBlock("/t.S/Echo"))}) {
    RawClient client(server_.port);
    client.Send(H2Start() + bytes);
    client.ReadToEnd();
    EXPECT_TRUE(client.closed());
  }
  ExpectGoodClientIsServed();
}

TEST_F(Hostile, TooManyPingsAreAnsweredWithGoaway) {
  Start();
  H2Client client(server_.port);
  for (int i = 0; i < 5 && !client.goaway(); ++i) {
    client.Ping();
    client.RunUntil([&] { return client.pings_answered() > i || client.goaway(); });
  }
  ASSERT_TRUE(client.RunUntil([&] { return client.goaway(); }));
  EXPECT_EQ(client.goaway_code(), 11U);
  EXPECT_EQ(client.goaway_text(), "too_many_pings");
  client.RunUntil([&] { return false; });
  EXPECT_TRUE(client.connection_closed());
}

TEST_F(Hostile, ReaderThatNeverReadsDoesNotFillMemory) {
  Start();
  RawClient client(server_.port);
  // Windows wide open, so that only the socket holds the server back.
  std::string start = std::string(kH2Preface) +
                      H2Frame(kSettings, 0, 0, std::string("\0\4\x7f\xff\xff\xff", 6)) +
                      H2Frame(8, 0, 0, std::string("\x7f\xff\0\0", 4));
  client.Send(start);
  const std::string body = GrpcMessage(std::string(10'000, 'x'));
  bool stopped = false;
  for (std::int32_t i = 0; i < 20'000 && !stopped; ++i) {
    const std::int32_t id = 2 * i + 1;
    const std::string request = H2Frame(kHeaders, kEndHeaders, id, GrpcHeaderBlock("/t.S/Echo")) +
                                H2Frame(kData, kEndStream, id, body);
    stopped = client.SendSome(request) < request.size();
  }
  // The server stopped reading from a client that does not read.
  EXPECT_TRUE(stopped);
  ExpectGoodClientIsServed();
}

}  // namespace
}  // namespace etcd::transport
