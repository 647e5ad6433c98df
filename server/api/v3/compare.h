#pragma once

#include <absl/status/statusor.h>

#include "server/apply/range_exec.h"
#include "server/base/ids.h"

namespace etcdserverpb {
class Compare;
}

namespace etcd::api::v3 {

// Whether the condition holds for every key of its range at revision `at` (v3-api.md 3.4). Without
// a key in the range: false for VALUE, else the comparison with a key that was never written.
absl::StatusOr<bool> CompareHolds(const apply::RangeSource& source,
                                  const etcdserverpb::Compare& compare, Revision at);

}  // namespace etcd::api::v3
