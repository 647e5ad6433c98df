#pragma once

#include <string>

#include "operator/backup/order.h"
#include "operator/store/object_store.h"

namespace etcd::worker {

// Deletes what retention does not keep of the backups in `folder` that this schedule made, as their
// manifests say (operator-spec 10.5). Only after a backup that was stored: while they fail, the old
// ones may be needed. What happened is added to the report; a failure does not make the backup
// fail, the next one tries again.
void Prune(store::ObjectStore& store, const std::string& folder, const std::string& schedule_uid,
           const backup::RetentionPolicy& policy, backup::WallTime now, backup::Report& report);

// The manifest first: what is left of a deletion that broke off then does not exist.
absl::Status RemoveStored(store::ObjectStore& store, const std::string& key);

}  // namespace etcd::worker
