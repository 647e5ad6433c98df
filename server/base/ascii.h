#pragma once

#include <string>
#include <string_view>

namespace etcd::base {

// A-Z as a-z, everything else as it is, whatever the locale: names of HTTP headers.
inline std::string AsciiLower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace etcd::base
