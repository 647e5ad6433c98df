#include "server/api/gateway/json_integer.h"

#include <limits>
#include <string>

namespace etcd::api::gateway {
namespace {

constexpr int kExponentMax = 10'000;

struct Decimal {
  bool negative = false;
  std::string digits;  // without leading zeros; empty: zero
  int exponent = 0;    // of ten, to multiply the digits by
};

std::string_view TakeDigits(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && text[n] >= '0' && text[n] <= '9') ++n;
  const std::string_view digits = text.substr(0, n);
  text.remove_prefix(n);
  return digits;
}

bool Take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

bool ParseExponent(std::string_view& text, int& exponent) {
  if (!Take(text, 'e') && !Take(text, 'E')) return true;
  const bool plus = Take(text, '+');
  const bool minus = !plus && Take(text, '-');
  const std::string_view digits = TakeDigits(text);
  if (digits.empty()) return false;
  int value = 0;
  for (const char c : digits) {
    if (value < kExponentMax) value = value * 10 + (c - '0');
  }
  exponent += minus ? -value : value;
  return true;
}

bool ParseDecimal(std::string_view text, Decimal& out) {
  out.negative = Take(text, '-');
  const std::string_view whole = TakeDigits(text);
  if (whole.empty() || (whole.size() > 1 && whole[0] == '0')) return false;
  out.digits = whole;
  if (Take(text, '.')) {
    const std::string_view fraction = TakeDigits(text);
    if (fraction.empty()) return false;
    out.digits += fraction;
    out.exponent = -static_cast<int>(fraction.size());
  }
  if (!ParseExponent(text, out.exponent) || !text.empty()) return false;
  out.digits.erase(0, out.digits.find_first_not_of('0'));
  return true;
}

// Its magnitude as an integer.
std::optional<std::uint64_t> Magnitude(Decimal decimal) {
  while (!decimal.digits.empty() && decimal.exponent < 0) {
    if (decimal.digits.back() != '0') return std::nullopt;
    decimal.digits.pop_back();
    ++decimal.exponent;
  }
  if (decimal.digits.empty()) return 0;
  if (decimal.digits.size() + static_cast<std::size_t>(decimal.exponent) > 20) return std::nullopt;
  decimal.digits.append(static_cast<std::size_t>(decimal.exponent), '0');
  std::uint64_t value = 0;
  for (const char c : decimal.digits) {
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

}  // namespace

std::optional<std::uint64_t> ParseUint64(std::string_view number) {
  Decimal decimal;
  if (!ParseDecimal(number, decimal)) return std::nullopt;
  const auto magnitude = Magnitude(decimal);
  if (decimal.negative && magnitude.value_or(1) != 0) return std::nullopt;
  return magnitude;
}

std::optional<std::int64_t> ParseInt64(std::string_view number) {
  Decimal decimal;
  if (!ParseDecimal(number, decimal)) return std::nullopt;
  const auto magnitude = Magnitude(decimal);
  if (!magnitude.has_value()) return std::nullopt;
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (*magnitude > kMax + (decimal.negative ? 1 : 0)) return std::nullopt;
  return static_cast<std::int64_t>(decimal.negative ? 0 - *magnitude : *magnitude);
}

}  // namespace etcd::api::gateway
