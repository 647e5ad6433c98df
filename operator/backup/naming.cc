#include "operator/backup/naming.h"

#include <array>
#include <charconv>
#include <utility>
#include <vector>

#include <absl/time/time.h>
#include <fmt/format.h>

namespace etcd::backup {
namespace {

constexpr char kTimeFormat[] = "%E4Y%m%dT%H%M%SZ";
constexpr std::size_t kTimeChars = 16;
constexpr std::size_t kUidChars = 8;
constexpr std::size_t kJobNameMax = 52;  // its pods get 6 characters more, of 63 at most

template <class Number>
bool ParseNumber(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool TakeSuffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

}  // namespace

std::string FolderOf(std::string_view ns, std::string_view cluster) {
  return fmt::format("{}/{}/", ns, cluster);
}

std::string UidPart(std::string_view uid) { return std::string(uid.substr(0, kUidChars)); }

std::string FileNameOf(const ArtifactName& name) {
  return fmt::format("{}-{}-{}.snap{}",
                     absl::FormatTime(kTimeFormat, absl::FromChrono(name.at), absl::UTCTimeZone()),
                     name.revision, name.uid_part, name.is_zstd ? ".zst" : "");
}

std::optional<ArtifactName> ParseFileName(std::string_view file) {
  ArtifactName name;
  name.is_zstd = TakeSuffix(file, ".zst");
  if (!TakeSuffix(file, ".snap") || file.size() < kTimeChars + 2) return {};
  absl::Time at;
  if (!absl::ParseTime(kTimeFormat, std::string(file.substr(0, kTimeChars)), &at, nullptr)) {
    return {};
  }
  name.at = absl::ToChronoTime(at);
  file.remove_prefix(kTimeChars);
  const std::size_t dash = file.rfind('-');
  if (file.front() != '-' || dash == 0 || !ParseNumber(file.substr(1, dash - 1), name.revision) ||
      name.revision < 0) {
    return {};
  }
  name.uid_part = file.substr(dash + 1);
  if (name.uid_part.empty() || name.uid_part.size() > kUidChars) return {};
  return name;
}

std::string BackupNameOf(std::string_view schedule, WallTime at) {
  const auto minute = std::chrono::floor<std::chrono::minutes>(at).time_since_epoch().count();
  return fmt::format("{}-{}", schedule, minute);
}

std::string JobNameOf(std::string_view backup, std::string_view uid, int attempt) {
  const std::string suffix = fmt::format("-{}-{}", uid.substr(0, 5), attempt);
  std::string_view base = backup.substr(0, kJobNameMax - suffix.size());
  while (base.ends_with('.') || base.ends_with('-')) base.remove_suffix(1);
  return std::string(base) + suffix;
}

std::optional<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, double>, 6> kUnits = {
      {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};
  if (text == "0") return std::chrono::nanoseconds(0);
  double total = 0;
  if (text.empty()) return {};
  while (!text.empty()) {
    const std::size_t end = text.find_first_not_of("0123456789.");
    double number = 0;
    if (end == 0 || end == text.npos || !ParseNumber(text.substr(0, end), number)) return {};
    text.remove_prefix(end);
    const std::string_view unit = text.substr(0, text.find_first_of("0123456789."));
    const auto* found = kUnits.begin();
    while (found != kUnits.end() && found->first != unit) ++found;
    if (found == kUnits.end()) return {};
    total += number * found->second;
    text.remove_prefix(unit.size());
  }
  if (total > 9e18) return {};
  return std::chrono::nanoseconds(static_cast<std::int64_t>(total));
}

}  // namespace etcd::backup
