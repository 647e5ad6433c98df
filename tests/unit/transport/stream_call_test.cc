#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/status.h"
#include "tests/unit/transport/h2_client.h"
#include "tests/unit/transport/test_server.h"

namespace etcd::transport {
namespace {

// One stream, recorded. The handler may be gone while the record is still looked at.
struct Record {
  std::mutex mu;
  std::vector<std::string> messages;
  std::atomic<int> half_closes = 0;
  std::atomic<int> closes = 0;
  base::StreamSinkPtr sink;
  base::CallContextPtr context;
  std::function<void(std::string_view)> on_message = [](std::string_view) {};

  std::size_t count() {
    const std::lock_guard lock(mu);
    return messages.size();
  }
};

class Recorder final : public base::StreamHandler {
 public:
  explicit Recorder(Record& record) : record_(record) {}
  void OnMessage(std::string_view message) override {
    {
      const std::lock_guard lock(record_.mu);
      record_.messages.emplace_back(message);
    }
    record_.on_message(message);
  }
  void OnHalfClose() override { ++record_.half_closes; }
  void OnClose() override { ++record_.closes; }

 private:
  Record& record_;
};

class StreamCallTest : public testing::Test {
 protected:
  void SetUp() override {
    server_.Stream("/t.S/Stream", [this](auto context, auto sink) {
      record_.context = std::move(context);
      record_.sink = std::move(sink);
      opened_ = true;
      return std::make_unique<Recorder>(record_);
    });
  }
  std::int32_t Open(H2Client& client, H2Client::Fields extra = {}) {
    const std::int32_t id = client.Call("/t.S/Stream", "", std::move(extra), false);
    EXPECT_TRUE(client.RunUntil([&] { return opened_.load(); }));
    return id;
  }

  Record record_;
  std::atomic<bool> opened_ = false;
  TestServer server_;
};

TEST_F(StreamCallTest, MessagesArriveInOrderHoweverTheyAreCut) {
  server_.Start();
  H2Client client(server_.port);
  const std::int32_t id = Open(client);
  std::string bytes;
  for (int i = 0; i < 50; ++i) bytes += GrpcMessage("message " + std::to_string(i));
  for (std::size_t i = 0; i < bytes.size(); i += 7) client.SendBody(id, bytes.substr(i, 7), false);
  ASSERT_TRUE(client.RunUntil([&] { return record_.count() == 50; }));
  EXPECT_EQ(record_.messages[49], "message 49");
  EXPECT_EQ(record_.half_closes, 0);
  client.SendBody(id, "", true);
  EXPECT_TRUE(client.RunUntil([&] { return record_.half_closes == 1; }));
  EXPECT_EQ(record_.closes, 0);
  record_.sink->Finish(absl::OkStatus());
  ASSERT_TRUE(client.Finish(id));
  EXPECT_EQ(client.stream(id).GrpcStatus(), 0);
  EXPECT_TRUE(client.RunUntil([&] { return record_.closes == 1; }));
}

TEST_F(StreamCallTest, MessagesOfManyThreadsAllArriveInEachOnesOrder) {
  server_.Start();
  H2Client client(server_.port);
  const std::int32_t id = Open(client);
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < kEach; ++i) {
        std::string message(1, static_cast<char>('a' + t));
        record_.sink->Send(base::Rope(message + std::to_string(i)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  record_.sink->Finish(base::MakeStatus(absl::StatusCode::kAborted, "done"));
  ASSERT_TRUE(client.Finish(id));
  EXPECT_EQ(client.stream(id).GrpcStatus(), 10);
  std::vector<int> next(kThreads, 0);
  std::string_view body = client.stream(id).body;
  while (!body.empty()) {
    const std::size_t length = static_cast<std::uint8_t>(body[4]);
    const std::string text(body.substr(5, length));
    int& expected = next[static_cast<std::size_t>(text[0] - 'a')];
    ASSERT_EQ(text.substr(1), std::to_string(expected));
    ++expected;
    body.remove_prefix(5 + length);
  }
  EXPECT_EQ(next, std::vector<int>(kThreads, kEach));
}

TEST_F(StreamCallTest, SlowReaderHoldsBytesBackAndProducerIsToldWhenTheyLeave) {
  server_.Start();
  H2Client client(server_.port, {.auto_window = false});
  const std::int32_t id = Open(client);
  for (int i = 0; i < 100; ++i) record_.sink->Send(base::Rope(std::string(10'000, 'x')));
  ASSERT_TRUE(client.RunUntil([&] { return client.stream(id).body.size() == 65535; }));
  EXPECT_GT(record_.sink->PendingBytes(), 900'000U);
  std::atomic<int> told = 0;
  record_.sink->NotifyWhenBelow(100'000, [&] { ++told; });
  EXPECT_EQ(told, 0);
  client.GiveWindow(0, 2'000'000);
  client.GiveWindow(id, 2'000'000);
  ASSERT_TRUE(client.RunUntil([&] { return client.stream(id).body.size() == 100 * 10'005; }));
  EXPECT_EQ(told, 1);
  EXPECT_EQ(record_.sink->PendingBytes(), 0U);
  record_.sink->NotifyWhenBelow(0, [&] { ++told; });
  EXPECT_EQ(told, 2);
}

TEST_F(StreamCallTest, OneStreamThatIsNotReadDoesNotHoldUpAnother) {
  server_.Unary("/t.S/Echo", [](auto, std::string_view request, base::UnaryDone done) {
    done(base::Body(base::Rope(std::string(request))));
  });
  server_.Start();
  H2Client client(server_.port, {.auto_window = false});
  const std::int32_t id = Open(client);
  client.GiveWindow(0, 1'000'000);
  record_.sink->Send(base::Rope(std::string(500'000, 'x')));
  ASSERT_TRUE(client.RunUntil([&] { return client.stream(id).body.size() == 65535; }));
  const std::int32_t other = client.Call("/t.S/Echo", GrpcMessage("x"));
  EXPECT_TRUE(client.Finish(other));
  EXPECT_EQ(client.stream(other).GrpcStatus(), 0);
}

TEST_F(StreamCallTest, ResetClosesTheHandlerAndReleasesTheProducer) {
  server_.Start();
  H2Client client(server_.port, {.auto_window = false});
  const std::int32_t id = Open(client);
  record_.sink->Send(base::Rope(std::string(500'000, 'x')));
  std::atomic<int> told = 0;
  record_.sink->NotifyWhenBelow(0, [&] { ++told; });
  client.Reset(id, 8);
  ASSERT_TRUE(client.RunUntil([&] { return record_.closes == 1 && told == 1; }));
  EXPECT_TRUE(record_.context->canceled.load());
  record_.sink->Send(base::Rope(std::string("late")));
  record_.sink->Finish(absl::OkStatus());
  EXPECT_EQ(record_.closes, 1);
}

TEST_F(StreamCallTest, DeadlineEndsTheStream) {
  server_.Start();
  H2Client client(server_.port);
  const std::int32_t id = Open(client, {{"grpc-timeout", "50m"}});
  ASSERT_TRUE(client.Finish(id));
  EXPECT_EQ(client.stream(id).GrpcStatus(), 4);
  EXPECT_EQ(client.stream(id).GrpcText(), "context deadline exceeded");
  EXPECT_TRUE(client.RunUntil([&] { return record_.closes == 1; }));
}

TEST_F(StreamCallTest, DeadlineEndsAStreamWhoseReaderIsStuck) {
  server_.Start();
  H2Client client(server_.port, {.auto_window = false});
  const std::int32_t id = Open(client, {{"grpc-timeout", "100m"}});
  record_.sink->Send(base::Rope(std::string(500'000, 'x')));
  ASSERT_TRUE(client.Finish(id));
  EXPECT_EQ(client.stream(id).error_code, 8U);
  EXPECT_TRUE(client.RunUntil([&] { return record_.closes == 1; }));
}

TEST_F(StreamCallTest, FinishBeforeTheClientIsDoneStopsTheRequest) {
  record_.on_message = [this](std::string_view) {
    record_.sink->Send(base::Rope(std::string("bye")));
    record_.sink->Finish(absl::OkStatus());
  };
  server_.Start();
  H2Client client(server_.port);
  const std::int32_t id = Open(client);
  client.SendBody(id, GrpcMessage("one") + GrpcMessage("two"), false);
  ASSERT_TRUE(client.Finish(id));
  EXPECT_EQ(client.stream(id).body, GrpcMessage("bye"));
  EXPECT_EQ(client.stream(id).GrpcStatus(), 0);
  EXPECT_EQ(client.stream(id).error_code, 0U);  // RST_STREAM NO_ERROR
  EXPECT_TRUE(client.RunUntil([&] { return record_.closes == 1; }));
  EXPECT_EQ(record_.count(), 1U);
}

TEST_F(StreamCallTest, LostConnectionClosesTheHandler) {
  server_.Start();
  {
    H2Client client(server_.port);
    Open(client);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (record_.closes == 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(record_.closes, 1);
}

TEST_F(StreamCallTest, TooLongMessageEndsTheStream) {
  server_.options.receive_message_bytes_max = 100;
  server_.Start();
  H2Client client(server_.port);
  const std::int32_t id = Open(client);
  client.SendBody(id, GrpcMessage(std::string(100, 'x')) + GrpcMessage(std::string(101, 'x')),
                  false);
  ASSERT_TRUE(client.Finish(id));
  EXPECT_EQ(client.stream(id).GrpcStatus(), 8);
  EXPECT_EQ(client.stream(id).GrpcText(), "grpc: received message larger than max (101 vs. 100)");
  EXPECT_EQ(record_.count(), 1U);
}

TEST_F(StreamCallTest, MessageCutShortIsNotAHalfClose) {
  server_.Start();
  H2Client client(server_.port);
  const std::int32_t id = Open(client);
  client.SendBody(id, GrpcMessage("hello").substr(0, 6), true);
  ASSERT_TRUE(client.Finish(id));
  EXPECT_EQ(client.stream(id).GrpcStatus(), 13);
  EXPECT_EQ(record_.half_closes, 0);
}

TEST_F(StreamCallTest, SharedMessageReachesEveryStream) {
  constexpr int kStreams = 50;
  std::vector<base::StreamSinkPtr> sinks;  // of the loop until `opened` says that it is complete
  std::atomic<int> opened = 0;
  Record records[1];
  server_.Stream("/t.S/Fan", [&](auto, auto sink) {
    sinks.push_back(std::move(sink));
    ++opened;
    return std::make_unique<Recorder>(records[0]);
  });
  server_.Start();
  H2Client client(server_.port);
  std::vector<std::int32_t> ids;
  for (int i = 0; i < kStreams; ++i) ids.push_back(client.Call("/t.S/Fan", "", {}, false));
  ASSERT_TRUE(client.RunUntil([&] { return client.stream(1).closed || opened == kStreams; }));
  base::Rope event;
  event.Append(base::Slice::Own(std::string(100, 'e')));
  event.Append(base::Slice::Own(std::string(20'000, 'f')));  // goes out by reference
  for (int round = 0; round < 10; ++round) {
    for (const auto& sink : sinks) sink->Send(event);
  }
  for (const auto& sink : sinks) sink->Finish(absl::OkStatus());
  const std::string one = GrpcMessage(std::string(100, 'e') + std::string(20'000, 'f'));
  std::string all;
  for (int i = 0; i < 10; ++i) all += one;
  for (const std::int32_t id : ids) {
    ASSERT_TRUE(client.Finish(id));
    EXPECT_TRUE(client.stream(id).body == all) << "stream " << id;
  }
}

}  // namespace
}  // namespace etcd::transport
