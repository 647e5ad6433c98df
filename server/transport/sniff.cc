#include "server/transport/sniff.h"

#include <algorithm>
#include <cstddef>

namespace etcd::transport {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
// A request line longer than this is refused: the gateway's targets are short.
constexpr std::size_t kRequestLineMax = 16 * 1024;

bool IsToken(char c) {
  constexpr std::string_view kSymbols = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kSymbols.find(c) != std::string_view::npos;
}

bool IsRequestLine(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == 0 || last <= first + 1) return false;
  const std::string_view version = line.substr(last + 1);
  return version == "HTTP/1.1" || version == "HTTP/1.0";
}

}  // namespace

Sniffed Sniff(std::string_view bytes) {
  const std::size_t common = std::min(bytes.size(), kPreface.size());
  if (bytes.substr(0, common) == kPreface.substr(0, common)) {
    return common == kPreface.size() ? Sniffed::kHttp2 : Sniffed::kUnknownYet;
  }
  const std::size_t newline = bytes.find('\n');
  if (newline == std::string_view::npos) {
    if (bytes.size() > kRequestLineMax) return Sniffed::kGarbage;
    // The method must look like one from its first byte on, so that a TLS hello or another binary
    // protocol is cut off at once.
    const std::string_view method = bytes.substr(0, bytes.find(' '));
    const bool plausible = !method.empty() && std::all_of(method.begin(), method.end(), IsToken);
    return plausible ? Sniffed::kUnknownYet : Sniffed::kGarbage;
  }
  std::string_view line = bytes.substr(0, newline);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return IsRequestLine(line) ? Sniffed::kHttp1 : Sniffed::kGarbage;
}

}  // namespace etcd::transport
