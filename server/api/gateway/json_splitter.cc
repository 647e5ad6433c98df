#include "server/api/gateway/json_splitter.h"

#include <utility>

namespace etcd::api::gateway {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

std::optional<std::string> JsonSplitter::Next() {
  while (scanned_ < buffer_.size()) {
    const char c = buffer_[scanned_];
    // The end of a word is known by what follows it.
    if (in_word_ && (IsSpace(c) || c == '{' || c == '[' || c == '"')) return Take();
    ++scanned_;
    if (AtEnd(c)) return Take();
  }
  return std::nullopt;
}

// Takes one character into the state; true when a value ends with it.
bool JsonSplitter::AtEnd(char c) {
  if (in_string_) {
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
      return depth_ == 0;
    }
    return false;
  }
  if (c == '"') {
    in_string_ = true;
  } else if (c == '{' || c == '[') {
    ++depth_;
  } else if (c == '}' || c == ']') {
    return --depth_ <= 0;
  } else if (depth_ == 0 && !IsSpace(c)) {
    in_word_ = true;
  }
  return false;
}

std::string JsonSplitter::Take() {
  std::string value = buffer_.substr(0, scanned_);
  buffer_.erase(0, scanned_);
  scanned_ = 0;
  depth_ = 0;
  in_string_ = escaped_ = in_word_ = false;
  return value;
}

}  // namespace etcd::api::gateway
