#include "server/api/gateway/gateway.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/api/gateway/status_map.h"
#include "server/base/errc.h"
#include "tests/support/collecting_responder.h"
#include "tests/unit/api/v3/api_fixture.h"

namespace etcd::api::gateway {
namespace {

using testing::Api;
using testing::CollectingResponder;

class GatewayTest : public ::testing::Test {
 protected:
  GatewayTest()
      : executor_(api_.member.scheduler.NewExecutor()),
        gateway_(MakeGateway(*api_.table, executor_, Options())) {}

  using Headers = std::vector<std::pair<std::string, std::string>>;
  std::shared_ptr<CollectingResponder> Start(const std::string& path, const std::string& body,
                                             Headers headers = {},
                                             const std::string& method = "POST") {
    auto responder = std::make_shared<CollectingResponder>();
    base::HttpRequest request;
    request.method = method;
    request.target = path;
    request.path = path;
    request.headers = std::move(headers);
    request.body = body;
    gateway_->Start(std::move(request), responder);
    return responder;
  }
  // The same, until the answer is complete.
  std::shared_ptr<CollectingResponder> Post(const std::string& path, const std::string& body,
                                            Headers headers = {}) {
    auto responder = Start(path, body, std::move(headers));
    EXPECT_TRUE(api_.member.WaitFor([&] { return responder->ended; })) << path;
    return responder;
  }

  // A request whose body is still to come.
  struct Open {
    std::shared_ptr<CollectingResponder> responder = std::make_shared<CollectingResponder>();
    std::shared_ptr<base::HttpBodyReader> body;
  };
  Open StartStreaming(const std::string& path, Headers headers = {},
                      const std::string& method = "POST") {
    Open open;
    base::HttpRequest request;
    request.method = method;
    request.target = path;
    request.path = path;
    request.headers = std::move(headers);
    EXPECT_TRUE(gateway_->Streams(request)) << path;
    open.body = gateway_->StartStreaming(std::move(request), open.responder);
    return open;
  }
  Open OpenWebSocket(const std::string& path, Headers headers = {}) {
    headers.insert(headers.end(), {{"connection", "keep-alive, Upgrade"},
                                   {"upgrade", "WebSocket"},
                                   {"sec-websocket-version", "13"},
                                   {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}});
    return StartStreaming(path, std::move(headers), "GET");
  }
  // A frame as a client sends it, masked.
  static std::string ClientFrame(char first, const std::string& payload) {
    std::string frame = {first, static_cast<char>(0x80 | payload.size()), 1, 2, 3, 4};
    for (std::size_t i = 0; i < payload.size(); ++i) {
      frame += static_cast<char>(payload[i] ^ frame[2 + i % 4]);
    }
    return frame;
  }

  Api api_;
  base::Executor& executor_;
  std::unique_ptr<base::HttpHandler> gateway_;
};

TEST_F(GatewayTest, PutAndRangeOverJson) {
  const auto put = Post("/v3/kv/put", R"({"key":"Zm9v","value":"YmFy"})");
  EXPECT_EQ(put->status, 200);
  EXPECT_EQ(put->headers["Content-Type"], "application/json");
  EXPECT_EQ(put->headers["Grpc-Metadata-Content-Type"], "application/grpc");
  const auto range = Post("/v3/kv/range", R"({"key":"Zm9v"})");
  EXPECT_NE(range->body.find(R"("kvs":[{"key":"Zm9v","create_revision":"2","mod_revision":"2",)"
                             R"("version":"1","value":"YmFy"}],"count":"1"})"),
            std::string::npos)
      << range->body;
  EXPECT_EQ(Post("/v3beta/kv/range", R"({"key":"Zm9v"})")->body, range->body);
}

TEST_F(GatewayTest, LargeAnswerIsWhole) {
  const std::string value(5'000, 'v');
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(api_.member.Put("k" + std::to_string(i), value).status.ok());
  }
  const auto range = Post("/v3/kv/range", R"({"key":"aw==","range_end":"bA=="})");
  EXPECT_EQ(range->status, 200);
  EXPECT_GT(range->body.size(), 40U * 6'666U);
  EXPECT_TRUE(range->body.ends_with(R"("count":"40"})"));
}

TEST_F(GatewayTest, EmptyBodyIsAnEmptyMessage) {
  EXPECT_EQ(Post("/v3/maintenance/status", "")->status, 200);
  EXPECT_EQ(Post("/v3/maintenance/defragment", " \n")->body, "{}");
}

TEST_F(GatewayTest, DataAfterTheFirstObjectIsIgnored) {
  EXPECT_EQ(Post("/v3/kv/range", R"({"key":"Zm9v"} garbage)")->status, 200);
}

TEST_F(GatewayTest, BadBodiesAre400) {
  for (const char* body : {"{", "null", "[]", "\"x\"", R"({"key":1})", R"({"key":"!"})",
                           R"({"key":"YQ==","key":"YQ=="})"}) {
    const auto answer = Post("/v3/kv/range", body);
    EXPECT_EQ(answer->status, 400) << body;
    EXPECT_TRUE(answer->body.starts_with(R"({"code":3,"message":")")) << answer->body;
    EXPECT_FALSE(answer->headers.contains("Grpc-Metadata-Content-Type"));
  }
}

TEST_F(GatewayTest, HandlerErrorsKeepCodeAndText) {
  const auto answer = Post("/v3/kv/range", "{}");
  EXPECT_EQ(answer->status, 400);
  EXPECT_EQ(answer->body, R"({"code":3,"message":"etcdserver: key is not provided"})");
  EXPECT_EQ(Post("/v3/lease/revoke", R"({"ID":"9"})")->status, 404);
  EXPECT_EQ(Post("/v3/kv/lease/revoke", R"({"ID":9})")->status, 404);
  EXPECT_EQ(Post("/v3/auth/enable", "{}")->status, 501);
}

TEST_F(GatewayTest, UnknownPathsAndMethods) {
  for (const char* path : {"/v3/", "/v3/nothing", "/v3/kv/range/", "/v3/kv/range:x"}) {
    const auto answer = Post(path, "{}");
    EXPECT_EQ(answer->status, 404) << path;
    EXPECT_EQ(answer->body, R"({"code":5,"message":"Not Found"})");
  }
  for (const char* method : {"GET", "HEAD", "PUT"}) {
    const auto answer = Start("/v3/kv/range", "", {}, method);
    EXPECT_EQ(answer->status, 501) << method;
    EXPECT_EQ(answer->body, R"({"code":12,"message":"Method Not Allowed"})");
  }
  const auto redirect = Start("/v3", "{}");
  EXPECT_EQ(redirect->status, 307);
  EXPECT_EQ(redirect->headers["Location"], "/v3/");
  EXPECT_EQ(redirect->body, "");
  EXPECT_EQ(Start("/v3", "", {}, "GET")->body, "<a href=\"/v3/\">Temporary Redirect</a>.\n\n");
}

TEST_F(GatewayTest, MessageOverTheReceiveLimitIs429) {
  gateway_ = MakeGateway(*api_.table, executor_, {.receive_message_bytes_max = 10, .answered = {}});
  const auto answer = Post("/v3/kv/put", R"({"key":"Zm9v","value":"YmFyYmFyYmFy"})");
  EXPECT_EQ(answer->status, 429);
  EXPECT_EQ(answer->body,
            R"x({"code":8,"message":"grpc: received message larger than max (16 vs. 10)"})x");
}

TEST_F(GatewayTest, MetadataHeadersReachTheHandler) {
  api_.node.shown_status = node::Status();
  EXPECT_EQ(Post("/v3/maintenance/status", "{}")->status, 200);
  const auto answer = Post("/v3/maintenance/status", "{}", {{"grpc-metadata-hasleader", "true"}});
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->body, R"({"code":14,"message":"etcdserver: no leader"})");
  // Without the prefix it is no metadata.
  EXPECT_EQ(Post("/v3/maintenance/status", "{}", {{"hasleader", "true"}})->status, 200);
}

TEST_F(GatewayTest, MalformedTimeoutIs400) {
  for (const char* timeout : {"x", "1", "1x", "m", "-1m"}) {
    const auto answer = Post("/v3/maintenance/status", "{}", {{"grpc-timeout", timeout}});
    EXPECT_EQ(answer->status, 400) << timeout;
    EXPECT_EQ(answer->body,
              std::string(R"({"code":3,"message":"invalid grpc-timeout: )") + timeout + "\"}");
  }
}

TEST_F(GatewayTest, ExpiredTimeoutIs504) {
  api_.node.shown_status = node::Status();  // nobody answers a keepalive or a time to live
  const auto answer = Post("/v3/lease/timetolive", R"({"ID":1})", {{"grpc-timeout", "50m"}});
  EXPECT_EQ(answer->status, 504);
  EXPECT_EQ(answer->body, R"({"code":4,"message":"context deadline exceeded"})");
  EXPECT_EQ(Post("/v3/maintenance/status", "{}", {{"grpc-timeout", "99999999H"}})->status, 200);
}

TEST_F(GatewayTest, WatchStreamsOneResultALine) {
  const auto watch = Start("/v3/watch", R"({"create_request":{"key":"Zm9v"}}
                                          {"create_request":{"key":"YmFy","watch_id":"5"}})");
  ASSERT_TRUE(api_.member.WaitFor([&] { return watch->Lines() == 2; }));
  EXPECT_EQ(watch->status, 200);
  EXPECT_EQ(watch->headers["Content-Type"], "application/json");
  ASSERT_TRUE(api_.member.Put("foo", "bar").status.ok());
  ASSERT_TRUE(api_.member.WaitFor([&] { return watch->Lines() == 3; }));
  EXPECT_NE(watch->body.find(R"("events":[{"kv":{"key":"Zm9v")"), std::string::npos)
      << watch->body;  // type PUT is left out
  EXPECT_TRUE(watch->body.starts_with(R"({"result":{"header":{)"));
  EXPECT_NE(watch->body.find(R"("watch_id":"5","created":true)"), std::string::npos);
  EXPECT_FALSE(watch->ended);  // until the client leaves
  watch->Leave();
  api_.Settle();
  ASSERT_TRUE(api_.member.Put("foo", "bar").status.ok());
  api_.Settle();
  EXPECT_EQ(watch->Lines(), 3U);
}

TEST_F(GatewayTest, MalformedJsonEndsAStreamsBodyQuietly) {
  const auto watch = Start("/v3/watch", R"({"create_request":{"key":"Zm9v"}} {"create)");
  ASSERT_TRUE(api_.member.WaitFor([&] { return watch->Lines() == 1; }));
  EXPECT_FALSE(watch->ended);
}

TEST_F(GatewayTest, ErrorBeforeTheFirstMessageHasItsStatus) {
  const auto bad = Post("/v3/watch", R"({"create_request":{"key":5}})");
  EXPECT_EQ(bad->status, 400);
  EXPECT_TRUE(bad->body.starts_with(R"({"error":{"code":3,"message":")")) << bad->body;
  api_.snapshot = [] { return base::MakeStatus(absl::StatusCode::kUnavailable, "not now"); };
  const auto snapshot = Post("/v3/maintenance/snapshot", "");
  EXPECT_EQ(snapshot->status, 503);
}

TEST_F(GatewayTest, KeepAliveEndsWithItsBody) {
  ASSERT_EQ(Post("/v3/lease/grant", R"({"ID":7,"TTL":"10"})")->status, 200);
  const auto answer = Post("/v3/lease/keepalive", R"({"ID":7}{"ID":"8"})");
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->Lines(), 2U);
  EXPECT_NE(answer->body.find(R"("ID":"7","TTL":"10"}})"), std::string::npos) << answer->body;
  EXPECT_NE(answer->body.find(R"("ID":"8"}})"), std::string::npos) << answer->body;
}

TEST_F(GatewayTest, AWatcherCanBeAddedToAnOpenRequest) {
  const Open watch = StartStreaming("/v3/watch");
  watch.body->OnBody(R"({"create_request":{"key":"Zm)");
  api_.Settle();
  EXPECT_EQ(watch.responder->status, 0) << "headers come with the first message";
  watch.body->OnBody(R"(9v"}})");
  ASSERT_TRUE(api_.member.WaitFor([&] { return watch.responder->Lines() == 1; }));
  ASSERT_TRUE(api_.member.Put("foo", "bar").status.ok());
  ASSERT_TRUE(api_.member.WaitFor([&] { return watch.responder->Lines() == 2; }));
  watch.body->OnBody(
      "\n"
      R"({"create_request":{"key":"YmFy","watch_id":"5"}}{"cancel_request":)");
  ASSERT_TRUE(api_.member.WaitFor([&] { return watch.responder->Lines() == 3; }));
  watch.body->OnBody(R"({"watch_id":"5"}})");
  ASSERT_TRUE(api_.member.WaitFor([&] { return watch.responder->Lines() == 4; }));
  watch.body->OnBodyEnd();
  ASSERT_TRUE(api_.member.Put("foo", "bar").status.ok());
  ASSERT_TRUE(api_.member.WaitFor([&] { return watch.responder->Lines() == 5; }));
  EXPECT_FALSE(watch.responder->ended) << "until the client leaves";
}

TEST_F(GatewayTest, KeepAliveIsAnsweredWhileItsBodyIsOpen) {
  ASSERT_EQ(Post("/v3/lease/grant", R"({"ID":7,"TTL":"10"})")->status, 200);
  const Open alive = StartStreaming("/v3/lease/keepalive");
  for (std::size_t i = 1; i <= 3; ++i) {
    alive.body->OnBody(R"({"ID":7})");
    ASSERT_TRUE(api_.member.WaitFor([&] { return alive.responder->Lines() == i; })) << i;
  }
  EXPECT_FALSE(alive.responder->ended);
  alive.body->OnBodyEnd();
  EXPECT_TRUE(api_.member.WaitFor([&] { return alive.responder->ended; }));
}

TEST_F(GatewayTest, AnObjectWithoutEndIsCutOff) {
  gateway_ =
      MakeGateway(*api_.table, executor_, {.receive_message_bytes_max = 1000, .answered = {}});
  const Open watch = StartStreaming("/v3/watch");
  watch.body->OnBody(R"({"create_request":{"key":")");
  for (int i = 0; i < 21; ++i) watch.body->OnBody(std::string(100, 'A'));
  EXPECT_TRUE(watch.responder->ended);
  EXPECT_EQ(watch.responder->status, 429);
}

TEST_F(GatewayTest, OnlyStreamsAreStreamed) {
  base::HttpRequest request;
  request.method = "POST";
  for (const char* path : {"/v3/kv/put", "/v3", "/v3/nothing", "/health"}) {
    request.path = path;
    EXPECT_FALSE(gateway_->Streams(request)) << path;
  }
  request.path = "/v3beta/watch";
  EXPECT_TRUE(gateway_->Streams(request));
  request.method = "GET";
  EXPECT_FALSE(gateway_->Streams(request));
}

// RFC 6455 gives the key and what is made of it.
TEST_F(GatewayTest, AWebSocketWatches) {
  const Open socket = OpenWebSocket("/v3/watch");
  EXPECT_EQ(socket.responder->status, 101);
  EXPECT_EQ(socket.responder->headers["Sec-WebSocket-Accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(socket.responder->headers["Upgrade"], "websocket");
  EXPECT_EQ(socket.responder->headers["Connection"], "Upgrade");
  const std::string frame = ClientFrame('\x81', R"({"create_request":{"key":"Zm9v"}})");
  for (const char c : frame) socket.body->OnBody({&c, 1});
  std::string& out = socket.responder->body;
  ASSERT_TRUE(api_.member.WaitFor([&] { return out.ends_with(R"("created":true}})"); }));
  EXPECT_EQ(out[0], '\x81');
  EXPECT_EQ(out.find('\n'), std::string::npos);
  const std::size_t head = out[1] == 126 ? 4 : 2;
  EXPECT_EQ(out.find("{\"result\":"), head);
  ASSERT_TRUE(api_.member.Put("foo", "bar").status.ok());
  ASSERT_TRUE(api_.member.WaitFor([&] { return out.find("\"events\"") != std::string::npos; }));
  out.clear();
  socket.body->OnBody(ClientFrame('\x89', "are you there"));
  EXPECT_EQ(out, std::string("\x8a\x0d") + "are you there");
  out.clear();
  socket.body->OnBody(ClientFrame('\x88', "\x03\xe8"));
  EXPECT_EQ(out, "\x88\x02\x03\xe8");
  EXPECT_TRUE(socket.responder->ended);
}

TEST_F(GatewayTest, AWebSocketCarriesAUnaryCallAndItsErrors) {
  const Open put = OpenWebSocket("/v3/kv/put");
  put.body->OnBody(ClientFrame('\x81', R"({"key":"Zm9v","value":"YmFy"})"));
  ASSERT_TRUE(api_.member.WaitFor([&] { return put.responder->ended; }));
  EXPECT_NE(put.responder->body.find("{\"header\":"), std::string::npos) << put.responder->body;
  EXPECT_TRUE(put.responder->body.ends_with("\x88\x02\x03\xe8")) << put.responder->body;
  const Open unknown = OpenWebSocket("/v3/nothing");
  EXPECT_EQ(unknown.responder->status, 101);
  EXPECT_NE(unknown.responder->body.find(R"({"code":5,"message":"Not Found"})"), std::string::npos);
  EXPECT_TRUE(unknown.responder->ended);
}

TEST_F(GatewayTest, ABrokenFrameEndsTheWebSocket) {
  const Open socket = OpenWebSocket("/v3/watch");
  socket.body->OnBody("\x81\x01x");  // not masked
  EXPECT_EQ(socket.responder->body, "\x88\x02\x03\xea");
  EXPECT_TRUE(socket.responder->ended);
}

TEST_F(GatewayTest, AHandshakeThatIsNoneIs400) {
  for (const Headers& headers :
       {Headers{{"sec-websocket-version", "12"}}, Headers{{"sec-websocket-key", "c2hvcnQ="}}}) {
    const Open socket = OpenWebSocket("/v3/watch", headers);
    EXPECT_EQ(socket.responder->status, 400);
    EXPECT_EQ(socket.responder->headers["Sec-WebSocket-Version"], "13");
    EXPECT_EQ(socket.body, nullptr);
  }
}

TEST_F(GatewayTest, AWebSocketsTokenComesAsItsSubprotocol) {
  const Open socket = OpenWebSocket("/v3/watch", {{"sec-websocket-protocol", "Bearer, t.1"}});
  EXPECT_EQ(socket.responder->headers["Sec-WebSocket-Protocol"], "Bearer");
}

TEST_F(GatewayTest, EveryUnaryCallIsReported) {
  std::vector<std::string> reports;
  gateway_ = MakeGateway(*api_.table, executor_, {.answered = [&](const AnsweredCall& call) {
    reports.push_back(std::string(call.context.path) + " " + std::to_string(call.request.size()) +
                      " " + std::to_string(call.response.ok()));
  }});
  Post("/v3/kv/put", R"({"key":"Zm9v","value":"YmFy"})");
  Post("/v3/kv/range", "{}");
  EXPECT_EQ(reports,
            (std::vector<std::string>{"/etcdserverpb.KV/Put 10 1", "/etcdserverpb.KV/Range 0 0"}));
}

TEST_F(GatewayTest, EveryCodeHasItsHttpStatus) {
  using Code = absl::StatusCode;
  const std::map<Code, int> expected = {{Code::kOk, 200},
                                        {Code::kCancelled, 499},
                                        {Code::kUnknown, 500},
                                        {Code::kInvalidArgument, 400},
                                        {Code::kDeadlineExceeded, 504},
                                        {Code::kNotFound, 404},
                                        {Code::kAlreadyExists, 409},
                                        {Code::kPermissionDenied, 403},
                                        {Code::kUnauthenticated, 401},
                                        {Code::kResourceExhausted, 429},
                                        {Code::kFailedPrecondition, 400},
                                        {Code::kAborted, 409},
                                        {Code::kOutOfRange, 400},
                                        {Code::kUnimplemented, 501},
                                        {Code::kInternal, 500},
                                        {Code::kUnavailable, 503},
                                        {Code::kDataLoss, 500}};
  for (const auto& [code, status] : expected) EXPECT_EQ(HttpStatusOf(code), status);
}

}  // namespace
}  // namespace etcd::api::gateway
