#include "operator/worker/backup_worker.h"

#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "operator/backup/naming.h"
#include "operator/kube/times.h"
#include "operator/worker/fetch.h"
#include "operator/worker/prune.h"
#include "operator/worker/transfer.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::worker {
namespace {

using backup::Manifest;
using backup::Report;

// Larger ones are compared by size and ETag only.
constexpr std::int64_t kReadBackMax = std::int64_t{1} << 30;
constexpr std::chrono::milliseconds kSnapshotTimeout = std::chrono::minutes(15);

// Another try with the same specification cannot go better.
bool IsFinal(const std::string& reason) {
  return reason == "InvalidSpec" || reason == "BackupForeign";
}

Report FailedReport(const absl::Status& status) {
  const std::string reason = store::ReasonOf(status);
  return {.reason = reason,
          .message = std::string(base::MessageOf(status)),
          .is_final = IsFinal(reason)};
}

std::string FolderOf(const backup::Order& order) {
  const std::string cluster =
      order.backup.spec.cluster_ref ? order.backup.spec.cluster_ref->name : "";
  return backup::FolderOf(order.backup.metadata.namespace_, cluster);
}

std::chrono::milliseconds TimeoutOf(const model::EtcdBackup& backup) {
  const auto parsed = backup::ParseDuration(backup.spec.timeout);
  return parsed ? std::chrono::duration_cast<std::chrono::milliseconds>(*parsed) : kSnapshotTimeout;
}

// What earlier tries of this backup left: a finished one is the result; data without a manifest is
// removed, since nothing will ever name it.
absl::StatusOr<std::optional<Manifest>> LookForEarlierTry(const backup::Order& order,
                                                          store::ObjectStore& store) {
  const std::string folder = FolderOf(order);
  const std::string uid_part = backup::UidPart(order.backup.metadata.uid);
  ASSIGN_OR_RETURN(const auto objects, store.List(folder));
  for (const store::ObjectInfo& object : objects) {
    const auto name = backup::ParseFileName(std::string_view(object.key).substr(folder.size()));
    if (!name || name->uid_part != uid_part) continue;
    ASSIGN_OR_RETURN(std::optional<Manifest> manifest, FindManifest(store, object.key));
    if (manifest && manifest->backup.uid == order.backup.metadata.uid) return manifest;
    if (manifest) continue;  // a stranger with the same beginning of its uid
    ASSIGN_OR_RETURN(const auto head, store.Head(object.key));
    if (head && !head->owner.empty() && head->owner != order.backup.metadata.uid) continue;
    LOG_INFO("removing what a broken try left", {"object", store.UriOf(object.key)});
    RETURN_IF_ERROR(store.Delete(object.key));
  }
  return std::optional<Manifest>();
}

// Step 5. A backup that fails it is stored all the same, as unverified.
absl::StatusOr<model::BackupVerification> Verify(const backup::Order& order, const Fetched& fetched,
                                                 const Place& place, Manifest& manifest,
                                                 std::string& problem) {
  model::BackupVerification verification;
  verification.method = std::string(model::ToText(order.backup.spec.verify));
  verification.result = std::string(backup::kPassed);
  if (order.backup.spec.verify == model::Verification::kNone) {
    verification.result = std::string(backup::kSkipped);
  } else if (order.backup.spec.verify == model::Verification::kTrialRestore) {
    const auto trial = TrialRestore(place, fetched.path, fetched.facts);
    const auto live = AskHashKv(fetched.endpoint, fetched.facts.revision);
    if (!trial.ok() && !absl::IsDataLoss(trial.status())) return trial.status();
    if (!trial.ok()) problem = base::MessageOf(trial.status());
    if (trial.ok()) manifest.artifact.hash_kv = fmt::format("{:08x}", trial->hash);
    // Hashes of stores that were compacted at different revisions cannot be compared.
    if (trial.ok() && live && live->compact_revision == trial->compact_revision &&
        live->hash != trial->hash) {
      problem = fmt::format("HashKV at revision {} is {:08x} in the backup and {:08x} in {}",
                            fetched.facts.revision, trial->hash, live->hash, fetched.endpoint);
    }
    if (!problem.empty()) verification.result = std::string(backup::kFailed);
  }
  verification.at = kube::FormatTime(place.clock.WallNow());
  return verification;
}

Manifest ManifestOf(const backup::Order& order, const Fetched& fetched, const Place& place) {
  const bool is_zstd = order.backup.spec.compression == model::Compression::kZstd;
  const auto now = place.clock.WallNow();
  Manifest manifest;
  manifest.key =
      FolderOf(order) + backup::FileNameOf({.at = now,
                                            .revision = fetched.facts.revision,
                                            .uid_part = backup::UidPart(order.backup.metadata.uid),
                                            .is_zstd = is_zstd});
  manifest.created_at = kube::FormatTime(now);
  manifest.ns = order.backup.metadata.namespace_;
  manifest.cluster = order.backup.spec.cluster_ref ? order.backup.spec.cluster_ref->name : "";
  manifest.backup = {.name = order.backup.metadata.name, .uid = order.backup.metadata.uid};
  manifest.schedule = order.schedule;
  model::BackupArtifact& artifact = manifest.artifact;
  artifact.size = static_cast<std::int64_t>(fetched.facts.bytes);
  artifact.revision = fetched.facts.revision;
  artifact.total_keys = fetched.facts.total_keys;
  artifact.etcd_version = fetched.etcd_version;
  artifact.cluster_id = fetched.cluster_id;
  artifact.member_id = fetched.member_id;
  artifact.format = is_zstd ? "bbolt+zstd" : "bbolt";
  return manifest;
}

// Steps 6 and 7.
absl::Status Store(const backup::Order& order, const Fetched& fetched, store::ObjectStore& store,
                   const Place& place, Manifest& manifest) {
  ASSIGN_OR_RETURN(const store::LocalFile file,
                   MakeStored(place.files, fetched.path, order.backup.spec.compression));
  manifest.artifact.uri = store.UriOf(manifest.key);
  manifest.artifact.stored_size = static_cast<std::int64_t>(file.size);
  manifest.artifact.sha256 = file.sha256;
  ASSIGN_OR_RETURN(const auto present, store.Head(manifest.key));
  if (present && present->owner != order.backup.metadata.uid) {
    return store::Failure(absl::StatusCode::kAlreadyExists, "BackupForeign",
                          fmt::format("{} exists and is not of this backup; it is not replaced",
                                      *manifest.artifact.uri));
  }
  RETURN_IF_ERROR(store.PutFile(manifest.key, file, order.backup.metadata.uid).status());
  if (*manifest.artifact.stored_size <= kReadBackMax) {
    if (const absl::Status read = CheckStored(store, manifest.key, manifest.artifact); !read.ok()) {
      base::IgnoreError(store.Delete(manifest.key), "without a manifest it does not exist");
      return read;
    }
  }
  return store.PutText(manifest.key + std::string(backup::kManifestSuffix),
                       backup::WriteManifest(manifest));
}

Report ReportOf(const Manifest& manifest, std::string problem) {
  return {.is_ok = true,
          .reason = problem.empty() ? "" : "Unverified",
          .message = std::move(problem),
          .artifact = manifest.artifact,
          .verification = manifest.verification};
}

absl::StatusOr<Report> Take(const backup::Order& order, const Place& place) {
  ASSIGN_OR_RETURN(const auto store, OpenDestination(order.backup.spec.destination, place));
  // Also the first look at the destination: its faults show before the members have any work.
  ASSIGN_OR_RETURN(const std::optional<Manifest> earlier, LookForEarlierTry(order, *store));
  Report report;
  if (earlier) {
    LOG_INFO("an earlier try has stored the backup", {"object", store->UriOf(earlier->key)});
    report = ReportOf(*earlier, "");
  } else {
    ASSIGN_OR_RETURN(const Fetched fetched, FetchSnapshot(order.endpoints, order.backup.spec.source,
                                                          TimeoutOf(order.backup), place));
    Manifest manifest = ManifestOf(order, fetched, place);
    std::string problem;
    ASSIGN_OR_RETURN(manifest.verification, Verify(order, fetched, place, manifest, problem));
    RETURN_IF_ERROR(Store(order, fetched, *store, place, manifest));
    report = ReportOf(manifest, problem);
  }
  if (order.schedule && order.retention) {
    Prune(*store, FolderOf(order), order.schedule->uid, backup::PolicyOf(*order.retention),
          place.clock.WallNow(), report);
  }
  return report;
}

absl::StatusOr<std::string> KeyOfArtifact(const backup::Order& order, store::ObjectStore& store) {
  const auto& artifact = order.backup.status.artifact;
  if (!artifact || !artifact->uri) {
    return store::Failure(absl::StatusCode::kNotFound, "BadObject",
                          "the backup has stored nothing");
  }
  return KeyOfUri(*artifact->uri, store);
}

absl::Status Remove(const backup::Order& order, const Place& place) {
  ASSIGN_OR_RETURN(const auto store, OpenDestination(order.backup.spec.destination, place));
  ASSIGN_OR_RETURN(const std::string key, KeyOfArtifact(order, *store));
  ASSIGN_OR_RETURN(const std::optional<Manifest> manifest, FindManifest(*store, key));
  if (manifest && manifest->backup.uid != order.backup.metadata.uid) {
    return store::Failure(absl::StatusCode::kFailedPrecondition, "BackupForeign",
                          fmt::format("{} is of another backup now", store->UriOf(key)));
  }
  return RemoveStored(*store, key);
}

absl::StatusOr<Report> VerifyNow(const backup::Order& order, const Place& place) {
  ASSIGN_OR_RETURN(const auto store, OpenDestination(order.backup.spec.destination, place));
  ASSIGN_OR_RETURN(const std::string key, KeyOfArtifact(order, *store));
  const model::BackupArtifact& artifact = *order.backup.status.artifact;
  RETURN_IF_ERROR(place.files.CreateDirs(place.scratch));
  const std::string path = place.scratch + "/stored.db";
  RETURN_IF_ERROR(ReadStored(*store, key, artifact,
                             static_cast<std::uint64_t>(artifact.size.value_or(INT64_MAX)),
                             place.files, path));
  ASSIGN_OR_RETURN(const SnapshotFacts facts, InspectSnapshot(place.files, path));
  RETURN_IF_ERROR(TrialRestore(place, path, facts).status());
  return Report{.is_ok = true, .artifact = artifact, .restored_revision = facts.revision};
}

}  // namespace

Report TakeBackup(const backup::Order& order, const Place& place) {
  const auto report = Take(order, place);
  return report.ok() ? *report : FailedReport(report.status());
}

Report DeleteBackup(const backup::Order& order, const Place& place) {
  const absl::Status status = Remove(order, place);
  return status.ok() ? Report{.is_ok = true} : FailedReport(status);
}

Report VerifyStored(const backup::Order& order, const Place& place) {
  const auto report = VerifyNow(order, place);
  return report.ok() ? *report : FailedReport(report.status());
}

}  // namespace etcd::worker
