#include "server/wal/segments.h"

#include <algorithm>
#include <charconv>
#include <cstddef>

#include <fmt/format.h>

#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::wal {
namespace {

constexpr std::string_view kSuffix = ".wal";
constexpr std::size_t kHexDigits = 16;

std::optional<std::uint64_t> ParseHex(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string SegmentName::Text() const {
  return fmt::format("{:016x}-{:016x}.wal", sequence, first_index.value());
}

std::optional<SegmentName> SegmentName::Parse(std::string_view text) {
  if (text.size() != 2 * kHexDigits + 1 + kSuffix.size() || !text.ends_with(kSuffix) ||
      text[kHexDigits] != '-') {
    return std::nullopt;
  }
  const auto sequence = ParseHex(text.substr(0, kHexDigits));
  const auto first_index = ParseHex(text.substr(kHexDigits + 1, kHexDigits));
  if (!sequence || !first_index) return std::nullopt;
  return SegmentName{*sequence, Index(*first_index)};
}

absl::StatusOr<std::vector<SegmentName>> ListSegments(base::FileSystem& file_system,
                                                      const std::string& dir) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, file_system.List(dir));
  std::vector<SegmentName> names;
  for (const std::string& file : files) {
    if (const auto name = SegmentName::Parse(file)) {
      names.push_back(*name);
    } else if (!file.ends_with(".tmp")) {
      LOG_WARN("ignored file in WAL directory", {"path", file});
    }
  }
  if (names.empty()) {
    return base::MakeStatus(absl::StatusCode::kNotFound, "wal: no segment in " + dir);
  }
  std::sort(names.begin(), names.end(), [](const SegmentName& a, const SegmentName& b) {
    return a.sequence != b.sequence ? a.sequence < b.sequence : a.first_index < b.first_index;
  });
  return names;
}

absl::StatusOr<std::vector<SegmentName>> SegmentsFrom(base::FileSystem& file_system,
                                                      const std::string& dir, Index index) {
  ASSIGN_OR_RETURN(std::vector<SegmentName> names, ListSegments(file_system, dir));
  std::size_t start = names.size();
  while (start > 0 && names[start - 1].first_index > index) --start;
  if (start == 0) {
    return base::MakeStatus(
        absl::StatusCode::kNotFound,
        fmt::format("wal: no segment in {} begins at or below index {}", dir, index.value()));
  }
  names.erase(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(start - 1));
  for (std::size_t i = 1; i < names.size(); ++i) {
    if (names[i].sequence == names[i - 1].sequence + 1) continue;
    return base::DataLoss(fmt::format("wal: segment missing in {} between {} and {}", dir,
                                      names[i - 1].Text(), names[i].Text()));
  }
  return names;
}

std::string ParentOf(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace etcd::wal
