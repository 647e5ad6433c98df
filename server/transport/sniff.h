#pragma once

#include <cstdint>
#include <string_view>

namespace etcd::transport {

enum class Sniffed : std::uint8_t { kUnknownYet, kHttp1, kHttp2, kGarbage };

// What the first bytes of a connection are: the preface of HTTP/2, or a request line
// "METHOD target HTTP/1.x". Anything else is garbage, as soon as that is sure.
Sniffed Sniff(std::string_view bytes);

}  // namespace etcd::transport
