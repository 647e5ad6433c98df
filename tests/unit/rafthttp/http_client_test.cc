#include <future>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rafthttp/peer_fixture.h"
#include "tests/unit/rafthttp/raw_http.h"

// PeerClient: plain requests to peer URLs.
namespace etcd::rafthttp {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Result = absl::StatusOr<ports::PeerReply>;

class Asking : public ::testing::Test {
 protected:
  static TransportOptions Options() {
    TransportOptions options = FastOptions();
    options.reply_bytes_max = 1000;
    return options;
  }
  std::future<Result> Begin(const std::string& url, ports::PeerRequest request,
                            std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
    auto promise = std::make_shared<std::promise<Result>>();
    client.Ask(url, std::move(request), timeout,
               [promise](Result result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }
  static ports::PeerRequest Get(std::string path) {
    ports::PeerRequest request;
    request.path = std::move(path);
    return request;
  }
  static ports::PeerRequest Post(std::string path, std::string body) {
    ports::PeerRequest request = Get(std::move(path));
    request.method = "POST";
    request.body = std::move(body);
    return request;
  }

  RawListener listener;
  Transport client{Options()};  // neither listens nor is started
};

TEST_F(Asking, WorksBeforeTheMemberKnowsWhoItIs) {
  TestMember member(1, FastOptions());
  const Result get = Begin(member.url(), Get("/members?x=1")).get();
  ASSERT_TRUE(get.ok());
  EXPECT_EQ(get->status, 200);
  EXPECT_EQ(get->body, "GET /members?x=1 ");
  const Result post = Begin(member.url(), Post("/leases", "id")).get();
  ASSERT_TRUE(post.ok());
  EXPECT_EQ(post->body, "POST /leases id");
}

// GET /members/hashkv has one.
TEST_F(Asking, AGetMayHaveABody) {
  TestMember member(1, FastOptions());
  ports::PeerRequest request = Get("/members/hashkv");
  request.body = R"({"revision":3})";
  request.headers = {{"Content-Type", "application/json"}};
  EXPECT_EQ(Begin(member.url(), request).get()->body, R"(GET /members/hashkv {"revision":3})");
}

TEST_F(Asking, NamesOfHeadersComeInLowerCase) {
  auto asked = Begin(listener.url(), Get("/version"));
  RawConnection connection = listener.Accept();
  EXPECT_THAT(connection.ReadUntil("\r\n\r\n"),
              StartsWith("GET /version HTTP/1.1\r\nHost: 127.0.0.1:"));
  connection.Send("HTTP/1.1 200 OK\r\nX-Etcd-Cluster-ID: c1\r\nContent-Length: 2\r\n\r\nok");
  const Result result = asked.get();
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(result->headers,
              ::testing::Contains(std::pair<std::string, std::string>("x-etcd-cluster-id", "c1")));
}

TEST_F(Asking, ABodyMayEndWithTheConnection) {
  auto asked = Begin(listener.url(), Get("/version"));
  {
    RawConnection connection = listener.Accept();
    connection.ReadUntil("\r\n\r\n");
    connection.Send("HTTP/1.1 200 OK\r\n\r\nall of it");
  }
  EXPECT_EQ(asked.get()->body, "all of it");
}

TEST_F(Asking, ACutAnswerIsNone) {
  auto asked = Begin(listener.url(), Get("/version"));
  {
    RawConnection connection = listener.Accept();
    connection.ReadUntil("\r\n\r\n");
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
  }
  EXPECT_EQ(asked.get().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(Asking, AnswersAreBounded) {
  auto asked = Begin(listener.url(), Get("/version"));
  RawConnection connection = listener.Accept();
  connection.ReadUntil("\r\n\r\n");
  connection.Send("HTTP/1.1 200 OK\r\n\r\n" + std::string(1001, 'x'));
  EXPECT_EQ(asked.get().status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(Asking, SilenceAndRefusalAreErrors) {
  EXPECT_EQ(Begin(listener.url(), Get("/x"), std::chrono::milliseconds(50)).get().status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Begin("http://127.0.0.1:1", Get("/x")).get().status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_FALSE(Begin("nonsense", Get("/x")).get().ok());
}

// A GET may be asked twice, anything else not: leases, promotions.
TEST_F(Asking, AnIdleConnectionThatDiedIsReplacedForGets) {
  auto first = Begin(listener.url(), Get("/1"));
  {
    RawConnection connection = listener.Accept();
    connection.ReadUntil("\r\n\r\n");
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
    EXPECT_TRUE(first.get().ok());
    auto second = Begin(listener.url(), Get("/2"));
    EXPECT_THAT(connection.ReadUntil("\r\n\r\n"), StartsWith("GET /2"));
    connection.Close();  // without an answer
    RawConnection fresh = listener.Accept();
    EXPECT_THAT(fresh.ReadUntil("\r\n\r\n"), StartsWith("GET /2"));
    fresh.Send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
    EXPECT_EQ(second.get()->body, "2");
    auto post = Begin(listener.url(), Post("/3", "x"));
    RawConnection own = listener.Accept();
    EXPECT_THAT(own.ReadUntil("\r\n\r\n"), StartsWith("POST /3"));
    own.Close();
    EXPECT_FALSE(post.get().ok());
  }
}

TEST_F(Asking, StopAnswersWhatIsOpenAndWhatComesLater) {
  auto open = Begin(listener.url(), Get("/x"));
  RawConnection connection = listener.Accept();
  client.Stop();
  EXPECT_EQ(open.get().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Begin(listener.url(), Get("/x")).get().status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace etcd::rafthttp
