#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "tests/unit/transport/h2_client.h"
#include "tests/unit/transport/raw_client.h"
#include "tests/unit/transport/test_server.h"

namespace etcd::transport {
namespace {

class Http1 : public testing::Test {
 protected:
  void SetUp() override {
    server_.Http([this](base::HttpRequest request, base::HttpResponderPtr responder) {
      if (request.path == "/stream") {
        responder->OnGone([this] { ++gone_; });
        responder->Begin(200, {{"Content-Type", "text/plain"}});
        responder->Write(base::Rope(std::string("first\n")));
        stream_ = std::move(responder);
        ++opened_;
        return;
      }
      if (request.path == "/thread") {
        std::thread([responder] { responder->Reply(200, {}, "from a thread"); }).detach();
        return;
      }
      responder->Reply(request.path == "/missing" ? 404 : 200, {{"X-Method", request.method}},
                       request.path + "|" + request.query + "|" + request.body + "|" +
                           std::string(request.Header("x-test")));
    });
  }
  // Answer to one request on a connection that then closes.
  std::string Ask(const std::string& request) {
    if (server_.server == nullptr) server_.Start();
    RawClient client(server_.port);
    client.Send(request);
    return client.ReadToEnd();
  }
  bool Eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  std::atomic<int> gone_ = 0;
  std::atomic<int> opened_ = 0;
  base::HttpResponderPtr stream_;
  TestServer server_;
};

TEST_F(Http1, RequestReachesTheHandlerWhole) {
  const std::string answer =
      Ask("POST /a/b?x=1&y HTTP/1.1\r\nHost: h\r\nX-Test: yes\r\nConnection: close\r\n"
          "Content-Length: 4\r\n\r\nbody");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_NE(answer.find("X-Method: POST\r\n"), std::string::npos);
  EXPECT_NE(answer.find("Content-Length: 19\r\n"), std::string::npos);
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n/a/b|x=1&y|body|yes")) << answer;
}

TEST_F(Http1, ChunkedRequestBodyIsJoined) {
  const std::string answer =
      Ask("POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
          "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
  EXPECT_TRUE(answer.ends_with("/c||abcdefg|")) << answer;
}

TEST_F(Http1, VersionOnePointZeroClosesAfterTheAnswer) {
  const std::string answer = Ask("GET /v HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(answer.ends_with("/v|||")) << answer;
}

TEST_F(Http1, PipelinedRequestsAreAnsweredInOrder) {
  std::string requests = "GET /thread HTTP/1.1\r\nHost: h\r\n\r\n";
  for (int i = 0; i < 20; ++i) {
    requests += "GET /p" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
  }
  requests += "GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  const std::string answer = Ask(requests);
  std::size_t at = answer.find("from a thread");
  EXPECT_NE(at, std::string::npos);
  for (int i = 0; i < 20; ++i) {
    const std::size_t next = answer.find("/p" + std::to_string(i) + "|");
    ASSERT_NE(next, std::string::npos);
    EXPECT_GT(next, at);
    at = next;
  }
  EXPECT_TRUE(answer.ends_with("/last|||"));
}

TEST_F(Http1, ConnectionIsKeptForTheNextRequest) {
  server_.Start();
  RawClient client(server_.port);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.Send("GET /k HTTP/1.1\r\nHost: h\r\n\r\n"));
    EXPECT_TRUE(client.ReadUntil("/k|||").starts_with("HTTP/1.1 200"));
  }
  EXPECT_FALSE(client.closed());
}

TEST_F(Http1, HeadHasLengthAndNoBody) {
  const std::string answer = Ask("HEAD /h HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_NE(answer.find("Content-Length: 5\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST_F(Http1, StreamedAnswerIsChunked) {
  server_.Start();
  RawClient client(server_.port);
  client.Send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string start = client.ReadUntil("first\n\r\n");
  EXPECT_NE(start.find("Transfer-Encoding: chunked\r\n"), std::string::npos) << start;
  EXPECT_TRUE(start.ends_with("\r\n\r\n6\r\nfirst\n\r\n")) << start;
  stream_->Write(base::Rope(std::string(16, 'x')));
  EXPECT_EQ(client.ReadUntil("xx\r\n"), "10\r\n" + std::string(16, 'x') + "\r\n");
  EXPECT_EQ(gone_, 0);
  stream_->End();
  EXPECT_EQ(client.ReadUntil("0\r\n\r\n"), "0\r\n\r\n");
  EXPECT_TRUE(Eventually([&] { return gone_ == 1; }));
  client.Send("GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(client.ReadUntil("/next|||").find("200 OK"), std::string::npos);
}

TEST_F(Http1, ClientThatLeavesAStreamIsNoticed) {
  server_.Start();
  {
    RawClient client(server_.port);
    client.Send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    client.ReadUntil("first\n");
  }
  EXPECT_TRUE(Eventually([&] { return gone_ == 1; }));
  stream_->Write(base::Rope(std::string("nobody")));  // no effect
}

TEST_F(Http1, HalfClosedClientStillGetsItsAnswer) {
  server_.Start();
  RawClient client(server_.port);
  client.Send("GET /thread HTTP/1.1\r\nHost: h\r\n\r\n");
  client.ShutdownWrite();
  EXPECT_TRUE(client.ReadToEnd().ends_with("from a thread"));
}

TEST_F(Http1, WriterIsToldHowMuchIsUnreadAndWhenItLeft) {
  server_.Start();
  RawClient client(server_.port);
  client.Send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  client.ReadUntil("first\n");
  for (int i = 0; i < 200; ++i) stream_->Write(base::Rope(std::string(100'000, 'x')));
  EXPECT_GT(stream_->PendingBytes(), 1'000'000U);
  std::atomic<int> told = 0;
  stream_->NotifyWhenBelow(1000, [&] { ++told; });
  EXPECT_EQ(told, 0);
  stream_->End();
  client.ReadUntil("0\r\n\r\n");
  EXPECT_TRUE(Eventually([&] { return told == 1; }));
}

TEST_F(Http1, WriterThatDoesNotLookIsCutOff) {
  server_.options.http_pending_bytes_max = 1024 * 1024;
  server_.Start();
  RawClient client(server_.port);
  client.Send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  client.ReadUntil("first\n");
  for (int i = 0; i < 300; ++i) stream_->Write(base::Rope(std::string(100'000, 'x')));
  EXPECT_TRUE(Eventually([&] { return gone_ == 1; }));
}

TEST_F(Http1, RefusalsHaveTheirStatus) {
  server_.options.http_body_bytes_max = 100;
  server_.options.header_bytes_max = 4096;
  EXPECT_TRUE(Ask("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400 "));  // no Host
  EXPECT_TRUE(Ask("GET / HTTP/1.1\r\nbad header\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(Ask("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(5000, 'x') + "\r\n\r\n")
                  .starts_with("HTTP/1.1 431 "));
  EXPECT_TRUE(Ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n")
                  .starts_with("HTTP/1.1 413 "));
}

TEST_F(Http1, ExpectContinueIsGranted) {
  server_.Start();
  RawClient client(server_.port);
  client.Send("POST /e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("body");
  EXPECT_NE(client.ReadUntil("/e||body|").find("200 OK"), std::string::npos);
}

TEST_F(Http1, EndpointWithoutHttpClosesIt) {
  server_.options.endpoints[0].serve_http = false;
  EXPECT_EQ(Ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "");
}

TEST_F(Http1, EndpointWithoutGrpcClosesHttp2) {
  server_.options.endpoints[0].serve_grpc = false;
  EXPECT_EQ(Ask(H2Start()), "");
}

TEST_F(Http1, PlainRequestOverHttp2ReachesTheHandlerWhereAllowed) {
  server_.options.endpoints[0].http_over_http2 = true;
  server_.Start();
  H2Client client(server_.port);
  const std::int32_t id = client.Request({{":method", "POST"},
                                          {":scheme", "http"},
                                          {":path", "/v3/x?q"},
                                          {":authority", "h"},
                                          {"x-test", "yes"}},
                                         "{}");
  ASSERT_TRUE(client.Finish(id));
  EXPECT_EQ(client.stream(id).headers.at(":status"), "200");
  EXPECT_EQ(client.stream(id).headers.at("x-method"), "POST");
  EXPECT_EQ(client.stream(id).headers.at("content-length"), "14");
  EXPECT_EQ(client.stream(id).body, "/v3/x|q|{}|yes");
  const std::int32_t stream = client.Request(
      {{":method", "GET"}, {":scheme", "http"}, {":path", "/stream"}, {":authority", "h"}}, "");
  ASSERT_TRUE(client.RunUntil([&] { return client.stream(stream).body == "first\n"; }));
  stream_->Write(base::Rope(std::string("second\n")));
  stream_->End();
  ASSERT_TRUE(client.Finish(stream));
  EXPECT_EQ(client.stream(stream).body, "first\nsecond\n");
}

TEST(UnixSocket, IsServedAndItsFileComesAndGoes) {
  const std::string path = testing::TempDir() + "transport_test.sock";
  {
    // A stale file of a server that died.
    TestServer stale;
    stale.options.endpoints[0].unix_path = path;
    const auto bound = Server(stale.options).Listen();
    ASSERT_TRUE(bound.ok());
  }
  TestServer server;
  server.options.endpoints[0].unix_path = path;
  server.Http([](base::HttpRequest request, base::HttpResponderPtr responder) {
    responder->Reply(200, {}, "peer " + request.peer);
  });
  server.Start();
  EXPECT_EQ(server.port, 0);
  {
    RawClient client(path);
    client.Send("GET / HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(client.ReadToEnd().ends_with("peer @"));
  }
  server.server->Stop(std::chrono::nanoseconds(0));
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace etcd::transport
