#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "server/base/file_system.h"
#include "server/base/ids.h"

namespace etcd::etcdutl {

struct ExportOptions {
  std::string data_dir;    // of a stopped member of ours
  std::string wal_dir;     // its --wal-dir; "": <data-dir>/member/wal
  std::string output_dir;  // new, or empty
};

struct ExportReport {
  MemberId member_id;
  Index index;                  // the database holds everything up to it; 0: nothing yet
  Index last_index;             // of the log, whose rest Go's etcd applies at its start
  std::string cluster_version;  // "3.6.0"; "" when it was never decided
};

// The way back to Go: writes <output-dir>/member with the layout of etcd (the database as
// snap/db, the log, a .snap file), on which the Go etcd of the cluster's version goes on as the
// same member, with the same HashKV. The source stays as it is, but must not be started again once
// the copy has been. The log gets a snapshot record at the database's index, so that nothing is
// replayed that another version might not know.
//
// Everything is synced when it returns; a crash or an error before leaves <output-dir>/member.tmp,
// which the next call replaces. kUnavailable while the member runs; kFailedPrecondition says what
// else must happen first; kDataLoss names damage.
absl::StatusOr<ExportReport> ExportDataDir(base::FileSystem& file_system,
                                           const ExportOptions& options);

}  // namespace etcd::etcdutl
