#include "server/api/gateway/base64.h"

#include <array>
#include <cstdint>

namespace etcd::api::gateway {
namespace {

constexpr std::string_view kStandard =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Value of a character, -1 for one that is in neither alphabet.
constexpr std::array<std::int8_t, 256> MakeValues() {
  std::array<std::int8_t, 256> values{};
  for (auto& value : values) value = -1;
  for (std::size_t i = 0; i < kStandard.size(); ++i) {
    values[static_cast<std::uint8_t>(kStandard[i])] = static_cast<std::int8_t>(i);
  }
  values['-'] = 62;
  values['_'] = 63;
  return values;
}
constexpr std::array<std::int8_t, 256> kValues = MakeValues();

char Letter(std::uint32_t bits) { return kStandard[bits & 63]; }

}  // namespace

std::string EncodeBase64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      bits = bits << 8 | (i + j < bytes.size() ? static_cast<std::uint8_t>(bytes[i + j]) : 0U);
    }
    out.push_back(Letter(bits >> 18));
    out.push_back(Letter(bits >> 12));
    out.push_back(i + 1 < bytes.size() ? Letter(bits >> 6) : '=');
    out.push_back(i + 2 < bytes.size() ? Letter(bits) : '=');
  }
  return out;
}

bool DecodeBase64(std::string_view text, std::string& out) {
  std::string letters;
  letters.reserve(text.size());
  bool has_standard = false;
  bool has_url = false;
  std::size_t padding = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    if (padding != 0 || kValues[static_cast<std::uint8_t>(c)] < 0) return false;
    has_standard = has_standard || c == '+' || c == '/';
    has_url = has_url || c == '-' || c == '_';
    letters.push_back(c);
  }
  const std::size_t rest = letters.size() % 4;
  if (rest == 1 || (has_standard && has_url)) return false;
  if (padding != 0 && (rest == 0 || rest + padding != 4)) return false;
  out.clear();
  out.reserve(letters.size() * 3 / 4);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : letters) {
    bits = bits << 6 | static_cast<std::uint32_t>(kValues[static_cast<std::uint8_t>(c)]);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out.push_back(static_cast<char>(bits >> held & 0xff));
  }
  return true;
}

}  // namespace etcd::api::gateway
