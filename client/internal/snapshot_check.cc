#include "client/internal/snapshot_check.h"

#include <algorithm>
#include <cstddef>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "server/base/status.h"

namespace etcd::client::internal {
namespace {

constexpr std::size_t kTrailerBytes = base::kSha256Bytes;
// bbolt's images are whole pages, at least of this size (so tools find out whether there is a
// trailer).
constexpr std::uint64_t kPageBytes = 512;

}  // namespace

void SnapshotCheck::Add(std::string_view bytes) {
  size_bytes_ += bytes.size();
  // Everything but the last 32 bytes of tail_ + bytes is image.
  const std::size_t image =
      tail_.size() + bytes.size() - std::min(tail_.size() + bytes.size(), kTrailerBytes);
  const std::size_t of_tail = std::min(image, tail_.size());
  digest_.Add(std::string_view(tail_).substr(0, of_tail));
  tail_.erase(0, of_tail);
  digest_.Add(bytes.substr(0, image - of_tail));
  tail_.append(bytes.substr(image - of_tail));
}

absl::StatusOr<std::string> SnapshotCheck::Finish() {
  if (size_bytes_ % kPageBytes != kTrailerBytes) {
    return base::DataLoss("the snapshot ended early: " + std::to_string(size_bytes_) +
                          " bytes are no image with a trailer");
  }
  const std::string sum = digest_.Finish();
  if (sum != tail_) {
    return base::DataLoss("the snapshot's trailer is not the SHA-256 of its bytes");
  }
  return absl::BytesToHexString(sum);
}

}  // namespace etcd::client::internal
