#include "etcdutl/snapshot_file.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "server/base/sha256.h"
#include "server/base/status.h"

namespace etcd::etcdutl {
namespace {

constexpr std::size_t kReadBytes = 1 << 20;

// bbolt files are whole pages, so what is beyond a multiple of this was added.
constexpr std::uint64_t kSectorBytes = 512;

// As Go prints a byte array: [1 20 255].
std::string GoBytes(std::string_view bytes) {
  std::vector<unsigned> numbers;
  for (const char byte : bytes) numbers.push_back(static_cast<unsigned char>(byte));
  return fmt::format("[{}]", fmt::join(numbers, " "));
}

}  // namespace

absl::Status VerifyDigest(base::FileSystem& file_system, const std::string& path) {
  ASSIGN_OR_RETURN(const auto file, file_system.Open(path, base::OpenMode::kRead));
  ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  if (size < base::kSha256Bytes) return base::DataLoss("seek " + path + ": invalid argument");
  if (size % kSectorBytes != base::kSha256Bytes) {
    return base::DataLoss("snapshot missing hash but --skip-hash-check=false");
  }
  const std::uint64_t end = size - base::kSha256Bytes;
  base::Sha256 digest;
  for (std::uint64_t at = 0; at < end;) {
    const std::size_t wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(kReadBytes, end - at));
    ASSIGN_OR_RETURN(const std::string bytes, file->ReadAt(at, wanted));
    if (bytes.empty()) return base::DataLoss(path + " became shorter while it was read");
    digest.Add(bytes);
    at += bytes.size();
  }
  ASSIGN_OR_RETURN(const std::string stored, file->ReadAt(end, base::kSha256Bytes));
  const std::string computed = digest.Finish();
  if (stored == computed) return absl::OkStatus();
  return base::DataLoss(
      fmt::format("expected sha256 {}, got {}", GoBytes(stored), GoBytes(computed)));
}

}  // namespace etcd::etcdutl
