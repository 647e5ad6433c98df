#include "operator/kube/curl_http.h"

#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "kube_fixture.h"
#include "tests/support/loopback_http.h"

namespace etcd::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using testing::LoopbackHttp;
using ::testing::Not;

using Peer = LoopbackHttp::Peer;

std::string Gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(text.size() / 100 + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

HttpRequest Get(const std::string& target = "/x") {
  HttpRequest request;
  request.method = "GET";
  request.target = target;
  request.timeout = seconds(20);
  request.answer_bytes_max = 1000;
  return request;
}

// A server that does this with each request, and a transport to it.
struct Pair {
  explicit Pair(std::function<void(const LoopbackHttp::Request&, Peer&)> handle)
      : server([run = std::move(handle)](const LoopbackHttp::Request& request, Peer& peer) {
          run(request, peer);
          return peer.is_open();
        }),
        transport({.url = server.url() + "/prefix/"}, "etcd-operator/1.0 (linux/amd64)") {}
  LoopbackHttp server;
  CurlTransport transport;
};

TEST(CurlHttp, SendsWhatTheRequestSays) {
  std::string head, body;
  Pair pair([&](const auto& request, Peer& peer) {
    head = request.head;
    body = request.body;
    peer.Answer(201, "made", "Retry-After: 9\r\n");
  });
  HttpRequest request = Get("/api?x=%2F");
  request.method = "PATCH";
  request.content_type = "application/merge-patch+json";
  request.body = std::string("{\"a\":\0}", 7);
  request.credential = std::make_shared<Credential>(Credential{.token = "secret"});
  const HttpAnswer answer = *pair.transport.Send(request, {});
  EXPECT_EQ(answer.code, 201);
  EXPECT_EQ(answer.body, "made");
  EXPECT_EQ(answer.retry_after, seconds(9));
  EXPECT_EQ(body, request.body);
  EXPECT_THAT(head, HasSubstr("PATCH /prefix/api?x=%2F HTTP/1.1\r\n"));
  EXPECT_THAT(head, HasSubstr("Authorization: Bearer secret\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Type: application/merge-patch+json\r\n"));
  EXPECT_THAT(head, HasSubstr("User-Agent: etcd-operator/1.0 (linux/amd64)\r\n"));
  EXPECT_THAT(head, HasSubstr("Accept-Encoding: gzip\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("Expect:")));
}

TEST(CurlHttp, UsesItsConnectionAgainAndLeavesNothingOfTheLastRequest) {
  std::string head;
  Pair pair([&](const auto& request, Peer& peer) {
    head = request.head;
    peer.Answer(200, "{}");
  });
  HttpRequest first = Get();
  first.method = "POST";
  first.content_type = "application/json";
  first.body = "{}";
  first.credential = std::make_shared<Credential>(Credential{.token = "secret"});
  EXPECT_TRUE(pair.transport.Send(first, {}).ok());
  EXPECT_TRUE(pair.transport.Send(Get(), {}).ok());
  EXPECT_THAT(head, HasSubstr("GET "));
  EXPECT_THAT(head, Not(HasSubstr("Authorization")));
  EXPECT_THAT(head, Not(HasSubstr("Content-")));
  EXPECT_EQ(pair.server.connections(), 1);
}

TEST(CurlHttp, ReadsCompressedAnswersWithinTheBound) {
  std::atomic<int> size = 0;
  Pair pair([&](const auto&, Peer& peer) {
    peer.Answer(200, Gzip(std::string(static_cast<std::size_t>(size.load()), 'x')),
                "Content-Encoding: gzip\r\n");
  });
  size = 1000;
  EXPECT_EQ(pair.transport.Send(Get(), {})->body.size(), 1000U);
  // A bomb: twenty thousand times the bound.
  size = 20'000'000;
  EXPECT_TRUE(Is(pair.transport.Send(Get(), {}).status(), ApiErrc::kTooLarge));
}

TEST(CurlHttp, RefusesAnswersBeyondTheBound) {
  Pair pair([&](const auto& request, Peer& peer) {
    if (request.target == "/prefix/endless") {
      peer.Write("HTTP/1.1 200 OK\r\n\r\n");
      while (peer.is_open()) peer.Write(std::string(10'000, 'x'));
    } else {
      peer.Answer(200, std::string(1001, 'x'));
    }
  });
  EXPECT_TRUE(Is(pair.transport.Send(Get(), {}).status(), ApiErrc::kTooLarge));
  EXPECT_TRUE(Is(pair.transport.Send(Get("/endless"), {}).status(), ApiErrc::kTooLarge));
}

TEST(CurlHttp, TellsALostAnswerFromARequestThatWasNotSent) {
  Pair pair([&](const auto& request, Peer& peer) {
    if (request.target == "/prefix/cut")
      peer.Write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    if (request.target == "/prefix/chunk") {
      peer.Write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal");
    }
    if (request.target == "/prefix/noise") peer.Write("SSH-2.0-OpenSSH\r\n\r\n");
    peer.Reset();
  });
  for (const char* target : {"/cut", "/chunk", "/noise", "/reset"}) {
    EXPECT_TRUE(Is(pair.transport.Send(Get(target), {}).status(), ApiErrc::kNoAnswer)) << target;
  }
  // A port that nobody listens on any more.
  const std::string gone = LoopbackHttp([](const auto&, Peer&) { return false; }).url();
  CurlTransport nobody({.url = gone}, "x");
  EXPECT_TRUE(Is(nobody.Send(Get(), {}).status(), ApiErrc::kNotSent));
}

TEST(CurlHttp, EndsAtItsDeadlineHoweverSlowThePeer) {
  Pair pair([&](const auto&, Peer& peer) {
    peer.Write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    peer.Write("x");
    peer.WaitForClose();
  });
  HttpRequest request = Get();
  request.timeout = milliseconds(50);
  EXPECT_TRUE(Is(pair.transport.Send(request, {}).status(), ApiErrc::kNoAnswer));
}

TEST(CurlHttp, StopsAtOnceWithinARequest) {
  std::stop_source stop;
  Pair pair([&](const auto&, Peer& peer) {
    stop.request_stop();
    peer.WaitForClose();
  });
  EXPECT_TRUE(Is(pair.transport.Send(Get(), stop.get_token()).status(), ApiErrc::kStopped));
  EXPECT_TRUE(Is(pair.transport.Send(Get(), stop.get_token()).status(), ApiErrc::kStopped));
}

TEST(CurlHttp, HandsOverAStreamAsItComes) {
  Signal signal;
  std::string received;
  Pair pair([&](const auto&, Peer& peer) {
    peer.Write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    // The second piece leaves only when the first has arrived.
    signal.WaitUntil([&] { return received == "one"; });
    peer.Write("3\r\ntwo\r\n0\r\n\r\n");
  });
  const absl::StatusOr<HttpAnswer> answer =
      pair.transport.Stream(Get(),
                            [&](std::string_view bytes) {
                              signal.Do([&] { received += bytes; });
                              return absl::OkStatus();
                            },
                            {});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(received, "onetwo");
}

TEST(CurlHttp, AStreamThatIsRefusedHasItsBodyInTheAnswer) {
  Pair pair([&](const auto&, Peer& peer) { peer.Answer(410, "gone"); });
  const HttpAnswer answer = *pair.transport.Stream(
      Get(), [](std::string_view) { return absl::InternalError("not called"); }, {});
  EXPECT_EQ(answer.code, 410);
  EXPECT_EQ(answer.body, "gone");
}

TEST(CurlHttp, AnErrorOfTheSinkEndsTheStream) {
  Pair pair([&](const auto&, Peer& peer) {
    peer.Write("HTTP/1.1 200 OK\r\n\r\nbytes");
    peer.WaitForClose();
  });
  const auto answer = pair.transport.Stream(
      Get(), [](std::string_view) { return ApiError(ApiErrc::kBadAnswer, "x"); }, {});
  EXPECT_TRUE(Is(answer.status(), ApiErrc::kBadAnswer));
}

TEST(CurlHttp, FollowsNoRedirection) {
  Pair pair(
      [&](const auto&, Peer& peer) { peer.Answer(302, "", "Location: http://127.0.0.1:1/\r\n"); });
  EXPECT_EQ(pair.transport.Send(Get(), {})->code, 302);
}

TEST(CurlHttp, ClosesConnectionsThatABurstHasLeft) {
  for (const auto& [idle_for, left] : {std::pair{std::chrono::hours(1), std::size_t{3}},
                                       std::pair{std::chrono::hours(0), std::size_t{1}}}) {
    std::atomic<int> waiting = 3;
    LoopbackHttp server([&](const LoopbackHttp::Request&, Peer& peer) {
      // All three are under way at once.
      --waiting;
      while (waiting > 0) std::this_thread::yield();
      peer.Answer(200, "a");
      return peer.is_open();
    });
    CurlTransport transport({.url = server.url()}, "test", idle_for);
    {
      std::vector<std::jthread> burst;
      for (int i = 0; i < 3; ++i) {
        burst.emplace_back([&] { EXPECT_TRUE(transport.Send(Get(), {}).ok()); });
      }
    }
    EXPECT_TRUE(transport.Send(Get(), {}).ok());
    EXPECT_EQ(transport.idle_connections(), left);
    EXPECT_EQ(server.connections(), 3);
  }
}

}  // namespace
}  // namespace etcd::kube
