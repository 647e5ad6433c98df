#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace etcd::api::gateway {

// Cuts bytes that come in pieces into JSON values, one after the other. It only looks for their
// ends; whether a value is one is for JsonReader.
class JsonSplitter {
 public:
  void Add(std::string_view bytes) { buffer_.append(bytes); }
  // The next value, with the whitespace before it. Nullopt: its end has not come yet.
  std::optional<std::string> Next();
  // What Next has not given out.
  const std::string& rest() const { return buffer_; }

 private:
  bool AtEnd(char c);
  std::string Take();

  std::string buffer_;
  std::size_t scanned_ = 0;  // of buffer_; the state is that after them
  int depth_ = 0;            // open brackets
  bool in_string_ = false;
  bool escaped_ = false;
  bool in_word_ = false;  // a number, true, ..., outside of brackets
};

}  // namespace etcd::api::gateway
