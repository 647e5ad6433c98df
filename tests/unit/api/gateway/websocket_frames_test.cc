#include "server/api/gateway/websocket_frames.h"

#include <string>

#include <gtest/gtest.h>

namespace etcd::api::gateway {
namespace {

using Outcome = WebSocketDecoder::Outcome;

// As a client sends it: masked. `first`: FIN, RSV and opcode.
std::string Frame(int first, const std::string& payload) {
  std::string out(1, static_cast<char>(first));
  if (payload.size() < 126) {
    out += static_cast<char>(0x80 | payload.size());
  } else if (payload.size() < 65536) {
    out += {static_cast<char>(0xfe), static_cast<char>(payload.size() >> 8),
            static_cast<char>(payload.size() & 0xff)};
  } else {
    out += static_cast<char>(0xff);
    for (int shift = 56; shift >= 0; shift -= 8) {
      out += static_cast<char>(payload.size() >> shift & 0xff);
    }
  }
  const std::string mask = "\x11\xfe\x33\x80";
  out += mask;
  for (std::size_t i = 0; i < payload.size(); ++i)
    out += static_cast<char>(payload[i] ^ mask[i % 4]);
  return out;
}

Outcome Decode(const std::string& bytes, std::string& payload) {
  WebSocketDecoder decoder(100'000);
  decoder.Add(bytes);
  return decoder.Next(payload);
}

// RFC 6455, 5.7.
TEST(WebSocketFrames, ExamplesOfTheStandard) {
  EXPECT_EQ(WebSocketFrame(WebSocketOpcode::kText, "Hello"), "\x81\x05Hello");
  EXPECT_EQ(WebSocketFrame(WebSocketOpcode::kBinary, std::string(256, 'x')),
            std::string("\x82\x7e\x01\x00", 4) + std::string(256, 'x'));
  EXPECT_EQ(WebSocketFrame(WebSocketOpcode::kBinary, std::string(65536, 'x')),
            std::string("\x82\x7f\0\0\0\0\0\1\0\0", 10) + std::string(65536, 'x'));
  std::string payload;
  EXPECT_EQ(Decode("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", payload), Outcome::kMessage);
  EXPECT_EQ(payload, "Hello");
}

TEST(WebSocketFrames, EveryLengthComesBack) {
  for (const std::size_t size : {0, 1, 125, 126, 127, 65535, 65536, 100'000}) {
    const std::string sent(size, 'x');
    std::string payload;
    EXPECT_EQ(Decode(Frame(0x81, sent), payload), Outcome::kMessage) << size;
    EXPECT_EQ(payload, sent) << size;
  }
}

TEST(WebSocketFrames, AMessageMayComeInFragmentsWithControlFramesBetween) {
  WebSocketDecoder decoder(100);
  std::string payload;
  decoder.Add(Frame(0x01, "Hel"));
  EXPECT_EQ(decoder.Next(payload), Outcome::kNeedMore);
  decoder.Add(Frame(0x89, "ping") + Frame(0x00, "lo") + Frame(0x8a, "") + Frame(0x80, "!") +
              Frame(0x82, "next") + Frame(0x88, ""));
  EXPECT_EQ(decoder.Next(payload), Outcome::kPing);
  EXPECT_EQ(payload, "ping");
  EXPECT_EQ(decoder.Next(payload), Outcome::kPong);
  EXPECT_EQ(decoder.Next(payload), Outcome::kMessage);
  EXPECT_EQ(payload, "Hello!");
  EXPECT_EQ(decoder.Next(payload), Outcome::kMessage);
  EXPECT_EQ(payload, "next");
  EXPECT_EQ(decoder.Next(payload), Outcome::kClose);
  EXPECT_EQ(decoder.Next(payload), Outcome::kNeedMore);
}

TEST(WebSocketFrames, BytesMayComeOneByOne) {
  WebSocketDecoder decoder(1000);
  const std::string frame = Frame(0x81, std::string(300, 'y'));
  std::string payload;
  for (std::size_t i = 0; i + 1 < frame.size(); ++i) {
    decoder.Add(frame.substr(i, 1));
    ASSERT_EQ(decoder.Next(payload), Outcome::kNeedMore) << i;
  }
  decoder.Add(frame.substr(frame.size() - 1));
  EXPECT_EQ(decoder.Next(payload), Outcome::kMessage);
}

TEST(WebSocketFrames, WhatTheStandardForbidsBreaks) {
  const std::string long_ping(126, 'x');
  for (const std::string& bytes :
       {std::string("\x81\x01x"), Frame(0xc1, "reserved"), Frame(0x83, "opcode"),
        Frame(0x80, "no start"), Frame(0x09, "fragmented ping"), Frame(0x89, long_ping),
        Frame(0x01, "a") + Frame(0x81, "b")}) {
    WebSocketDecoder decoder(1000);
    decoder.Add(bytes);
    std::string payload;
    EXPECT_EQ(decoder.Next(payload), Outcome::kBroken) << bytes;
    EXPECT_EQ(decoder.close_code(), kCloseProtocolError);
    decoder.Add(Frame(0x81, "later"));
    EXPECT_EQ(decoder.Next(payload), Outcome::kBroken) << "for good";
  }
}

TEST(WebSocketFrames, ALongMessageBreaksBeforeItIsHeld) {
  WebSocketDecoder decoder(10);
  std::string payload;
  decoder.Add(Frame(0x01, "12345678"));
  EXPECT_EQ(decoder.Next(payload), Outcome::kNeedMore);
  decoder.Add(Frame(0x80, "901").substr(0, 6));
  EXPECT_EQ(decoder.Next(payload), Outcome::kBroken);
  EXPECT_EQ(decoder.close_code(), kCloseTooBig);
  WebSocketDecoder huge(10);
  huge.Add(std::string("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\2\3\4", 14));
  EXPECT_EQ(huge.Next(payload), Outcome::kBroken);
}

}  // namespace
}  // namespace etcd::api::gateway
