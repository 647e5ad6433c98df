#include "server/transport/field_rules.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

#include <nghttp2/nghttp2.h>

namespace etcd::transport {
namespace {

constexpr unsigned kMethod = 1;
constexpr unsigned kScheme = 2;
constexpr unsigned kPath = 4;
constexpr unsigned kAuthority = 8;

const std::uint8_t* Bytes(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

unsigned BitOf(std::string_view name) {
  if (name == ":method") return kMethod;
  if (name == ":scheme") return kScheme;
  if (name == ":path") return kPath;
  if (name == ":authority") return kAuthority;
  return 0;
}

bool HasUpperCase(std::string_view name) {
  return std::ranges::any_of(name, [](char c) { return c >= 'A' && c <= 'Z'; });
}

// They speak of one connection, which HTTP/2 does not let them (RFC 9113, 8.2.2).
bool IsOfTheConnection(std::string_view name) {
  constexpr std::array<std::string_view, 5> kNames = {
      "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"};
  return std::ranges::find(kNames, name) != kNames.end();
}

bool IsValue(std::string_view value) {
  return nghttp2_check_header_value(Bytes(value), value.size()) != 0;
}

}  // namespace

void FieldRules::Begin(bool is_head) {
  is_head_ = is_head;
  regular_seen_ = false;
  seen_ = 0;
  content_length_.reset();
}

FieldRules::Verdict FieldRules::Check(std::string_view name, std::string_view value) {
  if (!name.empty() && name.front() == ':') return CheckPseudo(name, value);
  regular_seen_ = true;
  if (HasUpperCase(name)) return Verdict::kMalformed;
  if (nghttp2_check_header_name(Bytes(name), name.size()) == 0) return Verdict::kIgnore;
  return CheckRegular(name, value);
}

FieldRules::Verdict FieldRules::CheckPseudo(std::string_view name, std::string_view value) {
  const unsigned bit = BitOf(name);
  const bool misplaced = !is_head_ || regular_seen_ || (seen_ & bit) != 0;
  if (bit == 0 || misplaced || value.empty() || !IsValue(value)) return Verdict::kMalformed;
  seen_ |= bit;
  if (bit == kMethod && nghttp2_check_method(Bytes(value), value.size()) == 0) {
    return Verdict::kMalformed;
  }
  if (bit == kPath && nghttp2_check_path(Bytes(value), value.size()) == 0) {
    return Verdict::kMalformed;
  }
  return Verdict::kTake;
}

FieldRules::Verdict FieldRules::CheckRegular(std::string_view name, std::string_view value) {
  if (IsOfTheConnection(name)) return Verdict::kMalformed;
  if (name == "te" && value != "trailers") return Verdict::kMalformed;
  if (name == "content-length") return TakeLength(value);
  return IsValue(value) ? Verdict::kTake : Verdict::kIgnore;
}

FieldRules::Verdict FieldRules::TakeLength(std::string_view value) {
  std::uint64_t length = 0;
  const char* const end = value.data() + value.size();
  const auto [last, error] = std::from_chars(value.data(), end, length);
  if (content_length_ || error != std::errc() || last != end) return Verdict::kMalformed;
  if (is_head_) content_length_ = length;
  return Verdict::kTake;
}

bool FieldRules::IsComplete(bool end_stream) const {
  if (!is_head_) return end_stream;
  constexpr unsigned kNeeded = kMethod | kScheme | kPath;
  return (seen_ & kNeeded) == kNeeded && !(end_stream && content_length_.value_or(0) > 0);
}

}  // namespace etcd::transport
