#pragma once

#include <absl/status/statusor.h>

#include "server/api/v3/core.h"
#include "server/base/call.h"

namespace etcdserverpb {
class TxnRequest;
}

namespace etcd::api::v3 {

// The TxnResponse of a transaction that only reads: compares and ranges all see one revision.
// Errors: kCompacted, kFutureRevision of a range on the taken branch.
absl::StatusOr<base::Body> ExecuteReadTxn(const Core& core, const etcdserverpb::TxnRequest& txn);

}  // namespace etcd::api::v3
