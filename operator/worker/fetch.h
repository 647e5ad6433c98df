#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "operator/model/backup.h"
#include "operator/worker/place.h"
#include "operator/worker/snapshot_check.h"

namespace etcd::worker {

// A snapshot in the scratch folder, at SnapshotPath.
struct Fetched {
  SnapshotFacts facts{};
  std::string endpoint{};
  std::string cluster_id{};  // hex
  std::string member_id{};
  std::string etcd_version{};
};

// From the best member that gives a whole one with its digest (operator-spec 10.1 steps 1 to 4); a
// member whose snapshot is not fit is passed over. Nothing is asked for when the scratch folder has
// no room for the work. Reasons: NoMember, SnapshotHashMissing, SnapshotDamaged, ScratchFull.
struct FetchOptions {
  model::BackupSource wanted = model::BackupSource::kFollower;
  std::chrono::milliseconds timeout{};
  bool has_copy = false;  // a second file of its size is made of it later
};
absl::StatusOr<Fetched> FetchSnapshot(const std::vector<std::string>& endpoints,
                                      const FetchOptions& options, const Place& place);

struct LiveHash {
  std::uint32_t hash = 0;
  Revision compact_revision{};
};
// HashKV of the member at the revision; nothing when it cannot say so any more.
std::optional<LiveHash> AskHashKv(const std::string& endpoint, std::int64_t revision);

}  // namespace etcd::worker
