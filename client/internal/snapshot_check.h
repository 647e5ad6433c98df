#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "server/base/sha256.h"

namespace etcd::client::internal {

// Follows the bytes of a snapshot's file: the image, then 32 bytes of its SHA-256. Where the
// messages end does not matter.
class SnapshotCheck {
 public:
  void Add(std::string_view bytes);
  std::uint64_t size_bytes() const { return size_bytes_; }
  // The image's SHA-256 in hex; DataLoss when the last 32 bytes are not it. Once.
  absl::StatusOr<std::string> Finish();

 private:
  base::Sha256 digest_;  // of the image so far
  std::string tail_;     // the last bytes, 32 at most: perhaps the trailer, so not hashed yet
  std::uint64_t size_bytes_ = 0;
};

}  // namespace etcd::client::internal
