#include "operator/worker/backup_worker.h"

#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "operator/backup/naming.h"
#include "operator/kube/times.h"
#include "operator/worker/fetch.h"
#include "operator/worker/hand_over.h"
#include "operator/worker/prune.h"
#include "operator/worker/room.h"
#include "operator/worker/transfer.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::worker {
namespace {

using backup::Manifest;
using backup::Report;

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
absl::Status TrySnapshot(const Place& place, const std::string& endpoint, Report& report) {
  model::BackupArtifact& artifact = *report.artifact;
  const SnapshotFacts facts{.revision = artifact.revision.value_or(0),
                            .total_keys = artifact.total_keys.value_or(0)};
  const auto trial = TrialRestore(place, SnapshotPath(place), facts);
  const auto live = AskHashKv(endpoint, facts.revision);
  if (!trial.ok()) {
    if (!absl::IsDataLoss(trial.status())) return trial.status();
    report.message = base::MessageOf(trial.status());
    return absl::OkStatus();
  }
  artifact.hash_kv = fmt::format("{:08x}", trial->hash);
  // Hashes of stores that were compacted at different revisions cannot be compared.
  if (live && live->compact_revision == trial->compact_revision && live->hash != trial->hash) {
    report.message = fmt::format("HashKV at revision {} is {:08x} in the backup and {:08x} in {}",
                                 facts.revision, trial->hash, live->hash, endpoint);
  }
  return absl::OkStatus();
}

bool IsZstd(const backup::Order& order) {
  return order.backup.spec.compression == model::Compression::kZstd;
}

model::BackupArtifact ArtifactOf(const backup::Order& order, const Fetched& fetched) {
  model::BackupArtifact artifact;
  artifact.size = static_cast<std::int64_t>(fetched.facts.bytes);
  artifact.revision = fetched.facts.revision;
  artifact.total_keys = fetched.facts.total_keys;
  artifact.etcd_version = fetched.etcd_version;
  artifact.cluster_id = fetched.cluster_id;
  artifact.member_id = fetched.member_id;
  artifact.format = IsZstd(order) ? "bbolt+zstd" : "bbolt";
  return artifact;
}

Manifest ManifestOf(const backup::Order& order, const Report& report, const Place& place) {
  const auto now = place.clock.WallNow();
  Manifest manifest;
  manifest.key =
      FolderOf(order) + backup::FileNameOf({.at = now,
                                            .revision = report.artifact->revision.value_or(0),
                                            .uid_part = backup::UidPart(order.backup.metadata.uid),
                                            .is_zstd = IsZstd(order)});
  manifest.created_at = kube::FormatTime(now);
  manifest.ns = order.backup.metadata.namespace_;
  manifest.cluster = order.backup.spec.cluster_ref ? order.backup.spec.cluster_ref->name : "";
  manifest.backup = {.name = order.backup.metadata.name, .uid = order.backup.metadata.uid};
  manifest.schedule = order.schedule;
  manifest.artifact = *report.artifact;
  if (report.verification) manifest.verification = *report.verification;
  return manifest;
}

Report ReportOf(const Manifest& manifest, std::string problem) {
  return {.is_ok = true,
          .reason = problem.empty() ? "" : "Unverified",
          .message = std::move(problem),
          .artifact = manifest.artifact,
          .verification = manifest.verification};
}

// Steps 6 and 7.
absl::Status Store(const backup::Order& order, store::ObjectStore& store, const Place& place,
                   Manifest& manifest) {
  ASSIGN_OR_RETURN(const store::LocalFile file,
                   MakeStored(place.files, SnapshotPath(place), order.backup.spec.compression));
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
  if (file.size <= place.read_back_max || order.backup.spec.read_back == model::ReadBack::kAlways) {
    if (const absl::Status read = CheckStored(store, manifest.key, manifest.artifact); !read.ok()) {
      base::IgnoreError(store.Delete(manifest.key), "without a manifest it does not exist");
      return read;
    }
  }
  return store.PutText(manifest.key + std::string(backup::kManifestSuffix),
                       backup::WriteManifest(manifest));
}

void PruneFor(const backup::Order& order, store::ObjectStore& store, const Place& place,
              Report& report) {
  if (!order.schedule || !order.retention) return;
  Prune(store, FolderOf(order), order.schedule->uid, backup::PolicyOf(*order.retention),
        place.clock.WallNow(), report);
}

// ---- The stages.

absl::StatusOr<Report> RunSnapshot(const backup::Order& order, const Place& place) {
  ASSIGN_OR_RETURN(const auto store, OpenDestination(order.backup.spec.destination, place));
  // Also the first look at the destination: its faults show before the members have any work.
  ASSIGN_OR_RETURN(const std::optional<Manifest> earlier, LookForEarlierTry(order, *store));
  HandOver next;
  if (earlier) {
    LOG_INFO("an earlier try has stored the backup", {"object", store->UriOf(earlier->key)});
    next.report = ReportOf(*earlier, "");
  } else {
    const model::EtcdBackupSpec& spec = order.backup.spec;
    ASSIGN_OR_RETURN(const Fetched fetched,
                     FetchSnapshot(order.endpoints,
                                   {.wanted = spec.source,
                                    .timeout = TimeoutOf(order.backup),
                                    .has_copy = IsZstd(order) ||
                                                spec.verify == model::Verification::kTrialRestore},
                                   place));
    next = {.endpoint = fetched.endpoint,
            .report = {.is_ok = true, .artifact = ArtifactOf(order, fetched)}};
  }
  RETURN_IF_ERROR(WriteHandOver(next, place));
  return next.report;
}

absl::StatusOr<Report> RunVerify(const backup::Order& order, const Place& place) {
  ASSIGN_OR_RETURN(HandOver at, ReadHandOver(place));
  if (at.is_stored() || order.backup.spec.verify != model::Verification::kTrialRestore) {
    return at.report;
  }
  RETURN_IF_ERROR(TrySnapshot(place, at.endpoint, at.report));
  const bool has_passed = at.report.message.empty();
  at.report.verification = model::BackupVerification{};
  at.report.verification->method = std::string(model::ToText(order.backup.spec.verify));
  at.report.verification->result = std::string(has_passed ? backup::kPassed : backup::kFailed);
  at.report.verification->at = kube::FormatTime(place.clock.WallNow());
  RETURN_IF_ERROR(WriteHandOver(at, place));
  return at.report;
}

// What is known without a trial: the digest was compared when the snapshot came.
model::BackupVerification VerifiedByDigest(const backup::Order& order, const Place& place) {
  model::BackupVerification verification;
  verification.method = std::string(model::ToText(order.backup.spec.verify));
  verification.result = std::string(
      order.backup.spec.verify == model::Verification::kHash ? backup::kPassed : backup::kSkipped);
  verification.at = kube::FormatTime(place.clock.WallNow());
  return verification;
}

absl::StatusOr<Report> RunStore(const backup::Order& order, const Place& place) {
  ASSIGN_OR_RETURN(HandOver at, ReadHandOver(place));
  ASSIGN_OR_RETURN(const auto store, OpenDestination(order.backup.spec.destination, place));
  Report report = at.report;
  if (!at.is_stored()) {
    if (!report.verification) {
      if (order.backup.spec.verify == model::Verification::kTrialRestore) {
        return base::DataLoss("the trial restore did not end");
      }
      report.verification = VerifiedByDigest(order, place);
    }
    Manifest manifest = ManifestOf(order, report, place);
    RETURN_IF_ERROR(Store(order, *store, place, manifest));
    report = ReportOf(manifest, at.report.message);
  }
  PruneFor(order, *store, place, report);
  return report;
}

absl::StatusOr<Report> Run(const backup::Order& order, const Place& place, backup::Stage stage) {
  switch (stage) {
    case backup::Stage::kSnapshot:
      return RunSnapshot(order, place);
    case backup::Stage::kVerify:
      return RunVerify(order, place);
    default:
      return RunStore(order, place);
  }
}

absl::Status Remove(const backup::Order& order, const Place& place) {
  const auto& artifact = order.backup.status.artifact;
  if (!artifact || !artifact->uri) {
    return store::Failure(absl::StatusCode::kNotFound, "BadObject",
                          "the backup has stored nothing");
  }
  ASSIGN_OR_RETURN(const auto store, OpenDestination(order.backup.spec.destination, place));
  ASSIGN_OR_RETURN(const std::string key, KeyOfUri(*artifact->uri, *store));
  ASSIGN_OR_RETURN(const std::optional<Manifest> manifest, FindManifest(*store, key));
  if (manifest && manifest->backup.uid != order.backup.metadata.uid) {
    return store::Failure(absl::StatusCode::kFailedPrecondition, "BackupForeign",
                          fmt::format("{} is of another backup now", store->UriOf(key)));
  }
  return RemoveStored(*store, key);
}

}  // namespace

Report RunStage(const backup::Order& order, const Place& place, backup::Stage stage) {
  const auto report = Run(order, place, stage);
  return report.ok() ? *report : FailedReport(ExplainScratch(report.status()));
}

Report TakeBackup(const backup::Order& order, const Place& place) {
  Report report;
  for (const auto stage :
       {backup::Stage::kSnapshot, backup::Stage::kVerify, backup::Stage::kStore}) {
    report = RunStage(order, place, stage);
    if (!report.is_ok) break;
  }
  return report;
}

Report DeleteBackup(const backup::Order& order, const Place& place) {
  const absl::Status status = Remove(order, place);
  return status.ok() ? Report{.is_ok = true} : FailedReport(status);
}

}  // namespace etcd::worker
