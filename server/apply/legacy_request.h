#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace etcd::apply {

// etcdserverpb.Request, the v2 form in which etcd 3.4 and 3.5 publish attributes and the cluster
// version (raft-peer-storage.md 5.2). Views into the parsed bytes.
struct LegacyRequest {
  std::uint64_t id = 0;
  std::string_view method;
  std::string_view path;
  std::string_view value;
};

// Strict: nullopt when the bytes are no such message.
std::optional<LegacyRequest> ParseLegacyRequest(std::string_view bytes);

}  // namespace etcd::apply
