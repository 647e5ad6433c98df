#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// WebSocket frames (RFC 6455, 5.2):
//   FIN 1 bit, RSV 3, opcode 4 | MASK 1, length 7 | [length u16 or u64] | [mask 4 bytes] | payload
namespace etcd::api::gateway {

enum class WebSocketOpcode : std::uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10,
};

// Status codes of close frames (RFC 6455, 7.4.1).
inline constexpr std::uint16_t kCloseNormal = 1000;
inline constexpr std::uint16_t kCloseProtocolError = 1002;
inline constexpr std::uint16_t kCloseTooBig = 1009;

// A whole frame as a server sends it: not masked.
std::string WebSocketFrame(WebSocketOpcode opcode, std::string_view payload);
std::string WebSocketCloseFrame(std::uint16_t code);

// Reads what a client sends. Not thread-safe.
class WebSocketDecoder {
 public:
  explicit WebSocketDecoder(std::size_t message_bytes_max) : bytes_max_(message_bytes_max) {}

  enum class Outcome : std::uint8_t { kNeedMore, kMessage, kPing, kPong, kClose, kBroken };

  void Add(std::string_view bytes) { input_.append(bytes); }
  // The next whole message (its fragments joined) or control frame. After kBroken, for
  // close_code(), the decoder is of no more use.
  Outcome Next(std::string& payload);
  std::uint16_t close_code() const { return close_code_; }

 private:
  struct Frame {
    bool is_final = false;
    WebSocketOpcode opcode{};
    std::size_t head_bytes = 0;  // mask included
    std::uint64_t payload_bytes = 0;
  };
  // False: more must come, or close_code_ is set.
  bool ReadHead(Frame& frame);
  bool Check(const Frame& frame, std::uint8_t first, std::uint8_t second);
  bool Break(std::uint16_t code);
  std::string TakePayload(const Frame& frame);

  const std::size_t bytes_max_;
  std::string input_;
  std::string message_;  // of the fragments so far
  bool in_message_ = false;
  std::uint16_t close_code_ = 0;  // not 0: broken
};

}  // namespace etcd::api::gateway
