#include "server/api/gateway/websocket_frames.h"

#include <utility>

namespace etcd::api::gateway {
namespace {

constexpr std::size_t kControlBytesMax = 125;
constexpr std::uint8_t kFinal = 0x80;
constexpr std::uint8_t kReserved = 0x70;
constexpr std::uint8_t kMasked = 0x80;

bool IsControl(WebSocketOpcode opcode) {
  return static_cast<std::uint8_t>(opcode) >= static_cast<std::uint8_t>(WebSocketOpcode::kClose);
}

void AppendBigEndian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift & 0xff));
  }
}

}  // namespace

std::string WebSocketFrame(WebSocketOpcode opcode, std::string_view payload) {
  std::string out;
  out.reserve(payload.size() + 10);
  out.push_back(static_cast<char>(kFinal | static_cast<std::uint8_t>(opcode)));
  if (payload.size() < 126) {
    out.push_back(static_cast<char>(payload.size()));
  } else if (payload.size() < 65536) {
    out.push_back(126);
    AppendBigEndian(out, payload.size(), 2);
  } else {
    out.push_back(127);
    AppendBigEndian(out, payload.size(), 8);
  }
  out += payload;
  return out;
}

std::string WebSocketCloseFrame(std::uint16_t code) {
  std::string payload;
  AppendBigEndian(payload, code, 2);
  return WebSocketFrame(WebSocketOpcode::kClose, payload);
}

WebSocketDecoder::Outcome WebSocketDecoder::Next(std::string& payload) {
  while (true) {
    Frame frame;
    if (!ReadHead(frame)) return close_code_ != 0 ? Outcome::kBroken : Outcome::kNeedMore;
    if (input_.size() - frame.head_bytes < frame.payload_bytes) return Outcome::kNeedMore;
    std::string bytes = TakePayload(frame);
    if (IsControl(frame.opcode)) {
      payload = std::move(bytes);
      if (frame.opcode == WebSocketOpcode::kClose) return Outcome::kClose;
      return frame.opcode == WebSocketOpcode::kPing ? Outcome::kPing : Outcome::kPong;
    }
    message_ += bytes;
    in_message_ = !frame.is_final;
    if (!frame.is_final) continue;
    payload = std::exchange(message_, {});
    return Outcome::kMessage;
  }
}

bool WebSocketDecoder::ReadHead(Frame& frame) {
  if (close_code_ != 0 || input_.size() < 2) return false;
  const auto byte = [this](std::size_t i) { return static_cast<std::uint8_t>(input_[i]); };
  frame.is_final = (byte(0) & kFinal) != 0;
  frame.opcode = static_cast<WebSocketOpcode>(byte(0) & 0x0f);
  frame.payload_bytes = byte(1) & 0x7f;
  std::size_t length_bytes = 0;
  if (frame.payload_bytes == 126) length_bytes = 2;
  if (frame.payload_bytes == 127) length_bytes = 8;
  if (!Check(frame, byte(0), byte(1))) return false;
  frame.head_bytes = 2 + length_bytes + 4;
  if (input_.size() < frame.head_bytes) return false;
  if (length_bytes > 0) {
    frame.payload_bytes = 0;
    for (std::size_t i = 0; i < length_bytes; ++i) {
      frame.payload_bytes = frame.payload_bytes << 8 | byte(2 + i);
    }
  }
  if (!IsControl(frame.opcode) && frame.payload_bytes > bytes_max_ - message_.size()) {
    return Break(kCloseTooBig);
  }
  return true;
}

bool WebSocketDecoder::Check(const Frame& frame, std::uint8_t first, std::uint8_t second) {
  bool valid = (first & kReserved) == 0 && (second & kMasked) != 0;
  switch (frame.opcode) {
    case WebSocketOpcode::kContinuation:
      valid = valid && in_message_;
      break;
    case WebSocketOpcode::kText:
    case WebSocketOpcode::kBinary:
      valid = valid && !in_message_;
      break;
    case WebSocketOpcode::kClose:
    case WebSocketOpcode::kPing:
    case WebSocketOpcode::kPong:
      valid = valid && frame.is_final && frame.payload_bytes <= kControlBytesMax;
      break;
    default:
      valid = false;
  }
  return valid || Break(kCloseProtocolError);
}

bool WebSocketDecoder::Break(std::uint16_t code) {
  close_code_ = code;
  return false;
}

std::string WebSocketDecoder::TakePayload(const Frame& frame) {
  const std::size_t size = static_cast<std::size_t>(frame.payload_bytes);
  std::string bytes = input_.substr(frame.head_bytes, size);
  const std::size_t mask = frame.head_bytes - 4;
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<char>(bytes[i] ^ input_[mask + i % 4]);
  }
  input_.erase(0, frame.head_bytes + size);
  return bytes;
}

}  // namespace etcd::api::gateway
