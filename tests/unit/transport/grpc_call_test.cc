// gRPC's rules on the wire, through a client that shows every frame.
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/errc.h"
#include "server/base/gzip.h"
#include "server/base/status.h"
#include "tests/unit/transport/h2_client.h"
#include "tests/unit/transport/test_server.h"

namespace etcd::transport {
namespace {

class GrpcCallTest : public testing::Test {
 protected:
  void SetUp() override {
    server_.Unary("/t.S/Echo", [this](base::CallContextPtr context, std::string_view request,
                                      base::UnaryDone done) {
      {
        const std::lock_guard lock(mu_);
        contexts_.push_back(std::move(context));
      }
      done(base::Body(base::Rope(std::string(request))));
    });
    // Keeps the answer back until the test gives it.
    server_.Unary("/t.S/Wait",
                  [this](base::CallContextPtr context, std::string_view, base::UnaryDone done) {
                    const std::lock_guard lock(mu_);
                    contexts_.push_back(std::move(context));
                    waiting_.push_back(std::move(done));
                  });
  }

  // The answer to one call.
  H2Client::Stream& Run(const std::string& path, const std::string& body,
                        H2Client::Fields extra = {}) {
    if (server_.server == nullptr) server_.Start();
    client_ = std::make_unique<H2Client>(server_.port);
    id_ = client_->Call(path, body, std::move(extra));
    EXPECT_TRUE(client_->Finish(id_));
    return client_->stream(id_);
  }

  // The same with another method or content type than gRPC's.
  H2Client::Stream& RunAs(const std::string& http_method, const std::string& content_type,
                          const std::string& body) {
    server_.Start();
    client_ = std::make_unique<H2Client>(server_.port);
    id_ = client_->Request({{":method", http_method},
                            {":scheme", "http"},
                            {":path", "/t.S/Echo"},
                            {":authority", "x"},
                            {"content-type", content_type}},
                           body);
    EXPECT_TRUE(client_->Finish(id_));
    return client_->stream(id_);
  }

  std::size_t waiting() {
    const std::lock_guard lock(mu_);
    return waiting_.size();
  }

  std::mutex mu_;
  std::vector<base::CallContextPtr> contexts_;
  std::vector<base::UnaryDone> waiting_;
  TestServer server_;
  std::unique_ptr<H2Client> client_;
  std::int32_t id_ = 0;
};

TEST_F(GrpcCallTest, AnswerHasHeadersMessageAndTrailers) {
  const auto& answer = Run("/t.S/Echo", GrpcMessage("hello"));
  EXPECT_EQ(answer.headers.at(":status"), "200");
  EXPECT_EQ(answer.headers.at("content-type"), "application/grpc");
  EXPECT_EQ(answer.body, GrpcMessage("hello"));
  EXPECT_EQ(answer.trailers.at("grpc-status"), "0");
  EXPECT_EQ(answer.error_code, 0U);
}

TEST_F(GrpcCallTest, ErrorIsTrailersOnly) {
  server_.Unary("/t.S/Fail", [](auto, std::string_view, base::UnaryDone done) {
    done(base::MakeStatus(absl::StatusCode::kNotFound, "no\n100%"));
  });
  const auto& answer = Run("/t.S/Fail", GrpcMessage(""));
  EXPECT_TRUE(answer.trailers.empty());
  EXPECT_EQ(answer.headers.at("grpc-status"), "5");
  EXPECT_EQ(answer.headers.at("grpc-message"), "no%0A100%25");
  EXPECT_TRUE(answer.body.empty());
}

TEST_F(GrpcCallTest, MetadataReachesTheHandlerDecoded) {
  Run("/t.S/Echo", GrpcMessage(""), {{"token", "abc"}, {"raw-bin", "AAEC"}, {"pad-bin", "AAE="}});
  const auto& metadata = contexts_.at(0)->metadata;
  EXPECT_EQ(metadata.Find("token"), "abc");
  EXPECT_EQ(metadata.Find("raw-bin"), std::string_view("\0\1\2", 3));
  EXPECT_EQ(metadata.Find("pad-bin"), std::string_view("\0\1", 2));
  EXPECT_FALSE(metadata.Find("te"));
  EXPECT_TRUE(contexts_[0]->peer.starts_with("127.0.0.1:"));
  EXPECT_EQ(contexts_[0]->path, "/t.S/Echo");
}

TEST_F(GrpcCallTest, BrokenBinaryMetadataIsRefused) {
  const auto& answer = Run("/t.S/Echo", GrpcMessage(""), {{"raw-bin", "!!!"}});
  EXPECT_EQ(answer.headers.at(":status"), "400");
  EXPECT_EQ(answer.GrpcStatus(), 13);
  EXPECT_TRUE(contexts_.empty());
}

TEST_F(GrpcCallTest, ResponseMetadataIsSentWithBinaryValuesEncoded) {
  server_.Unary("/t.S/Meta", [](auto, std::string_view, base::UnaryDone done) {
    base::Body body;
    body.metadata = std::make_unique<base::ResponseMetadata>();
    body.metadata->initial.Add("first", "1");
    body.metadata->trailing.Add("last-bin", std::string("\0\1\2", 3));
    done(std::move(body));
  });
  const auto& answer = Run("/t.S/Meta", GrpcMessage(""));
  EXPECT_EQ(answer.headers.at("first"), "1");
  EXPECT_EQ(answer.trailers.at("last-bin"), "AAEC");
}

TEST_F(GrpcCallTest, ContentTypeThatIsNotGrpcIs415) {
  const auto& answer = RunAs("POST", "application/json", "{}");
  EXPECT_EQ(answer.headers.at(":status"), "415");
  EXPECT_TRUE(answer.body.empty());
}

TEST_F(GrpcCallTest, MethodOtherThanPostIs405) {
  const auto& answer = RunAs("GET", "application/grpc", "");
  EXPECT_EQ(answer.headers.at(":status"), "405");
}

TEST_F(GrpcCallTest, ContentSubtypeIsEchoed) {
  const auto& answer = RunAs("POST", "application/grpc+proto", GrpcMessage("x"));
  EXPECT_EQ(answer.headers.at("content-type"), "application/grpc+proto");
}

TEST_F(GrpcCallTest, GzipRequestIsInflated) {
  const std::string text(10000, 'z');
  const auto& answer =
      Run("/t.S/Echo", GrpcMessage(base::Gzip(text), 1), {{"grpc-encoding", "gzip"}});
  EXPECT_TRUE(answer.body == GrpcMessage(text));
}

TEST_F(GrpcCallTest, GzipBombIsBounded) {
  const auto& answer =
      Run("/t.S/Echo", GrpcMessage(base::Gzip(std::string(64 * 1024 * 1024, 'z')), 1),
          {{"grpc-encoding", "gzip"}});
  EXPECT_EQ(answer.GrpcStatus(), 8);
}

TEST_F(GrpcCallTest, CompressedFlagWithoutEncodingIsInternal) {
  const auto& answer = Run("/t.S/Echo", GrpcMessage(base::Gzip("x"), 1));
  EXPECT_EQ(answer.GrpcStatus(), 13);
}

TEST_F(GrpcCallTest, UnknownEncodingIsUnimplementedAndNamesOurs) {
  const auto& answer = Run("/t.S/Echo", GrpcMessage("x", 1), {{"grpc-encoding", "snappy"}});
  EXPECT_EQ(answer.GrpcStatus(), 12);
  EXPECT_EQ(answer.headers.at("grpc-accept-encoding"), "gzip");
}

TEST_F(GrpcCallTest, MessageCutShortIsInternal) {
  const auto& answer = Run("/t.S/Echo", GrpcMessage("hello").substr(0, 7));
  EXPECT_EQ(answer.GrpcStatus(), 13);
  EXPECT_EQ(Run("/t.S/Echo", "").GrpcStatus(), 13);
  EXPECT_EQ(Run("/t.S/Echo", GrpcMessage("a") + GrpcMessage("b")).GrpcStatus(), 13);
  EXPECT_TRUE(contexts_.empty());
}

TEST_F(GrpcCallTest, DeadlineAnswersAndCancelsTheContext) {
  const auto& answer = Run("/t.S/Wait", GrpcMessage(""), {{"grpc-timeout", "30m"}});
  EXPECT_EQ(answer.GrpcStatus(), 4);
  EXPECT_EQ(answer.GrpcText(), "context deadline exceeded");
  EXPECT_TRUE(contexts_.at(0)->canceled.load());
  waiting_[0](base::Body());  // too late: nothing happens
  EXPECT_EQ(Run("/t.S/Echo", GrpcMessage("")).GrpcStatus(), 0);
}

TEST_F(GrpcCallTest, MalformedTimeoutIsRefused) {
  const auto& answer = Run("/t.S/Echo", GrpcMessage(""), {{"grpc-timeout", "soon"}});
  EXPECT_EQ(answer.headers.at(":status"), "400");
  EXPECT_EQ(answer.GrpcStatus(), 13);
}

TEST_F(GrpcCallTest, ResetCancelsTheContext) {
  server_.Start();
  H2Client client(server_.port);
  const std::int32_t id = client.Call("/t.S/Wait", GrpcMessage(""));
  ASSERT_TRUE(client.RunUntil([&] { return waiting() == 1; }));
  client.Reset(id, 8);
  EXPECT_TRUE(client.RunUntil([&] { return contexts_[0]->canceled.load(); }));
}

TEST_F(GrpcCallTest, LateAnswersAfterStopAreDropped) {
  server_.Start();
  H2Client client(server_.port);
  client.Call("/t.S/Wait", GrpcMessage(""));
  ASSERT_TRUE(client.RunUntil([&] { return waiting() == 1; }));
  server_.server->Stop(std::chrono::nanoseconds(0));
  EXPECT_TRUE(contexts_[0]->canceled.load());
  waiting_[0](base::Body());
  server_.server.reset();
  contexts_.clear();
  waiting_.clear();
}

// Counts from 0 to the end, four bytes at a time.
class Counter final : public base::ByteSource {
 public:
  explicit Counter(std::uint64_t bytes) : left_(bytes) {}
  absl::StatusOr<base::Rope> Next(std::size_t bytes_hint) override {
    if (fail_at_ != 0 && left_ <= fail_at_) return base::DataLoss("broken");
    std::string piece(std::min<std::uint64_t>(bytes_hint, left_), '\0');
    for (char& c : piece) c = static_cast<char>(next_++ % 251);
    left_ -= piece.size();
    return base::Rope(std::move(piece));
  }
  std::uint64_t fail_at_ = 0;

 private:
  std::uint64_t left_;
  std::uint64_t next_ = 0;
};

TEST_F(GrpcCallTest, ResponseOfKnownLengthIsPulledFromItsSource) {
  static constexpr std::size_t kBytes = 3'000'000;
  server_.Unary("/t.S/Big", [](auto, std::string_view, base::UnaryDone done) {
    base::Body body(base::Rope("head"));
    body.source_bytes = kBytes;
    body.source = std::make_unique<Counter>(kBytes);
    done(std::move(body));
  });
  const auto& answer = Run("/t.S/Big", GrpcMessage(""));
  EXPECT_EQ(answer.GrpcStatus(), 0);
  ASSERT_EQ(answer.body.size(), 5 + 4 + kBytes);
  const std::uint32_t length = kBytes + 4;
  EXPECT_EQ(static_cast<std::uint8_t>(answer.body[1]), length >> 24);
  EXPECT_EQ(static_cast<std::uint8_t>(answer.body[4]), length & 0xff);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < kBytes; ++i) {
    if (answer.body[9 + i] != static_cast<char>(i % 251)) ++wrong;
  }
  EXPECT_EQ(wrong, 0U);
}

TEST_F(GrpcCallTest, FailingSourceResetsTheStream) {
  server_.Unary("/t.S/Big", [](auto, std::string_view, base::UnaryDone done) {
    base::Body body(base::Rope("head"));
    body.source_bytes = 1'000'000;
    auto source = std::make_unique<Counter>(1'000'000);
    source->fail_at_ = 500'000;
    body.source = std::move(source);
    done(std::move(body));
  });
  const auto& answer = Run("/t.S/Big", GrpcMessage(""));
  EXPECT_NE(answer.error_code, 0U);
  EXPECT_EQ(answer.GrpcStatus(), -1);
}

TEST_F(GrpcCallTest, UnreadResponsesMakeOthersWaitAndThenFail) {
  server_.options.response_bytes_max = 1024 * 1024;
  server_.options.response_wait_max = std::chrono::milliseconds(50);
  server_.Unary("/t.S/Big", [](auto, std::string_view, base::UnaryDone done) {
    done(base::Body(base::Rope(std::string(2 * 1024 * 1024, 'x'))));
  });
  server_.Start();
  H2Client slow(server_.port, {.auto_window = false});
  const std::int32_t big = slow.Call("/t.S/Big", GrpcMessage(""));
  ASSERT_TRUE(slow.RunUntil([&] { return slow.stream(big).body.size() == 65535; }));
  EXPECT_EQ(Run("/t.S/Echo", GrpcMessage("x")).GrpcStatus(), 8);
  slow.GiveWindow(0, 4 * 1024 * 1024);
  slow.GiveWindow(big, 4 * 1024 * 1024);
  ASSERT_TRUE(slow.Finish(big));
  EXPECT_EQ(Run("/t.S/Echo", GrpcMessage("x")).GrpcStatus(), 0);
}

TEST_F(GrpcCallTest, IncompleteRequestsOfOneConnectionAreBounded) {
  server_.options.connection_request_bytes_max = 100'000;
  server_.Start();
  H2Client client(server_.port);
  const std::string part = GrpcMessage(std::string(60'000, 'x')).substr(0, 59'000);
  const std::int32_t first = client.Call("/t.S/Echo", part, {}, false);
  const std::int32_t second = client.Call("/t.S/Echo", part, {}, false);
  ASSERT_TRUE(client.Finish(second));
  EXPECT_EQ(client.stream(second).GrpcStatus(), 8);
  client.SendBody(first, std::string(1'005, 'x'), true);
  ASSERT_TRUE(client.Finish(first));
  EXPECT_EQ(client.stream(first).GrpcStatus(), 0);
}

TEST_F(GrpcCallTest, ObserverCountsEveryCallOnce) {
  struct Counts : MethodObserver, CallObserver {
    void Started() override { ++started; }
    void Handled(absl::StatusCode code, std::chrono::nanoseconds) override {
      ++handled;
      last = code;
    }
    void MessageReceived(std::size_t bytes) override { received += bytes; }
    void MessageSent(std::size_t bytes) override { sent += bytes; }
    MethodObserver* Observe(const base::MethodEntry&) override { return this; }
    std::atomic<int> started = 0, handled = 0;
    std::atomic<std::size_t> received = 0, sent = 0;
    std::atomic<absl::StatusCode> last = absl::StatusCode::kOk;
  } counts;
  server_.observer = &counts;
  Run("/t.S/Echo", GrpcMessage("hello"));
  EXPECT_EQ(counts.started, 1);
  EXPECT_EQ(counts.handled, 1);
  EXPECT_EQ(counts.received, 5U);
  EXPECT_EQ(counts.sent, 5U);
  Run("/t.S/Wait", GrpcMessage("hello"), {{"grpc-timeout", "10m"}});
  EXPECT_EQ(counts.handled, 2);
  EXPECT_EQ(counts.last, absl::StatusCode::kDeadlineExceeded);
  client_.reset();
  server_.server.reset();
  EXPECT_EQ(counts.handled, 2);
}

}  // namespace
}  // namespace etcd::transport
