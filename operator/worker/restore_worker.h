#pragma once

#include "operator/backup/order.h"
#include "operator/worker/place.h"

namespace etcd::worker {

// The init container of a seed (operator-spec 11): brings the backup into the member's data
// directory, as the only member of a new cluster. Nothing is done when the directory has a member
// already. The backup's SHA-256 is compared with the order's, else with the manifest beside it; one
// with neither must carry its own digest, which is checked in any case.
backup::Report RestoreMember(const backup::RestoreOrder& order, const Place& place);

// Whether that would succeed: reads the backup into the scratch folder, checks it likewise and
// restores it for a trial. `restored_revision` is the backup's.
backup::Report TryRestore(const backup::RestoreOrder& order, const Place& place);

}  // namespace etcd::worker
