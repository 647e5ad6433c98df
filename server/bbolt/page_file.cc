#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "server/base/status.h"
#include "server/bbolt/reader.h"

namespace etcd::bbolt {
namespace {

// Sequential files are read in pieces of this size.
constexpr std::uint64_t kReadAheadBytes = 128 << 10;

bool IsPageSize(std::uint32_t bytes) {
  return bytes >= kPageBytesMin && bytes <= kPageBytesMax && std::has_single_bit(bytes);
}

}  // namespace

absl::StatusOr<std::unique_ptr<PageFile>> PageFile::Open(base::FileSystem& file_system,
                                                         const std::string& path) {
  ASSIGN_OR_RETURN(auto file, file_system.Open(path, base::OpenMode::kRead));
  std::unique_ptr<PageFile> pages(new PageFile(path, std::move(file)));
  RETURN_IF_ERROR(pages->FindMeta());
  return pages;
}

absl::Status PageFile::Damage(std::uint64_t page, std::string_view reason) const {
  return base::DataLoss(fmt::format("{}: page {}: {}", path_, page, reason));
}

// The second meta lies one page behind the first, whatever the size of a page: when the first is
// damaged, every size is tried.
absl::Status PageFile::FindMeta() {
  std::optional<Meta> best;
  Meta meta;
  ASSIGN_OR_RETURN(const bool first_is_valid, TryMeta(0, meta));
  if (first_is_valid) best = meta;
  for (std::uint32_t size = kPageBytesMin; size <= kPageBytesMax; size <<= 1) {
    if (first_is_valid && size != best->page_bytes) continue;
    ASSIGN_OR_RETURN(const bool is_valid, TryMeta(size, meta));
    if (!is_valid || meta.page_bytes != size) continue;
    if (!best || meta.txid > best->txid) best = meta;
    break;
  }
  if (!best) return Damage(0, "no valid meta: not a bbolt file, or damaged");
  meta_ = *best;
  ASSIGN_OR_RETURN(const std::uint64_t bytes, file_->Size());
  if (meta_.high_water > bytes / meta_.page_bytes) {
    return Damage(meta_.high_water - 1,
                  fmt::format("the file is cut short: {} bytes for {} pages of {}", bytes,
                              meta_.high_water, meta_.page_bytes));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> PageFile::TryMeta(std::uint64_t offset, Meta& meta) const {
  ASSIGN_OR_RETURN(const std::string bytes, file_->ReadAt(offset + kPageHeaderBytes, kMetaBytes));
  if (bytes.size() < kMetaBytes) return false;
  const char* in = bytes.data();
  if (Load<std::uint32_t>(in) != kMagic || Load<std::uint32_t>(in + 4) != kVersion) return false;
  const std::string_view summed = std::string_view(bytes).substr(0, 56);
  if (Load<std::uint64_t>(in + 56) != MetaChecksum(summed)) return false;
  meta.page_bytes = Load<std::uint32_t>(in + 8);
  meta.root = Load<std::uint64_t>(in + 16);
  meta.high_water = Load<std::uint64_t>(in + 40);
  meta.txid = Load<std::uint64_t>(in + 48);
  return IsPageSize(meta.page_bytes);
}

absl::StatusOr<std::string> PageFile::ReadBytes(std::uint64_t offset, std::uint64_t size) const {
  const auto covered = [&] {
    return offset >= ahead_offset_ && offset + size <= ahead_offset_ + ahead_.size();
  };
  if (!covered()) {
    if (size > kReadAheadBytes) return file_->ReadAt(offset, size);
    // The leaves of a file that lived for long are scattered: only a second page in a row says that
    // more will follow.
    const bool in_a_row = offset == ahead_offset_ + ahead_.size();
    ASSIGN_OR_RETURN(ahead_, file_->ReadAt(offset, in_a_row ? kReadAheadBytes : size));
    ahead_offset_ = offset;
    if (!covered()) return ahead_;  // the file ends
  }
  return ahead_.substr(offset - ahead_offset_, size);
}

absl::StatusOr<std::string> PageFile::Read(std::uint64_t id) const {
  if (id < 2 || id >= meta_.high_water) return Damage(id, "out of bounds");
  const std::uint64_t offset = id * meta_.page_bytes;
  ASSIGN_OR_RETURN(std::string bytes, ReadBytes(offset, meta_.page_bytes));
  if (bytes.size() < meta_.page_bytes) return Damage(id, "the file is cut short");
  if (Load<std::uint64_t>(bytes.data()) != id) {
    return Damage(id, fmt::format("is marked as page {}", Load<std::uint64_t>(bytes.data())));
  }
  const std::uint64_t overflow = Load<std::uint32_t>(bytes.data() + 12);
  if (overflow == 0) return bytes;
  if (overflow >= meta_.high_water - id) return Damage(id, "its overflow is out of bounds");
  const std::uint64_t all = (1 + overflow) * meta_.page_bytes;
  ASSIGN_OR_RETURN(bytes, ReadBytes(offset, all));
  if (bytes.size() < all) return Damage(id, "the file is cut short");
  return bytes;
}

}  // namespace etcd::bbolt
