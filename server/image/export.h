#pragma once

#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/base/file_system.h"
#include "server/ports/peer_transport.h"
#include "server/storage/engine/kv_engine.h"

namespace etcd::image {

// The database of a member as Go's etcd writes it: a bbolt image with etcd's ten buckets, of the
// state that `view` shows. Take the view (KvEngine::PinView, cheap) where the applied index is
// known; call this on a thread that may block: it reads the rev and meta families once (about a
// second for each million records) to know the size. Read then streams the image in constant
// memory, in one pass over the view, which lives as long as the source. The same state always gives
// the same bytes. DataLoss when the families contradict each other.
absl::StatusOr<std::unique_ptr<ports::SnapshotSource>> ExportImage(
    std::unique_ptr<engine::View> view);

// The same as a file, synced; its name is not (FileSystem::SyncDir).
absl::Status WriteImage(std::unique_ptr<engine::View> view, base::FileSystem& file_system,
                        const std::string& path);

}  // namespace etcd::image
