#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "server/base/file_system.h"

namespace etcd::etcdutl {

// What `etcdutl snapshot status` of 3.6 says of a database file.
struct SnapshotStatus {
  std::uint32_t hash = 0;        // CRC-32C of the names, keys and values of all buckets, in order
  std::int64_t revision = 0;     // the last; 0: nothing was ever written
  std::int64_t total_keys = 0;   // alive at that revision
  std::int64_t total_bytes = 0;  // of the database, without the digest
  std::string version;           // of the storage: "3.6.0"; "" before 3.6
  // Among total_keys, as etcd counts: the empty record by which a restore has raised the revision.
  bool has_raising_record = false;

  bool operator==(const SnapshotStatus&) const = default;
};

// Reads all of a file of ours or of Go's and checks its structure, but not its digest
// (snapshot_file.h). Constant memory, but for a file with a compaction that was not finished:
// then about 16 bytes for each key that is older than its mark. kDataLoss names file, page and
// reason.
absl::StatusOr<SnapshotStatus> ReadSnapshotStatus(base::FileSystem& file_system,
                                                  const std::string& path);

}  // namespace etcd::etcdutl
