#include "operator/kube/times.h"

#include <cstdint>
#include <optional>

#include <fmt/format.h>

#include "operator/kube/api_error.h"

namespace etcd::kube {
namespace {

using std::chrono::sys_days;

std::string FormatSeconds(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(day);
  const std::int64_t rest = (seconds - day).count();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     rest / 3600, rest / 60 % 60, rest % 60);
}

// Reads fixed fields from the front of a text.
class Fields {
 public:
  explicit Fields(std::string_view text) : text_(text) {}

  std::optional<int> Number(std::size_t digits) {
    if (text_.size() < digits) return std::nullopt;
    int value = 0;
    for (const char c : text_.substr(0, digits)) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    text_.remove_prefix(digits);
    return value;
  }
  bool Skip(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  // Nanoseconds; digits beyond the ninth are dropped.
  std::optional<std::int64_t> Fraction() {
    std::int64_t value = 0;
    std::int64_t unit = 100'000'000;
    std::size_t digits = 0;
    for (; digits < text_.size() && text_[digits] >= '0' && text_[digits] <= '9'; ++digits) {
      value += (text_[digits] - '0') * unit;
      unit /= 10;
    }
    if (digits == 0) return std::nullopt;
    text_.remove_prefix(digits);
    return value;
  }
  bool empty() const { return text_.empty(); }

 private:
  std::string_view text_;
};

// Minutes east of Greenwich.
std::optional<int> Offset(Fields& fields) {
  if (fields.Skip('Z')) return 0;
  const bool is_east = fields.Skip('+');
  if (!is_east && !fields.Skip('-')) return std::nullopt;
  const std::optional<int> hours = fields.Number(2);
  if (!hours.has_value() || !fields.Skip(':')) return std::nullopt;
  const std::optional<int> minutes = fields.Number(2);
  if (!minutes.has_value() || *hours > 23 || *minutes > 59) return std::nullopt;
  const int all = *hours * 60 + *minutes;
  return is_east ? all : -all;
}

std::optional<WallTime> Parse(std::string_view text) {
  Fields fields(text);
  int parts[6];  // year, month, day, hour, minute, second
  constexpr char kBehind[] = {'-', '-', 'T', ':', ':', '\0'};
  for (std::size_t i = 0; i < 6; ++i) {
    const std::optional<int> number = fields.Number(i == 0 ? 4 : 2);
    if (!number.has_value()) return std::nullopt;
    parts[i] = *number;
    if (kBehind[i] != '\0' && !fields.Skip(kBehind[i])) return std::nullopt;
  }
  std::int64_t fraction_ns = 0;
  if (fields.Skip('.')) {
    const std::optional<std::int64_t> fraction = fields.Fraction();
    if (!fraction.has_value()) return std::nullopt;
    fraction_ns = *fraction;
  }
  const std::optional<int> offset_minutes = Offset(fields);
  const std::chrono::year_month_day date{std::chrono::year(parts[0]),
                                         std::chrono::month(static_cast<unsigned>(parts[1])),
                                         std::chrono::day(static_cast<unsigned>(parts[2]))};
  // Years that nanoseconds in 64 bits hold.
  const bool is_sane = date.ok() && parts[0] >= 1700 && parts[0] <= 2200 && parts[3] <= 23 &&
                       parts[4] <= 59 && parts[5] <= 60;
  if (!offset_minutes.has_value() || !fields.empty() || !is_sane) return std::nullopt;
  return sys_days(date) + std::chrono::hours(parts[3]) + std::chrono::minutes(parts[4]) +
         std::chrono::seconds(parts[5]) + std::chrono::nanoseconds(fraction_ns) -
         std::chrono::minutes(*offset_minutes);
}

}  // namespace

std::string FormatTime(WallTime time) { return FormatSeconds(time) + "Z"; }

std::string FormatMicroTime(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto micros = std::chrono::floor<std::chrono::microseconds>(time - seconds);
  return fmt::format("{}.{:06}Z", FormatSeconds(time), micros.count());
}

absl::StatusOr<WallTime> ParseTime(std::string_view text) {
  const std::optional<WallTime> time = Parse(text);
  if (!time.has_value()) {
    return ApiError(ApiErrc::kBadAnswer, fmt::format("not a time: {}", text.substr(0, 64)));
  }
  return *time;
}

}  // namespace etcd::kube
