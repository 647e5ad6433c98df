#include "server/api/gateway/base64.h"

#include <cstddef>
#include <utility>

#include "server/base/base64.h"

namespace etcd::api::gateway {

std::string EncodeBase64(std::string_view bytes) { return base::EncodeBase64(bytes, true); }

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
    if (padding != 0) return false;
    has_standard = has_standard || c == '+' || c == '/';
    has_url = has_url || c == '-' || c == '_';
    letters.push_back(c);
  }
  const std::size_t rest = letters.size() % 4;
  if (has_standard && has_url) return false;
  if (padding != 0 && (rest == 0 || rest + padding != 4)) return false;
  auto decoded = base::DecodeBase64Letters(letters);
  if (!decoded) return false;
  out = *std::move(decoded);
  return true;
}

}  // namespace etcd::api::gateway
