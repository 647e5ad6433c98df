#include "operator/worker/restore_worker.h"

#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "etcdutl/restore.h"
#include "operator/worker/transfer.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::worker {
namespace {

using backup::Report;

// What is known of the bytes before they are read.
absl::StatusOr<model::BackupArtifact> ExpectedOf(const backup::RestoreOrder& order,
                                                 const Source& source) {
  ASSIGN_OR_RETURN(const auto manifest, FindManifest(*source.store, source.key));
  model::BackupArtifact expected;
  if (manifest) expected = manifest->artifact;
  if (!order.sha256.empty()) {
    if (expected.sha256 && *expected.sha256 != order.sha256) {
      return store::Failure(
          absl::StatusCode::kDataLoss, "BackupAltered",
          fmt::format("{} was replaced by another backup", source.store->UriOf(source.key)));
    }
    expected.sha256 = order.sha256;
  }
  if (!expected.sha256) {
    LOG_WARN("there is no manifest beside the backup; only its own digest is checked",
             {"object", source.store->UriOf(source.key)});
  }
  return expected;
}

// The snapshot and what is made of it must fit.
absl::StatusOr<std::uint64_t> RoomFor(const model::BackupArtifact& expected, const Place& place,
                                      const std::string& folder) {
  ASSIGN_OR_RETURN(const std::uint64_t free, place.files.FreeBytes(folder));
  if (!expected.size) return free / 2;
  const auto size = static_cast<std::uint64_t>(*expected.size);
  if (free / 2 < size) {
    return store::Failure(absl::StatusCode::kResourceExhausted, "VolumeTooSmall",
                          fmt::format("the snapshot has {} bytes and needs twice that, the volume "
                                      "has {} free; set a larger storage.size",
                                      size, free));
  }
  return size;
}

absl::StatusOr<std::int64_t> Restore(const backup::RestoreOrder& order, const Place& place,
                                     const std::string& path) {
  const model::Bootstrap& bootstrap = *order.member.spec.restore_from;
  if (bootstrap.bump_revision > 0 && !bootstrap.mark_compacted) {
    return store::Failure(absl::StatusCode::kInvalidArgument, "InvalidSpec",
                          "bumpRevision needs markCompacted; set it to true, or bumpRevision to 0");
  }
  etcdutl::RestoreOptions options;
  options.snapshot_path = path;
  options.name = order.member.metadata.name;
  options.initial_cluster = fmt::format("{}={}", options.name, order.peer_url);
  options.initial_cluster_token = order.token;
  options.initial_advertise_peer_urls = order.peer_url;
  options.data_dir = order.data_dir;
  options.bump_revision = static_cast<std::uint64_t>(bootstrap.bump_revision);
  options.mark_compacted = bootstrap.bump_revision > 0;
  const auto restored = etcdutl::RestoreSnapshot(place.files, options);
  if (!restored.ok()) {
    return store::WithReason(
        restored.status(), absl::IsDataLoss(restored.status()) ? "BackupAltered" : "RestoreFailed");
  }
  return restored->revision.value();
}

absl::StatusOr<Report> Run(const backup::RestoreOrder& order, const Place& place) {
  if (place.files.Exists(order.data_dir + "/member")) {
    LOG_INFO("the data directory has a member already; nothing is restored",
             {"data_dir", order.data_dir});
    return Report{.is_ok = true};
  }
  RETURN_IF_ERROR(place.files.CreateDirs(order.data_dir));
  // Beside the data directory, which must hold nothing else.
  const std::string folder = order.data_dir + ".restore";
  RETURN_IF_ERROR(place.files.RemoveAll(folder));
  RETURN_IF_ERROR(place.files.CreateDirs(folder));
  ASSIGN_OR_RETURN(const Source source, OpenSource(order.member.spec.restore_from->from, place));
  ASSIGN_OR_RETURN(const model::BackupArtifact expected, ExpectedOf(order, source));
  ASSIGN_OR_RETURN(const std::uint64_t bytes_max, RoomFor(expected, place, folder));
  const std::string path = folder + "/snapshot.db";
  LOG_INFO("reading the backup", {"object", source.store->UriOf(source.key)});
  RETURN_IF_ERROR(ReadStored(*source.store, source.key, expected, bytes_max, place.files, path));
  ASSIGN_OR_RETURN(const std::int64_t revision, Restore(order, place, path));
  LOG_INFO("restored", {"revision", revision});
  return Report{.is_ok = true, .restored_revision = revision};
}

}  // namespace

Report RestoreMember(const backup::RestoreOrder& order, const Place& place) {
  const auto report = Run(order, place);
  base::IgnoreError(place.files.RemoveAll(order.data_dir + ".restore"), "the next try removes it");
  if (report.ok()) return *report;
  const std::string reason = store::ReasonOf(report.status());
  return {.reason = reason,
          .message = std::string(base::MessageOf(report.status())),
          .is_final = reason == "BackupAltered" || reason == "InvalidSpec"};
}

}  // namespace etcd::worker
