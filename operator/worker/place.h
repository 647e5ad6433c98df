#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "operator/backup/order.h"
#include "operator/model/backup.h"
#include "operator/store/object_store.h"
#include "server/base/clock.h"
#include "server/base/file_system.h"

namespace etcd::worker {

// What a worker stands on. Everything outlives it.
struct Place {
  base::FileSystem& files;
  const base::Clock& clock;
  std::function<bool(std::chrono::nanoseconds)> sleep;
  std::string scratch{backup::kScratchDir};  // for the snapshot and the trial restore
  std::string volume{backup::kVolumeDir};
  std::string keys{backup::kKeysDir};
  std::string ca{backup::kCaDir};
  // Stored objects above this are read back only when readBack says so (operator-spec 10.1).
  std::uint64_t read_back_max = std::uint64_t{1} << 30;
};

// The destination of a backup; its keys begin below the prefix or path, which are part of the
// store's root and of its URIs. The credentials are read from the mounted Secret now. An error says
// what is missing.
absl::StatusOr<std::unique_ptr<store::ObjectStore>> OpenDestination(
    const model::BackupDestination& destination, const Place& place);

struct Source {
  std::unique_ptr<store::ObjectStore> store;
  std::string key;
};
// What a restore reads.
absl::StatusOr<Source> OpenSource(const model::RestoreSource& from, const Place& place);

// The key of an artifact's URI within its destination. DataLoss when it is of another one.
absl::StatusOr<std::string> KeyOfUri(std::string_view uri, const store::ObjectStore& store);

}  // namespace etcd::worker
