#include "server/transport/grpc_codec.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "server/base/base64.h"

namespace etcd::transport {
namespace {

// Nanoseconds of one unit, 0 for none.
std::int64_t UnitNanoseconds(char unit) {
  switch (unit) {
    case 'H':
      return 3'600'000'000'000;
    case 'M':
      return 60'000'000'000;
    case 'S':
      return 1'000'000'000;
    case 'm':
      return 1'000'000;
    case 'u':
      return 1'000;
    case 'n':
      return 1;
    default:
      return 0;
  }
}

}  // namespace

std::optional<std::chrono::nanoseconds> ParseTimeout(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  const std::int64_t unit = UnitNanoseconds(text.back());
  if (unit == 0) return std::nullopt;
  std::int64_t amount = 0;
  for (const char digit : text.substr(0, text.size() - 1)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    amount = amount * 10 + (digit - '0');
  }
  constexpr std::int64_t kMax = std::int64_t{100} * 365 * 24 * 3600 * 1'000'000'000;
  if (amount > kMax / unit) return std::chrono::nanoseconds(kMax);
  return std::chrono::nanoseconds(amount * unit);
}

std::string PercentEncode(std::string_view message) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  out.reserve(message.size());
  for (const char c : message) {
    if (c >= 0x20 && c <= 0x7e && c != '%') {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<std::uint8_t>(c);
    out.push_back('%');
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 15]);
  }
  return out;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  if (text.size() % 4 == 0) {
    for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  }
  if (text.find_first_of("-_") != std::string_view::npos) return std::nullopt;
  return base::DecodeBase64Letters(text);
}

std::string EncodeBase64(std::string_view bytes) { return base::EncodeBase64(bytes, false); }

bool IsPrintableAscii(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
}

bool IsBinaryKey(std::string_view key) { return key.ends_with("-bin"); }

bool IsGrpcContentType(std::string_view value) {
  constexpr std::string_view kBase = "application/grpc";
  if (!value.starts_with(kBase)) return false;
  return value.size() == kBase.size() || value[kBase.size()] == '+' || value[kBase.size()] == ';';
}

}  // namespace etcd::transport
