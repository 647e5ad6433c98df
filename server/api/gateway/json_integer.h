#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace etcd::api::gateway {

// The integer that a JSON number (by its text) stands for: "1", "1.0" and "10e-1" are the same.
// Nullopt when it is no integer, does not fit, or the text is no JSON number.
std::optional<std::int64_t> ParseInt64(std::string_view number);
std::optional<std::uint64_t> ParseUint64(std::string_view number);

}  // namespace etcd::api::gateway
