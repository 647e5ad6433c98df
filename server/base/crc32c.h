#pragma once

#include <cstdint>
#include <string_view>

namespace etcd::base {

// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) with Go's hash/crc32 convention: start at
// 0, the result of one call is the `crc` of the next, Update(0, "123456789") == 0xE3069283.
std::uint32_t UpdateCrc32c(std::uint32_t crc, std::string_view data);

}  // namespace etcd::base
