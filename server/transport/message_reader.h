#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

namespace etcd::transport {

// Cuts the body of a gRPC request into messages and decompresses them.
//   | compressed: 1 byte, 0 or 1 | length: 4 bytes, big endian | message |
class MessageReader {
 public:
  explicit MessageReader(std::size_t message_bytes_max) : message_bytes_max_(message_bytes_max) {}

  // The request named grpc-encoding: gzip.
  void AcceptGzip() { gzip_ = true; }

  // Calls `deliver` for every message that `bytes` completes; it returns false to stop. A message
  // that lies in `bytes` as a whole is not copied. After an error nothing more may be fed.
  absl::Status Feed(std::string_view bytes, absl::FunctionRef<bool(std::string_view)> deliver);

  // Bytes held of an incomplete message. Not 0 at the end of the body: it was cut short.
  std::size_t held_bytes() const { return held_.size(); }

 private:
  static constexpr std::size_t kPrefixBytes = 5;
  absl::Status CheckPrefix(std::string_view prefix, std::size_t& length) const;
  absl::Status Deliver(bool compressed, std::string_view message, bool& go_on,
                       absl::FunctionRef<bool(std::string_view)> deliver) const;

  const std::size_t message_bytes_max_;
  bool gzip_ = false;
  std::string held_;  // prefix and message so far
};

}  // namespace etcd::transport
