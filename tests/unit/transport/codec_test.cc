#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/gzip.h"
#include "server/base/status.h"
#include "server/transport/frame_scanner.h"
#include "server/transport/grpc_codec.h"
#include "server/transport/gzip.h"
#include "server/transport/message_reader.h"
#include "server/transport/out_buffer.h"
#include "server/transport/ping_policy.h"
#include "server/transport/send_queue.h"
#include "server/transport/sniff.h"
#include "tests/unit/transport/raw_client.h"

namespace etcd::transport {
namespace {

TEST(GrpcTimeout, UnitsAreThoseOfTheProtocol) {
  using namespace std::chrono_literals;
  EXPECT_EQ(ParseTimeout("1H"), 1h);
  EXPECT_EQ(ParseTimeout("2M"), 2min);
  EXPECT_EQ(ParseTimeout("3S"), 3s);
  EXPECT_EQ(ParseTimeout("4m"), 4ms);
  EXPECT_EQ(ParseTimeout("5u"), 5us);
  EXPECT_EQ(ParseTimeout("99999999n"), 99999999ns);
  EXPECT_GT(ParseTimeout("99999999H"), 24h * 365 * 50);
  for (const char* bad : {"", "1", "S", "1x", "-1S", "1.5S", "123456789S", "1 S"}) {
    EXPECT_FALSE(ParseTimeout(bad)) << bad;
  }
}

TEST(GrpcMessageText, IsPercentEncoded) {
  EXPECT_EQ(PercentEncode("plain text"), "plain text");
  EXPECT_EQ(PercentEncode("50%\n\xe2\x98\xba\x7f"), "50%25%0A%E2%98%BA%7F");
}

TEST(Base64, RoundTripsWithAndWithoutPadding) {
  EXPECT_EQ(EncodeBase64("a"), "YQ");
  EXPECT_EQ(DecodeBase64("YQ=="), "a");
  EXPECT_EQ(DecodeBase64("YQ"), "a");
  EXPECT_FALSE(DecodeBase64("YQ="));
  EXPECT_FALSE(DecodeBase64("Y"));
  EXPECT_FALSE(DecodeBase64("Y_=="));
  std::string all;
  for (int i = 0; i < 256; ++i) {
    all.push_back(static_cast<char>(i));
    EXPECT_EQ(DecodeBase64(EncodeBase64(all)), all);
  }
}

TEST(ContentType, OfGrpcOnly) {
  EXPECT_TRUE(IsGrpcContentType("application/grpc"));
  EXPECT_TRUE(IsGrpcContentType("application/grpc+proto"));
  EXPECT_TRUE(IsGrpcContentType("application/grpc;charset=utf-8"));
  EXPECT_FALSE(IsGrpcContentType("application/grpc-web"));
  EXPECT_FALSE(IsGrpcContentType("application/json"));
  EXPECT_FALSE(IsGrpcContentType(""));
}

TEST(Sniff, TellsProtocolsApartAsSoonAsItIsSure) {
  EXPECT_EQ(Sniff("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Sniffed::kHttp2);
  EXPECT_EQ(Sniff("PRI * HTTP/2.0\r\n"), Sniffed::kUnknownYet);
  EXPECT_EQ(Sniff("PRI * HTTP/2.0\r\n\r\nSX"), Sniffed::kGarbage);
  EXPECT_EQ(Sniff("PUT /x HTTP/1.1\r\n"), Sniffed::kHttp1);
  EXPECT_EQ(Sniff("GET / HTTP/1.0\n"), Sniffed::kHttp1);
  EXPECT_EQ(Sniff("GET /long"), Sniffed::kUnknownYet);
  EXPECT_EQ(Sniff(""), Sniffed::kUnknownYet);
  EXPECT_EQ(Sniff("GET / HTTP/2.0\r\n"), Sniffed::kGarbage);
  EXPECT_EQ(Sniff("GET /\r\n"), Sniffed::kGarbage);
  EXPECT_EQ(Sniff("\r\n"), Sniffed::kGarbage);
  EXPECT_EQ(Sniff(std::string("\x16\x03\x01", 3)), Sniffed::kGarbage);
}

TEST(MessageReader, JoinsPiecesOfEverySize) {
  std::string bytes;
  for (int i = 0; i < 20; ++i) bytes += GrpcMessage(std::string(static_cast<std::size_t>(i), 'm'));
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    MessageReader reader(100);
    std::vector<std::string> seen;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      const auto status =
          reader.Feed(std::string_view(bytes).substr(at, step), [&](std::string_view message) {
            seen.emplace_back(message);
            return true;
          });
      ASSERT_TRUE(status.ok());
    }
    ASSERT_EQ(seen.size(), 20U) << step;
    for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i].size(), i);
    EXPECT_EQ(reader.held_bytes(), 0U);
  }
}

TEST(MessageReader, RefusesALengthAboveTheLimitBeforeItComes) {
  MessageReader reader(10);
  const auto status = reader.Feed(GrpcMessage(std::string(11, 'x')).substr(0, 5),
                                  [](std::string_view) { return true; });
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(base::MessageOf(status), "grpc: received message larger than max (11 vs. 10)");
}

TEST(Gunzip, BrokenInputIsInternal) {
  EXPECT_EQ(Gunzip("not gzip", 100).status().code(), absl::StatusCode::kInternal);
  const std::string whole = base::Gzip("hello hello hello");
  EXPECT_EQ(*Gunzip(whole, 100), "hello hello hello");
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    EXPECT_FALSE(Gunzip(std::string_view(whole).substr(0, cut), 100).ok()) << cut;
  }
  EXPECT_EQ(Gunzip(whole, 16).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Gunzip(whole, 17).ok());
}

TEST(PingPolicy, ThirdStrikeEndsTheConnection) {
  using namespace std::chrono_literals;
  PingPolicy policy(5s);
  PingPolicy::Time now{std::chrono::hours(100)};
  EXPECT_FALSE(policy.OnPing(now, 1));        // the first has nothing before it
  EXPECT_FALSE(policy.OnPing(now += 1s, 1));  // strike 1
  EXPECT_FALSE(policy.OnPing(now += 1s, 1));  // 2
  EXPECT_TRUE(policy.OnPing(now += 1s, 1));   // 3
}

TEST(PingPolicy, SpacingAnswersAndZeroForgive) {
  using namespace std::chrono_literals;
  PingPolicy::Time now{std::chrono::hours(100)};
  PingPolicy spaced(5s);
  PingPolicy answered(5s);
  PingPolicy off(0s);
  for (int i = 0; i < 100; ++i) {
    now += 5s;
    EXPECT_FALSE(spaced.OnPing(now, 1));
    answered.OnAnswer();
    EXPECT_FALSE(answered.OnPing(now + 1ms * i, 0));
    EXPECT_FALSE(off.OnPing(now, 0));
  }
}

TEST(PingPolicy, WithoutACallPingsMustBeHoursApart) {
  using namespace std::chrono_literals;
  PingPolicy policy(5s);
  PingPolicy::Time now{std::chrono::hours(100)};
  EXPECT_FALSE(policy.OnPing(now, 0));
  EXPECT_FALSE(policy.OnPing(now += 1h, 0));
  EXPECT_FALSE(policy.OnPing(now += 1h, 0));
  EXPECT_TRUE(policy.OnPing(now += 1h, 0));
}

TEST(FrameScanner, FollowsFramesHoweverTheyAreCut) {
  const std::string bytes =
      H2Start() + H2Frame(0, 0, 7, "data") + H2Frame(1, 4, 9, "") + H2Frame(6, 0, 0, "12345678");
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    FrameScanner scanner;
    std::string joined;
    std::vector<std::int32_t> data_streams;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      std::string_view rest = std::string_view(bytes).substr(at, step);
      while (!rest.empty()) {
        joined += scanner.Next(rest);
        if (scanner.head_complete() && scanner.type() == 0 &&
            (data_streams.empty() || data_streams.back() != scanner.stream_id())) {
          data_streams.push_back(scanner.stream_id());
        }
      }
    }
    EXPECT_EQ(joined, bytes);
    EXPECT_EQ(data_streams, std::vector<std::int32_t>{7}) << step;
  }
}

std::string Taken(OutBuffer& buffer, std::size_t write_bytes) {
  std::string out;
  while (!buffer.empty()) {
    iovec entries[4];
    const std::size_t count = buffer.Gather(entries, 4);
    std::size_t left = write_bytes;
    std::size_t total = 0;
    for (std::size_t i = 0; i < count && left > 0; ++i) {
      const std::size_t step = std::min(left, entries[i].iov_len);
      out.append(static_cast<const char*>(entries[i].iov_base), step);
      left -= step;
      total += step;
    }
    buffer.Consume(total);
  }
  return out;
}

TEST(OutBuffer, KeepsOrderOfCopiesAndReferencesUnderPartialWrites) {
  for (const std::size_t write_bytes : {1U, 7U, 4096U, 100000U}) {
    OutBuffer buffer;
    std::string expected;
    for (int i = 0; i < 10; ++i) {
      const std::string small(static_cast<std::size_t>(i * 3 + 1), static_cast<char>('a' + i));
      const base::Slice large = base::Slice::Own(std::string(5000, static_cast<char>('A' + i)));
      buffer.Append(small);
      buffer.Append(large.bytes, large.owner);
      expected += small + std::string(large.bytes);
    }
    EXPECT_EQ(buffer.size(), expected.size());
    EXPECT_EQ(Taken(buffer, write_bytes), expected) << write_bytes;
  }
}

TEST(SendQueue, CutsMessagesIntoPiecesOfAnySize) {
  for (std::size_t step = 1; step < 60; ++step) {
    SendQueue queue;
    std::string expected;
    for (int i = 0; i < 5; ++i) {
      base::Rope rope;
      rope.Append(std::string(static_cast<std::size_t>(i), 'x'));
      rope.Append(std::string(static_cast<std::size_t>(2 * i), 'y'));
      expected += GrpcMessage(rope.Flatten());
      queue.PushMessage(std::move(rope));
    }
    OutBuffer out;
    while (queue.ready_bytes() > 0) queue.Pop(std::min(step, queue.ready_bytes()), out);
    EXPECT_EQ(Taken(out, 1000), expected) << step;
  }
}

TEST(SendQueue, SourceOfTheWrongLengthIsAnError) {
  struct Empty final : base::ByteSource {
    absl::StatusOr<base::Rope> Next(std::size_t) override { return base::Rope(); }
  };
  SendQueue queue;
  base::Body body;
  body.source_bytes = 10;
  body.source = std::make_unique<Empty>();
  queue.PushBody(std::move(body));
  ASSERT_TRUE(queue.Available(100).ok());
  OutBuffer out;
  queue.Pop(5, out);
  EXPECT_FALSE(queue.Available(100).ok());
}

}  // namespace
}  // namespace etcd::transport
