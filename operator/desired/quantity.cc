#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "operator/desired/pod.h"

// Quantities and durations, in integers throughout.
namespace etcd::desired {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr int kFractionDigits = 9;  // as many as Kubernetes keeps
constexpr std::int64_t kFractionOne = 1'000'000'000;

// whole + fraction / 10^9; digits behind that are cut off.
struct Decimal {
  std::int64_t whole = 0;
  std::int64_t fraction = 0;
};

std::int64_t TimesOrMost(std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  return __builtin_mul_overflow(a, b, &out) ? kMost : out;
}

std::int64_t PlusOrMost(std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  return __builtin_add_overflow(a, b, &out) ? kMost : out;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes "12.5" off the front of `text`; nullopt when it begins with no number.
std::optional<Decimal> TakeDecimal(std::string_view& text) {
  const std::string_view all = text;
  Decimal out;
  for (; !text.empty() && IsDigit(text[0]); text.remove_prefix(1)) {
    out.whole = PlusOrMost(TimesOrMost(out.whole, 10), text[0] - '0');
  }
  const bool has_point = text.starts_with('.');
  if (has_point) text.remove_prefix(1);
  std::int64_t unit = kFractionOne;
  for (; has_point && !text.empty() && IsDigit(text[0]); text.remove_prefix(1)) {
    unit /= 10;
    out.fraction += unit * (text[0] - '0');
  }
  const bool has_digits = all.size() - text.size() > (has_point ? 1U : 0U);
  return has_digits ? std::optional(out) : std::nullopt;
}

// value * factor, rounded up.
std::int64_t Scaled(const Decimal& value, std::int64_t factor) {
  const std::int64_t rest = value.fraction * (factor % kFractionOne);
  const std::int64_t part = TimesOrMost(value.fraction, factor / kFractionOne);
  const std::int64_t rounded = (rest + kFractionOne - 1) / kFractionOne;
  return PlusOrMost(TimesOrMost(value.whole, factor), PlusOrMost(part, rounded));
}

// value / divisor, rounded up.
std::int64_t Divided(const Decimal& value, std::int64_t divisor) {
  const std::int64_t whole = PlusOrMost(value.whole, value.fraction > 0 ? 1 : 0);
  return whole / divisor + (whole % divisor > 0 ? 1 : 0);
}

std::int64_t Power(std::int64_t base, int exponent) {
  std::int64_t out = 1;
  for (int i = 0; i < exponent; ++i) out = TimesOrMost(out, base);
  return out;
}

// The n of "e3", "E-3"; nullopt when it is none.
std::optional<int> ExponentOf(std::string_view unit) {
  if (unit.size() < 2 || (unit[0] != 'e' && unit[0] != 'E')) return std::nullopt;
  unit.remove_prefix(unit[1] == '+' ? 2 : 1);
  int exponent = 0;
  const auto [end, error] = std::from_chars(unit.data(), unit.data() + unit.size(), exponent);
  if (error != std::errc() || end != unit.data() + unit.size()) return std::nullopt;
  return std::clamp(exponent, -18, 18);
}

std::int64_t MillisecondsOf(std::string_view unit) {
  if (unit == "h") return 3'600'000;
  if (unit == "m") return 60'000;
  if (unit == "s") return 1'000;
  return unit == "ms" ? 1 : 0;
}

}  // namespace

std::int64_t DurationMs(std::string_view text) {
  std::int64_t total = 0;
  while (!text.empty()) {
    const std::optional<Decimal> value = TakeDecimal(text);
    if (!value.has_value()) return 0;
    std::size_t unit = 0;
    while (unit < text.size() && std::isalpha(static_cast<unsigned char>(text[unit])) != 0) ++unit;
    total = PlusOrMost(total, Scaled(*value, MillisecondsOf(text.substr(0, unit))));
    text.remove_prefix(unit);
  }
  return total;
}

std::int64_t QuantityBytes(std::string_view text) {
  const std::optional<Decimal> value = TakeDecimal(text);
  if (!value.has_value()) return 0;
  if (text.empty()) return Scaled(*value, 1);
  if (const std::optional<int> exponent = ExponentOf(text)) {
    return *exponent >= 0 ? Scaled(*value, Power(10, *exponent))
                          : Divided(*value, Power(10, -*exponent));
  }
  constexpr std::string_view kSmall = "mun";
  if (const std::size_t at = kSmall.find(text); text.size() == 1 && at != std::string_view::npos) {
    return Divided(*value, Power(1000, static_cast<int>(at) + 1));
  }
  constexpr std::string_view kLarge = "KMGTPE";
  const std::size_t at = kLarge.find(text == "k" ? 'K' : text[0]);
  const bool is_binary = text.size() == 2 && text[1] == 'i';
  if (at == std::string_view::npos || (text.size() > 1 && !is_binary)) return 0;
  return Scaled(*value, Power(is_binary ? 1024 : 1000, static_cast<int>(at) + 1));
}

}  // namespace etcd::desired
