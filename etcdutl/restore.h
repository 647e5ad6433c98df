#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "server/base/file_system.h"
#include "server/base/ids.h"

namespace etcd::etcdutl {

struct RestoreOptions {
  std::string snapshot_path;
  std::string name = "default";
  std::string initial_cluster = "default=http://localhost:2380";
  std::string initial_cluster_token = "etcd-cluster";
  std::string initial_advertise_peer_urls = "http://localhost:2380";
  std::string data_dir;  // "": <name>.etcd; absent, empty, or with a restore that was killed
  std::string wal_dir;   // "": <data-dir>/member/wal; must not exist
  bool skip_hash_check = false;  // of the digest; structure and records are always checked
  // Both or neither: raises the revision by so much and marks everything up to there compacted, so
  // that watchers from before the snapshot break instead of missing what was lost.
  std::uint64_t bump_revision = 0;
  bool mark_compacted = false;
};

struct RestoreReport {
  MemberId member_id;
  ClusterId cluster_id;
  std::uint64_t records = 0;  // of the key bucket
  Revision revision;          // the last record's, after a bump
  bool auth_enabled = false;  // in the data
};

// Makes of a snapshot, ours or of Go's 3.4 to 3.6, the data directory of a member of a new cluster,
// on which our server starts: the database as engine (keys, leases, authentication and alarms as
// they are; members and consistent index replaced), a log and a .snap file as etcd writes them
// (raft-peer-storage.md 8.7). Every member of the new cluster is made from the same file with the
// same initial cluster and token. Constant memory; blocks.
//
// All is checked before it is built, and it is built and synced as <data-dir>/member.restoring,
// which becomes `member` as the last step: a call that was killed leaves nothing that a server
// starts on, and the next call begins again. A failed call removes what it made. kInvalidArgument,
// kFailedPrecondition: options and directories, with etcd's text; kDataLoss: the file; kUnavailable
// while another restore works in the directory.
absl::StatusOr<RestoreReport> RestoreSnapshot(base::FileSystem& file_system,
                                              const RestoreOptions& options);

}  // namespace etcd::etcdutl
