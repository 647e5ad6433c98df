#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "etcdutl/inspect.h"
#include "operator/worker/place.h"

// Is this file a snapshot, and can it be restored?
namespace etcd::worker {

struct SnapshotFacts {
  std::int64_t revision = 0;
  std::int64_t total_keys = 0;  // that a client would see
  std::uint64_t bytes = 0;      // of the file, with its digest
  std::string version{};        // of the storage; empty before 3.6
};

// Length, digest and structure (operator-spec 10.1 steps 3 and 4). Reasons: SnapshotHashMissing,
// SnapshotDamaged.
absl::StatusOr<SnapshotFacts> InspectSnapshot(base::FileSystem& files, const std::string& path);

// Restores the snapshot into `<scratch>/trial`, opens what came out as the server does, and
// compares revision and keys with `facts` (step 5). The folder is removed in any case. Takes memory
// for the index of keys, as a member does. Reason: TrialRestoreFailed.
absl::StatusOr<etcdutl::StoreReport> TrialRestore(const Place& place, const std::string& path,
                                                  const SnapshotFacts& facts);

}  // namespace etcd::worker
