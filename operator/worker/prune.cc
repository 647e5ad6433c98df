#include "operator/worker/prune.h"

#include <string_view>
#include <vector>

#include "operator/backup/naming.h"
#include "operator/kube/times.h"
#include "operator/worker/transfer.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::worker {
namespace {

// Backups of the schedule. A manifest that cannot be read is left alone and told.
absl::StatusOr<std::vector<backup::StoredBackup>> ReadAll(store::ObjectStore& store,
                                                          const std::string& folder,
                                                          const std::string& schedule_uid,
                                                          std::string& problem) {
  ASSIGN_OR_RETURN(const auto objects, store.List(folder));
  std::vector<backup::StoredBackup> stored;
  for (const store::ObjectInfo& object : objects) {
    const std::string_view name = std::string_view(object.key).substr(folder.size());
    if (!name.ends_with(backup::kManifestSuffix)) continue;
    const std::string key =
        object.key.substr(0, object.key.size() - backup::kManifestSuffix.size());
    if (!backup::ParseFileName(name.substr(0, name.size() - backup::kManifestSuffix.size()))) {
      continue;
    }
    const auto manifest = FindManifest(store, key);
    if (!manifest.ok()) {
      problem = base::MessageOf(manifest.status());
      continue;
    }
    // Its own key: a manifest that was copied elsewhere must not delete what lies there.
    if (!*manifest || (*manifest)->key != key || !(*manifest)->schedule ||
        (*manifest)->schedule->uid != schedule_uid) {
      continue;
    }
    const auto at = kube::ParseTime((*manifest)->created_at);
    if (!at.ok()) continue;
    stored.push_back({.key = key, .at = *at, .is_verified = (*manifest)->is_verified()});
  }
  return stored;
}

}  // namespace

absl::Status RemoveStored(store::ObjectStore& store, const std::string& key) {
  RETURN_IF_ERROR(store.Delete(key + std::string(backup::kManifestSuffix)));
  return store.Delete(key);
}

void Prune(store::ObjectStore& store, const std::string& folder, const std::string& schedule_uid,
           const backup::RetentionPolicy& policy, backup::WallTime now, backup::Report& report) {
  const auto stored = ReadAll(store, folder, schedule_uid, report.prune_problem);
  if (!stored.ok()) {
    report.prune_problem = base::MessageOf(stored.status());
    return;
  }
  for (const backup::StoredBackup& old : backup::SelectForDeletion(*stored, policy, now)) {
    const absl::Status status = RemoveStored(store, old.key);
    if (status.ok()) {
      ++report.pruned;
      LOG_INFO("deleted an old backup", {"object", store.UriOf(old.key)});
    } else {
      report.prune_problem = base::MessageOf(status);
    }
  }
}

}  // namespace etcd::worker
