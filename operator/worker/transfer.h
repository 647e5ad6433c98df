#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "operator/backup/manifest.h"
#include "operator/model/backup.h"
#include "operator/worker/place.h"

// Snapshots between the scratch folder and a store. Memory does not grow with them.
namespace etcd::worker {

// The file as it is stored: compressed or not, beside the original.
absl::StatusOr<store::LocalFile> MakeStored(base::FileSystem& files, const std::string& path,
                                            model::Compression compression);

// Reads a stored object into the file `path`, decompressed. DataLoss, reason BackupAltered, when
// its SHA-256 or size is not that of `expected`, or when more than `bytes_max` come out (reason
// TooLarge when `expected` has no size); fields that `expected` does not have are not compared. A
// failure removes the file.
absl::Status ReadStored(store::ObjectStore& store, const std::string& key,
                        const model::BackupArtifact& expected, std::uint64_t bytes_max,
                        base::FileSystem& files, const std::string& path);

// The same without keeping anything.
absl::Status CheckStored(store::ObjectStore& store, const std::string& key,
                         const model::BackupArtifact& expected);

// Nothing when there is no manifest of this key. DataLoss when it cannot be read.
absl::StatusOr<std::optional<backup::Manifest>> FindManifest(store::ObjectStore& store,
                                                             const std::string& key);

}  // namespace etcd::worker
