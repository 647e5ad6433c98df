#pragma once

#include <absl/status/status.h>

#include "server/base/file_system.h"
#include "server/main/data_dir.h"

namespace etcd::server {

// The upgrade in place. A directory that a stopped Go etcd 3.4 to 3.6 left has its backend in
// member/snap/db; ours goes on from it: the backend is imported once, log and .snap files are used
// as they are. Call with the directory locked and before the engine is opened; does nothing for a
// directory of ours or a new one. A crash at any step leaves Go's files untouched, or the import
// finished, or finished by the next call:
//
//   1. member/rocksdb.import   is built, closed and synced
//   2. -> member/rocksdb.ready
//   3. member/snap/db -> member/snap/db.imported    (the original, marked; Go starts on it no more)
//   4. member/snap/*.snap.db -> *.snap.db.imported  (received by Go from a leader)
//   5. member/rocksdb.ready -> member/rocksdb
//
// kUnavailable while another process has the database; kFailedPrecondition when both backends are
// there, when storage or cluster version is above ours, or when entries that are not in the backend
// yet need authentication; kDataLoss names what is damaged.
absl::Status ImportGoBackend(base::FileSystem& file_system, const DataDir& dir);

}  // namespace etcd::server
