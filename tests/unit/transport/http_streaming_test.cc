// Requests whose body is taken as it comes.
#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "tests/unit/transport/h2_client.h"
#include "tests/unit/transport/raw_client.h"
#include "tests/unit/transport/test_server.h"

namespace etcd::transport {
namespace {

std::string Chunk(const std::string& bytes) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx", bytes.size());
  return std::string(size) + "\r\n" + bytes + "\r\n";
}

// Answers every piece of a body at once. "/early": with one line, before the body. "/refused": with
// 400, and takes nothing. Other paths do not stream.
class Echo final : public base::HttpHandler {
 public:
  void Start(base::HttpRequest request, base::HttpResponderPtr responder) override {
    responder->Reply(200, {}, request.path + "|" + request.body);
  }
  bool Streams(const base::HttpRequest& request) const override { return request.path != "/whole"; }
  std::shared_ptr<base::HttpBodyReader> StartStreaming(base::HttpRequest request,
                                                       base::HttpResponderPtr responder) override {
    responder->OnGone([this] { ++gone; });
    if (request.path == "/refused") {
      responder->Reply(400, {}, "no");
      return nullptr;
    }
    if (request.path == "/early") {
      responder->Reply(200, {}, "early");
    } else if (request.Header("upgrade") == "websocket") {
      responder->Begin(101, {{"Connection", "Upgrade"}, {"Upgrade", "websocket"}});
    } else {
      responder->Begin(200, {});
    }
    return std::make_shared<Reader>(std::move(responder));
  }

  std::atomic<int> gone = 0;

 private:
  class Reader final : public base::HttpBodyReader {
   public:
    explicit Reader(base::HttpResponderPtr responder) : responder_(std::move(responder)) {}
    void OnBody(std::string_view bytes) override {
      responder_->Write(base::Rope("<" + std::string(bytes) + ">"));
      if (bytes == "quit") responder_->End();
    }
    void OnBodyEnd() override {
      responder_->Write(base::Rope(std::string("end")));
      responder_->End();
    }

   private:
    const base::HttpResponderPtr responder_;
  };
};

class HttpStreaming : public testing::Test {
 protected:
  void SetUp() override {
    auto echo = std::make_unique<Echo>();
    echo_ = echo.get();
    server_.http = std::move(echo);
    server_.options.endpoints[0].http_over_http2 = true;
    server_.options.http_body_bytes_max = 1000;
    server_.Start();
  }
  static std::string Head(const std::string& path, const std::string& more) {
    return "POST " + path + " HTTP/1.1\r\nHost: h\r\n" + more + "\r\n";
  }
  bool GoneBecomes(int count) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (echo_->gone != count) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  TestServer server_;
  Echo* echo_ = nullptr;
};

constexpr char kChunked[] = "Transfer-Encoding: chunked\r\n";

TEST_F(HttpStreaming, PiecesAreAnsweredWhileTheBodyGoesOn) {
  RawClient client(server_.port);
  client.Send(Head("/echo", kChunked));
  EXPECT_TRUE(client.ReadUntil("\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
  client.Send(Chunk("one"));
  EXPECT_NE(client.ReadUntil("<one>").find("<one>"), std::string::npos);
  client.Send(Chunk("two"));
  EXPECT_NE(client.ReadUntil("<two>").find("<two>"), std::string::npos);
  client.Send(Chunk(""));
  EXPECT_NE(client.ReadUntil("0\r\n\r\n").find("end"), std::string::npos);
  EXPECT_TRUE(GoneBecomes(1));
  // The connection is good for the next request.
  client.Send(Head("/whole", "Content-Length: 4\r\n") + "body");
  EXPECT_NE(client.ReadUntil("/whole|body").find("/whole|body"), std::string::npos);
}

TEST_F(HttpStreaming, AChunkedBodyMayBeLongerThanTheBoundOfWholeOnes) {
  RawClient client(server_.port);
  client.Send(Head("/echo", kChunked));
  for (int i = 0; i < 20; ++i) {
    const std::string piece(400, static_cast<char>('a' + i));
    client.Send(Chunk(piece));
    ASSERT_NE(client.ReadUntil(piece).find(piece), std::string::npos) << i;
  }
}

TEST_F(HttpStreaming, WhatComesAfterTheAnswerIsThrownAway) {
  RawClient client(server_.port);
  client.Send(Head("/early", kChunked) + Chunk("ignored"));
  EXPECT_NE(client.ReadUntil("early").find("early"), std::string::npos);
  client.Send(Chunk("more") + Chunk("") + Head("/whole", "Content-Length: 0\r\n"));
  EXPECT_NE(client.ReadUntil("/whole|").find("/whole|"), std::string::npos);
}

TEST_F(HttpStreaming, ABodyWithoutEndAfterTheAnswerEndsTheConnection) {
  RawClient client(server_.port);
  client.Send(Head("/refused", kChunked));
  EXPECT_TRUE(client.ReadUntil("no").starts_with("HTTP/1.1 400 "));
  for (int i = 0; i < 20; ++i) client.Send(Chunk(std::string(10'000, 'x')));
  EXPECT_EQ(client.ReadSome(std::chrono::milliseconds(50)), "");
  EXPECT_FALSE(client.closed()) << "200 KB are put up with";
  for (int i = 0; i < 10; ++i) client.Send(Chunk(std::string(10'000, 'x')));
  client.ReadToEnd();
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpStreaming, ABrokenBodyEndsTheConnectionAndTheHandlerHearsOfIt) {
  RawClient client(server_.port);
  client.Send(Head("/echo", kChunked) + "zzz\r\n");
  client.ReadToEnd();
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(GoneBecomes(1));
}

TEST_F(HttpStreaming, AClientThatLeavesInTheMiddleOfItsBodyIsNoticed) {
  {
    RawClient client(server_.port);
    client.Send(Head("/echo", kChunked) + Chunk("one"));
    client.ReadUntil("<one>");
  }
  EXPECT_TRUE(GoneBecomes(1));
}

TEST_F(HttpStreaming, AnUpgradedConnectionCarriesPlainBytesBothWays) {
  RawClient client(server_.port);
  client.Send(
      "GET /echo HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
      "first");
  const std::string head = client.ReadUntil("<first>");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n")) << head;
  EXPECT_EQ(head.find("chunked"), std::string::npos);
  EXPECT_TRUE(head.ends_with("\r\n\r\n<first>")) << head;
  client.Send("GET / HTTP/1.1\r\n\r\n");  // no request any more
  EXPECT_NE(client.ReadUntil("HTTP/1.1\r\n\r\n>").find("<GET / "), std::string::npos);
  client.Send("quit");
  client.ReadToEnd();
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(GoneBecomes(1));
}

TEST_F(HttpStreaming, AnUpgradeThatIsRefusedEndsTheConnection) {
  RawClient client(server_.port);
  client.Send(
      "GET /refused HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "\r\n");
  const std::string answer = client.ReadToEnd();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
}

// curl offers it with a body.
TEST_F(HttpStreaming, AnOfferOfHttp2IsNotTaken) {
  RawClient client(server_.port);
  client.Send(Head("/echo",
                   "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
                   "Content-Length: 3\r\n") +
              "abc");
  const std::string answer = client.ReadUntil("0\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  EXPECT_NE(answer.find("<abc>"), std::string::npos);
}

TEST_F(HttpStreaming, WorksOverHttp2) {
  H2Client client(server_.port);
  const std::int32_t id = client.Request(
      {{":method", "POST"}, {":scheme", "http"}, {":path", "/echo"}, {":authority", "h"}}, "one",
      false);
  ASSERT_TRUE(client.RunUntil([&] { return client.stream(id).body == "<one>"; }));
  client.SendBody(id, "two", true);
  ASSERT_TRUE(client.Finish(id));
  EXPECT_EQ(client.stream(id).body, "<one><two>end");
  EXPECT_TRUE(GoneBecomes(1));
}

}  // namespace
}  // namespace etcd::transport
