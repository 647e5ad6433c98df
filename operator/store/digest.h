#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "server/base/file_system.h"

namespace etcd::store {

// Of [offset, offset + size) of a file, in hex; DataLoss when the file ends before.
absl::StatusOr<std::string> Sha256OfRange(const base::File& file, std::uint64_t offset,
                                          std::uint64_t size);

// A decimal number and nothing else.
bool ParseSize(std::string_view text, std::uint64_t& size);

}  // namespace etcd::store
