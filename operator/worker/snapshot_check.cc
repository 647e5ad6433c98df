#include "operator/worker/snapshot_check.h"

#include <algorithm>

#include <fmt/format.h>

#include "etcdutl/restore.h"
#include "etcdutl/snapshot_file.h"
#include "etcdutl/snapshot_status.h"
#include "server/base/status.h"

namespace etcd::worker {
namespace {

constexpr std::uint64_t kDigestBytes = 32;
constexpr std::uint64_t kBlockBytes = 512;

absl::Status TrialFailed(std::string_view why) {
  return store::Failure(absl::StatusCode::kDataLoss, "TrialRestoreFailed",
                        fmt::format("the backup cannot be restored: {}", why));
}

absl::StatusOr<etcdutl::StoreReport> Try(const Place& place, const std::string& path,
                                         const SnapshotFacts& facts) {
  etcdutl::RestoreOptions options;
  options.snapshot_path = path;
  options.name = "trial";
  options.initial_cluster = "trial=http://127.0.0.1:2380";
  options.initial_advertise_peer_urls = "http://127.0.0.1:2380";
  options.data_dir = place.scratch + "/trial";
  RETURN_IF_ERROR(etcdutl::RestoreSnapshot(place.files, options).status());
  ASSIGN_OR_RETURN(const etcdutl::StoreReport result,
                   etcdutl::InspectStore(place.files, options.data_dir));
  // A store in which nothing was ever written begins at revision 1.
  if (result.revision.value() != std::max<std::int64_t>(facts.revision, 1) ||
      result.live_keys != facts.total_keys) {
    return base::DataLoss(
        fmt::format("{} keys at revision {} came out, the snapshot has {} at revision {}",
                    result.live_keys, result.revision.value(), facts.total_keys, facts.revision));
  }
  return result;
}

}  // namespace

absl::StatusOr<SnapshotFacts> InspectSnapshot(base::FileSystem& files, const std::string& path) {
  ASSIGN_OR_RETURN(const auto file, files.Open(path, base::OpenMode::kRead));
  ASSIGN_OR_RETURN(const std::uint64_t bytes, file->Size());
  if (bytes % kBlockBytes != kDigestBytes) {
    return store::Failure(
        absl::StatusCode::kDataLoss, "SnapshotHashMissing",
        fmt::format("the snapshot of {} bytes does not end with a digest: it is truncated, or a "
                    "copy of a member's database file",
                    bytes));
  }
  if (const absl::Status digest = etcdutl::VerifyDigest(files, path); !digest.ok()) {
    return store::WithReason(digest, "SnapshotHashMissing");
  }
  const auto status = etcdutl::ReadSnapshotStatus(files, path);
  if (!status.ok()) return store::WithReason(status.status(), "SnapshotDamaged");
  return SnapshotFacts{.revision = status->revision,
                       .total_keys = status->total_keys - (status->has_raising_record ? 1 : 0),
                       .bytes = bytes,
                       .version = status->version};
}

absl::StatusOr<etcdutl::StoreReport> TrialRestore(const Place& place, const std::string& path,
                                                  const SnapshotFacts& facts) {
  const std::string folder = place.scratch + "/trial";
  RETURN_IF_ERROR(place.files.RemoveAll(folder));
  const auto result = Try(place, path, facts);
  base::IgnoreError(place.files.RemoveAll(folder), "the next trial removes it");
  if (!result.ok()) {
    // A full disk says nothing about the backup.
    if (absl::IsResourceExhausted(result.status())) return result.status();
    return TrialFailed(base::MessageOf(result.status()));
  }
  return result;
}

}  // namespace etcd::worker
