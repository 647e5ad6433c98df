#include "server/config/go_values.h"

#include <array>
#include <limits>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "server/base/status.h"

namespace etcd::config {
namespace {

absl::Status SyntaxError() {
  return base::MakeStatus(absl::StatusCode::kInvalidArgument, "parse error");
}
absl::Status RangeError() {
  return base::MakeStatus(absl::StatusCode::kOutOfRange, "value out of range");
}

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'z') return c - 'a' + 10;
  if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
  return 99;
}

// Removes the base prefix; an underscore may follow it, as in 0x_ff.
std::uint64_t TakeBase(std::string_view& text) {
  if (text.size() < 2 || text[0] != '0') return 10;
  const char mark = static_cast<char>(text[1] | 0x20);
  const std::uint64_t base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
  text.remove_prefix(base == 0 ? 1 : 2);
  if (text.size() > 1 && text[0] == '_') text.remove_prefix(1);
  return base == 0 ? 8 : base;
}

struct Unit {
  std::string_view name;
  std::int64_t nanos;
};
constexpr std::array<Unit, 8> kUnits = {{{"ns", 1},
                                         {"us", 1'000},
                                         {"µs", 1'000},
                                         {"μs", 1'000},
                                         {"ms", 1'000'000},
                                         {"s", 1'000'000'000},
                                         {"m", 60'000'000'000},
                                         {"h", 3'600'000'000'000}}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

absl::Status DurationError(std::string_view what, std::string_view text) {
  return base::MakeStatus(absl::StatusCode::kInvalidArgument,
                          fmt::format("time: {} \"{}\"", what, text));
}

// One "<number><unit>" of a duration, in nanoseconds.
absl::StatusOr<long double> TakeTerm(std::string_view& rest, std::string_view whole) {
  long double value = 0;
  long double scale = 1;
  bool digits = false;
  for (; !rest.empty() && IsDigit(rest[0]); rest.remove_prefix(1), digits = true) {
    value = value * 10 + (rest[0] - '0');
  }
  if (!rest.empty() && rest[0] == '.') {
    rest.remove_prefix(1);
    for (; !rest.empty() && IsDigit(rest[0]); rest.remove_prefix(1), digits = true) {
      value = value * 10 + (rest[0] - '0');
      scale *= 10;
    }
  }
  if (!digits) return DurationError("invalid duration", whole);
  std::size_t length = 0;
  while (length < rest.size() && rest[length] != '.' && !IsDigit(rest[length])) ++length;
  if (length == 0) return DurationError("missing unit in duration", whole);
  const std::string_view name = rest.substr(0, length);
  for (const Unit& unit : kUnits) {
    if (unit.name != name) continue;
    rest.remove_prefix(length);
    return value * static_cast<long double>(unit.nanos) / scale;
  }
  return DurationError(fmt::format("unknown unit \"{}\" in duration", name), whole);
}

}  // namespace

std::optional<bool> ParseGoBool(std::string_view text) {
  for (const char* yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == yes) return true;
  }
  for (const char* no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

absl::StatusOr<std::uint64_t> ParseGoUint(std::string_view text, int bits) {
  const std::uint64_t base = TakeBase(text);
  if (text.empty()) return SyntaxError();
  const std::uint64_t limit =
      bits == 64 ? std::numeric_limits<std::uint64_t>::max() : (std::uint64_t{1} << bits) - 1;
  std::uint64_t value = 0;
  bool overflow = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '_' && i > 0 && i + 1 < text.size() && text[i - 1] != '_') continue;
    const auto digit = static_cast<std::uint64_t>(DigitOf(text[i]));
    if (digit >= base) return SyntaxError();
    if (value > (limit - digit) / base) overflow = true;
    value = value * base + digit;
  }
  if (overflow) return RangeError();
  return value;
}

absl::StatusOr<std::int64_t> ParseGoInt(std::string_view text, int bits) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  ASSIGN_OR_RETURN(const std::uint64_t magnitude, ParseGoUint(text, 64));
  const std::uint64_t limit = std::uint64_t{1} << (bits - 1);
  if (negative ? magnitude > limit : magnitude >= limit) return RangeError();
  return static_cast<std::int64_t>(negative ? ~magnitude + 1 : magnitude);
}

absl::StatusOr<std::chrono::nanoseconds> ParseGoDuration(std::string_view text) {
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == "0") return std::chrono::nanoseconds(0);
  if (rest.empty()) return DurationError("invalid duration", text);
  long double total = 0;
  while (!rest.empty()) {
    ASSIGN_OR_RETURN(const long double term, TakeTerm(rest, text));
    total += term;
    if (total > 9223372036854775807.0L) return DurationError("invalid duration", text);
  }
  const auto count = static_cast<std::int64_t>(total);
  return std::chrono::nanoseconds(negative ? -count : count);
}

}  // namespace etcd::config
