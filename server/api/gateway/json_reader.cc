#include "server/api/gateway/json_reader.h"

#include "server/base/utf8.h"

namespace etcd::api::gateway {
namespace {

constexpr int kDepthMax = 200;
constexpr std::uint32_t kSurrogateHigh = 0xd800;
constexpr std::uint32_t kSurrogateLow = 0xdc00;
constexpr std::uint32_t kSurrogateEnd = 0xe000;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void AppendUtf8(std::string& out, std::uint32_t code) {
  const auto push = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    push(code);
  } else if (code < 0x800) {
    push(0xc0 | (code >> 6));
    push(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    push(0xe0 | (code >> 12));
    push(0x80 | ((code >> 6) & 0x3f));
    push(0x80 | (code & 0x3f));
  } else {
    push(0xf0 | (code >> 18));
    push(0x80 | ((code >> 12) & 0x3f));
    push(0x80 | ((code >> 6) & 0x3f));
    push(0x80 | (code & 0x3f));
  }
}

}  // namespace

JsonReader::Outcome JsonReader::Next(JsonValue& value) {
  SkipSpace();
  if (rest_.empty()) return Outcome::kEnd;
  value = JsonValue();
  return ReadValue(value, 0) ? Outcome::kValue : Outcome::kMalformed;
}

void JsonReader::SkipSpace() {
  while (!rest_.empty() &&
         (rest_[0] == ' ' || rest_[0] == '\t' || rest_[0] == '\n' || rest_[0] == '\r')) {
    rest_.remove_prefix(1);
  }
}

bool JsonReader::Take(char c) {
  if (rest_.empty() || rest_[0] != c) return false;
  rest_.remove_prefix(1);
  return true;
}

bool JsonReader::ReadWord(std::string_view word) {
  if (!rest_.starts_with(word)) return false;
  rest_.remove_prefix(word.size());
  return true;
}

bool JsonReader::ReadValue(JsonValue& value, int depth) {
  using Kind = JsonValue::Kind;
  if (rest_.empty() || depth > kDepthMax) return false;
  switch (rest_[0]) {
    case '{':
      value.kind = Kind::kObject;
      return ReadObject(value, depth);
    case '[':
      value.kind = Kind::kArray;
      return ReadArray(value, depth);
    case '"':
      value.kind = Kind::kString;
      return ReadString(value.text);
    case 'n':
      value.kind = Kind::kNull;
      return ReadWord("null");
    case 't':
    case 'f':
      value.kind = Kind::kBool;
      value.boolean = rest_[0] == 't';
      return ReadWord(value.boolean ? "true" : "false");
    default:
      value.kind = Kind::kNumber;
      return ReadNumber(value.text);
  }
}

bool JsonReader::ReadObject(JsonValue& value, int depth) {
  Take('{');
  SkipSpace();
  if (Take('}')) return true;
  while (true) {
    SkipSpace();
    auto& [name, member] = value.members.emplace_back();
    if (!ReadString(name)) return false;
    SkipSpace();
    if (!Take(':')) return false;
    SkipSpace();
    if (!ReadValue(member, depth + 1)) return false;
    SkipSpace();
    if (Take('}')) return true;
    if (!Take(',')) return false;
  }
}

bool JsonReader::ReadArray(JsonValue& value, int depth) {
  Take('[');
  SkipSpace();
  if (Take(']')) return true;
  while (true) {
    SkipSpace();
    if (!ReadValue(value.items.emplace_back(), depth + 1)) return false;
    SkipSpace();
    if (Take(']')) return true;
    if (!Take(',')) return false;
  }
}

bool JsonReader::ReadString(std::string& out) {
  if (!Take('"')) return false;
  while (!rest_.empty()) {
    const char c = rest_[0];
    if (static_cast<unsigned char>(c) < 0x20) return false;
    rest_.remove_prefix(1);
    if (c == '"') return base::IsValidUtf8(out);
    if (c == '\\') {
      if (!ReadEscape(out)) return false;
    } else {
      out.push_back(c);
    }
  }
  return false;
}

bool JsonReader::ReadEscape(std::string& out) {
  if (rest_.empty()) return false;
  const char c = rest_[0];
  rest_.remove_prefix(1);
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (const std::size_t at = kLetters.find(c); at != std::string_view::npos) {
    out.push_back(kMeanings[at]);
    return true;
  }
  std::uint32_t code = 0;
  if (c != 'u' || !ReadHex4(code)) return false;
  if (code >= kSurrogateLow && code < kSurrogateEnd) return false;
  if (code >= kSurrogateHigh && code < kSurrogateLow) {
    std::uint32_t low = 0;
    if (!ReadWord("\\u") || !ReadHex4(low)) return false;
    if (low < kSurrogateLow || low >= kSurrogateEnd) return false;
    code = 0x10000 + ((code - kSurrogateHigh) << 10) + (low - kSurrogateLow);
  }
  AppendUtf8(out, code);
  return true;
}

bool JsonReader::ReadHex4(std::uint32_t& out) {
  if (rest_.size() < 4) return false;
  out = 0;
  for (const char c : rest_.substr(0, 4)) {
    const int digit = HexValue(c);
    if (digit < 0) return false;
    out = out << 4 | static_cast<std::uint32_t>(digit);
  }
  rest_.remove_prefix(4);
  return true;
}

bool JsonReader::ReadDigits() {
  if (rest_.empty() || !IsDigit(rest_[0])) return false;
  while (!rest_.empty() && IsDigit(rest_[0])) rest_.remove_prefix(1);
  return true;
}

bool JsonReader::ReadNumber(std::string& out) {
  const std::string_view begin = rest_;
  Take('-');
  if (!Take('0') && !ReadDigits()) return false;
  if (Take('.') && !ReadDigits()) return false;
  if (Take('e') || Take('E')) {
    if (!Take('+')) Take('-');
    if (!ReadDigits()) return false;
  }
  out = begin.substr(0, begin.size() - rest_.size());
  return true;
}

}  // namespace etcd::api::gateway
