#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace etcd::transport {

// Follows the frame boundaries of a client's HTTP/2 bytes, preface first.
//   | length: 3 bytes | type: 1 | flags: 1 | stream: 4, top bit reserved | payload |
class FrameScanner {
 public:
  // Takes the bytes up to the end of the current frame (or all) off the front of `bytes`.
  std::string_view Next(std::string_view& bytes) {
    const std::string_view all = bytes;
    if (payload_left_ == 0) {
      const std::size_t missing = std::min(kHeadBytes - head_bytes_, bytes.size());
      std::copy_n(bytes.begin(), missing, head_.begin() + static_cast<std::ptrdiff_t>(head_bytes_));
      head_bytes_ += missing;
      bytes.remove_prefix(missing);
      if (head_bytes_ < kHeadBytes) return all;
      payload_left_ = Number(0, 3);
      head_bytes_ = 0;
      type_ = static_cast<std::uint8_t>(head_[3]);
      stream_id_ = static_cast<std::int32_t>(Number(5, 4) & 0x7fffffff);
    }
    const std::size_t payload = std::min<std::size_t>(payload_left_, bytes.size());
    payload_left_ -= payload;
    bytes.remove_prefix(payload);
    return all.substr(0, all.size() - bytes.size());
  }

  // Of the frame that Next gave bytes of, when its head is complete.
  bool head_complete() const { return head_bytes_ == 0; }
  std::uint8_t type() const { return type_; }
  std::int32_t stream_id() const { return stream_id_; }

 private:
  static constexpr std::size_t kHeadBytes = 9;
  static constexpr std::size_t kPrefaceBytes = 24;
  static constexpr std::uint8_t kNoType = 0xff;

  std::size_t Number(std::size_t at, std::size_t count) const {
    std::size_t number = 0;
    for (std::size_t i = at; i < at + count; ++i) {
      number = (number << 8) | static_cast<std::uint8_t>(head_[i]);
    }
    return number;
  }

  std::array<char, kHeadBytes> head_{};
  std::size_t head_bytes_ = 0;                // of a head that came in pieces
  std::size_t payload_left_ = kPrefaceBytes;  // the preface counts as the payload of no frame
  std::uint8_t type_ = kNoType;
  std::int32_t stream_id_ = 0;
};

}  // namespace etcd::transport
