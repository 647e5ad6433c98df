#include "operator/worker/restore_worker.h"

#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "etcdutl/restore.h"
#include "operator/worker/hand_over.h"
#include "operator/worker/room.h"
#include "operator/worker/snapshot_check.h"
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

// Bytes of the snapshot; where no manifest says so, of what is stored, which may grow.
absl::StatusOr<std::uint64_t> SizeOf(const model::BackupArtifact& expected, const Source& source) {
  if (expected.size) return static_cast<std::uint64_t>(*expected.size);
  ASSIGN_OR_RETURN(const auto head, source.store->Head(source.key));
  if (head) return head->size;
  return store::Failure(absl::StatusCode::kNotFound, "BadObject",
                        fmt::format("there is no {}; correct the source's key or path",
                                    source.store->UriOf(source.key)));
}

absl::Status TooSmall(std::uint64_t size, std::uint64_t free, bool is_trial) {
  return store::Failure(
      absl::StatusCode::kResourceExhausted, is_trial ? "ScratchFull" : "VolumeTooSmall",
      fmt::format(
          "the snapshot has {} and needs twice that, the {} has {} free; {}", BytesText(size),
          is_trial ? "disk of the trial's node" : "volume", BytesText(free),
          is_trial ? "make room there, or set verifyFirst to false" : "set a larger storage.size"));
}

// The snapshot as it was, into `path`. It and what is made of it must fit.
absl::Status Fetch(const Source& source, const model::BackupArtifact& expected, const Place& place,
                   const std::string& path, bool is_trial) {
  ASSIGN_OR_RETURN(const std::uint64_t size, SizeOf(expected, source));
  ASSIGN_OR_RETURN(const std::uint64_t free,
                   place.files.FreeBytes(path.substr(0, path.rfind('/'))));
  if (free / 2 < size) return TooSmall(size, free, is_trial);
  LOG_INFO("reading the backup", {"object", source.store->UriOf(source.key)});
  const std::uint64_t bytes_max = expected.size ? size : free / 2;
  const absl::Status read =
      ReadStored(*source.store, source.key, expected, bytes_max, place.files, path);
  // Without a manifest the bound is ours, and what is beyond it may be a good backup.
  const bool is_ours = !expected.size && store::ReasonOf(read) == "TooLarge";
  return is_ours ? TooSmall(bytes_max, free, is_trial) : read;
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
  const std::string path = folder + "/snapshot.db";
  RETURN_IF_ERROR(Fetch(source, expected, place, path, false));
  ASSIGN_OR_RETURN(const std::int64_t revision, Restore(order, place, path));
  LOG_INFO("restored", {"revision", revision});
  return Report{.is_ok = true, .restored_revision = revision};
}

// The same in the scratch folder, and without a member that could be started.
absl::StatusOr<Report> RunTrial(const backup::RestoreOrder& order, const Place& place) {
  ASSIGN_OR_RETURN(const Source source, OpenSource(order.member.spec.restore_from->from, place));
  ASSIGN_OR_RETURN(const model::BackupArtifact expected, ExpectedOf(order, source));
  RETURN_IF_ERROR(place.files.CreateDirs(place.scratch));
  const std::string path = SnapshotPath(place);
  RETURN_IF_ERROR(Fetch(source, expected, place, path, true));
  ASSIGN_OR_RETURN(const SnapshotFacts facts, InspectSnapshot(place.files, path));
  RETURN_IF_ERROR(TrialRestore(place, path, facts).status());
  return Report{.is_ok = true, .restored_revision = facts.revision};
}

// Another try of the same source cannot go better.
bool IsFinalForRestore(const std::string& reason) {
  return reason == "BackupAltered" || reason == "InvalidSpec" || reason == "SnapshotHashMissing" ||
         reason == "SnapshotDamaged" || reason == "TrialRestoreFailed";
}

Report RestoreReport(const absl::StatusOr<Report>& report) {
  if (report.ok()) return *report;
  const std::string reason = store::ReasonOf(report.status());
  return {.reason = reason,
          .message = std::string(base::MessageOf(report.status())),
          .is_final = IsFinalForRestore(reason)};
}

}  // namespace

Report RestoreMember(const backup::RestoreOrder& order, const Place& place) {
  const auto report = Run(order, place);
  base::IgnoreError(place.files.RemoveAll(order.data_dir + ".restore"), "the next try removes it");
  return RestoreReport(report);
}

Report TryRestore(const backup::RestoreOrder& order, const Place& place) {
  const auto report = RunTrial(order, place);
  return RestoreReport(report.ok() ? report : ExplainScratch(report.status()));
}

}  // namespace etcd::worker
