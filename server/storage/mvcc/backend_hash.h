#pragma once

#include <cstdint>

#include <absl/status/statusor.h>

#include "server/base/ids.h"
#include "server/storage/engine/kv_engine.h"

namespace etcd::mvcc {

struct BackendHash {
  std::uint32_t hash = 0;
  Revision current{};  // of the state that was hashed
};

// Maintenance.Hash (v3-api.md 7.4): one CRC-32C over every bucket in the order of their names; of a
// bucket its name, then the key and the value of each record, but what every member keeps for
// itself. An empty bucket counts by its name. Equal where the state is and the same compactions are
// done; a compaction that is deleting changes it. Reads all of one view; thread-safe.
absl::StatusOr<BackendHash> HashBackend(const engine::KvEngine& engine);

}  // namespace etcd::mvcc
