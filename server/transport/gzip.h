#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace etcd::transport {

// Inflates one gzip member. At most `bytes_max` bytes come out, whatever the input claims;
// kResourceExhausted above it, kInternal for broken input.
absl::StatusOr<std::string> Gunzip(std::string_view compressed, std::size_t bytes_max);

}  // namespace etcd::transport
