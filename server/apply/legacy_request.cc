#include "server/apply/legacy_request.h"

#include "server/base/bytes.h"

namespace etcd::apply {

// Request (proto2): 1 ID, 2 Method, 3 Path, 4 Val, then fields that only v2 keys need: varints,
// and 6 PrevValue.
std::optional<LegacyRequest> ParseLegacyRequest(std::string_view bytes) {
  LegacyRequest out;
  while (!bytes.empty()) {
    std::uint64_t tag = 0;
    std::uint64_t number = 0;
    if (!base::ConsumeVarint(bytes, tag) || !base::ConsumeVarint(bytes, number)) {
      return std::nullopt;
    }
    const std::uint64_t field = tag >> 3;
    const bool is_text = field == 2 || field == 3 || field == 4 || field == 6;
    if (field == 0 || (tag & 7) != (is_text ? base::kWireBytes : base::kWireVarint)) {
      return std::nullopt;
    }
    if (!is_text) {
      if (field == 1) out.id = number;
      continue;
    }
    if (number > bytes.size()) return std::nullopt;
    const std::string_view text = bytes.substr(0, number);
    bytes.remove_prefix(number);
    if (field == 2) out.method = text;
    if (field == 3) out.path = text;
    if (field == 4) out.value = text;
  }
  return out;
}

}  // namespace etcd::apply
