#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "server/base/file_system.h"
#include "server/base/ids.h"

namespace etcd::etcdutl {

// What the stopped member's store says once it is loaded as a start loads it.
struct StoreReport {
  Revision revision;          // current
  Revision compact_revision;  // -1: never compacted
  std::int64_t live_keys = 0;
  std::uint32_t hash = 0;  // HashKV at `revision`, as Maintenance.HashKV gives it there
};

// Opens the engine of a stopped member of ours and reads all of it: the trial of a restored data
// directory (restore.h). Compacts nothing. Memory as a start needs it, for the index of keys.
// kUnavailable while the member runs; kFailedPrecondition when there is none; kDataLoss for damage.
absl::StatusOr<StoreReport> InspectStore(base::FileSystem& file_system,
                                         const std::string& data_dir);

}  // namespace etcd::etcdutl
