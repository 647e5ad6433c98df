#include "server/transport/message_reader.h"

#include <algorithm>
#include <cstdint>

#include "server/base/status.h"
#include "server/transport/gzip.h"

namespace etcd::transport {
namespace {

std::size_t LengthOf(std::string_view prefix) {
  std::size_t length = 0;
  for (std::size_t i = 1; i < 5; ++i) length = (length << 8) | static_cast<std::uint8_t>(prefix[i]);
  return length;
}

}  // namespace

absl::Status MessageReader::Feed(std::string_view bytes,
                                 absl::FunctionRef<bool(std::string_view)> deliver) {
  bool go_on = true;
  while (go_on) {
    std::size_t length = 0;
    if (held_.empty()) {
      if (bytes.size() < kPrefixBytes) break;
      RETURN_IF_ERROR(CheckPrefix(bytes, length));
      if (bytes.size() - kPrefixBytes < length) break;
      RETURN_IF_ERROR(Deliver(bytes[0] == 1, bytes.substr(kPrefixBytes, length), go_on, deliver));
      bytes.remove_prefix(kPrefixBytes + length);
      continue;
    }
    if (held_.size() < kPrefixBytes) {
      const std::size_t missing = std::min(kPrefixBytes - held_.size(), bytes.size());
      held_.append(bytes.substr(0, missing));
      bytes.remove_prefix(missing);
      if (held_.size() < kPrefixBytes) return absl::OkStatus();
    }
    RETURN_IF_ERROR(CheckPrefix(held_, length));
    const std::size_t missing = std::min(kPrefixBytes + length - held_.size(), bytes.size());
    held_.append(bytes.substr(0, missing));
    bytes.remove_prefix(missing);
    if (held_.size() < kPrefixBytes + length) return absl::OkStatus();
    const std::string whole = std::move(held_);
    held_ = std::string();
    RETURN_IF_ERROR(
        Deliver(whole[0] == 1, std::string_view(whole).substr(kPrefixBytes), go_on, deliver));
  }
  if (go_on) held_.append(bytes);
  return absl::OkStatus();
}

absl::Status MessageReader::CheckPrefix(std::string_view prefix, std::size_t& length) const {
  const auto flag = static_cast<std::uint8_t>(prefix[0]);
  if (flag > 1) {
    return base::MakeStatus(
        absl::StatusCode::kInternal,
        "grpc: received unexpected payload format " + std::to_string(int{flag}));
  }
  length = LengthOf(prefix);
  if (length > message_bytes_max_) {
    return base::MakeStatus(absl::StatusCode::kResourceExhausted,
                            "grpc: received message larger than max (" + std::to_string(length) +
                                " vs. " + std::to_string(message_bytes_max_) + ")");
  }
  if (flag == 1 && !gzip_) {
    return base::MakeStatus(absl::StatusCode::kInternal,
                            "grpc: compressed flag set with identity or empty encoding");
  }
  return absl::OkStatus();
}

absl::Status MessageReader::Deliver(bool compressed, std::string_view message, bool& go_on,
                                    absl::FunctionRef<bool(std::string_view)> deliver) const {
  if (!compressed) {
    go_on = deliver(message);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::string plain, Gunzip(message, message_bytes_max_));
  go_on = deliver(plain);
  return absl::OkStatus();
}

}  // namespace etcd::transport
