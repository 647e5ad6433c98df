#pragma once

#include <cstdint>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/base/file_system.h"
#include "server/base/ids.h"
#include "server/storage/engine/kv_engine.h"
#include "server/storage/engine/replace.h"

namespace etcd::image {

// What a database file says of itself.
struct ImageInfo {
  Index consistent_index;       // 0: it holds none
  Term term;                    // 0: none (3.4)
  std::uint64_t records = 0;    // of the key bucket
  Revision last_revision;       // of these; 0: there is none
  std::string storage_version;  // "3.6.0"; "" before 3.6
  std::string cluster_version;  // "3.6.0"; "": it holds none
  bool auth_enabled = false;
};

// The same from the small buckets alone, without records and last_revision: quick whatever the
// file's size.
absl::StatusOr<ImageInfo> PeekImage(base::FileSystem& file_system, const std::string& path);

// kFailedPrecondition when a newer etcd than ours wrote the file, by its storage or cluster
// version.
absl::Status CheckVersions(const std::string& path, const ImageInfo& info);

// Reads a whole database file (ours or of Go 3.4 to 3.6) and checks everything that an import
// would: page structure, order of keys, every record of the key bucket. Constant memory. DataLoss
// names file, page and reason.
absl::StatusOr<ImageInfo> VerifyImage(base::FileSystem& file_system, const std::string& path);

// Verifies and adds the file's buckets to `replacement`, the rev family derived: keys, auth,
// leases, alarms, members, removed members, cluster version, consistent index and half-done
// compactions carry over. Commit is the caller's, so that it can change the content first (members
// of a 3.4 or 3.5 database come from its v2 store).
absl::StatusOr<ImageInfo> ImportImage(base::FileSystem& file_system, const std::string& path,
                                      engine::Replacement& replacement);

// A member takes over the database that a peer sent: ImportImage, then Commit (see there what a
// crash leaves and what must be loaded again). The file may be removed afterwards. DataLoss leaves
// the engine as it was.
absl::StatusOr<ImageInfo> InstallImage(base::FileSystem& file_system, const std::string& path,
                                       engine::KvEngine& engine);

}  // namespace etcd::image
