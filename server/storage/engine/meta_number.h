#pragma once

#include <cstdint>
#include <string_view>

#include <absl/status/statusor.h>

#include "server/storage/engine/kv_engine.h"

namespace etcd::engine {

// A number of the meta bucket (kMetaConsistentIndex, ...), 8 bytes big-endian; 0 when there is
// none. DataLoss when the value has another size.
absl::StatusOr<std::uint64_t> ReadMetaNumber(const KvEngine& engine, std::string_view key);

}  // namespace etcd::engine
