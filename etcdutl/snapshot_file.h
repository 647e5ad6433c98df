#pragma once

#include <string>

#include <absl/status/status.h>

#include "server/base/file_system.h"

namespace etcd::etcdutl {

// Reads the file once and compares the SHA-256 of the database in it with the one that a snapshot
// ends with (raft-peer-storage.md 8.6). kDataLoss with etcd's text when it is another one or is
// missing, as in a copy of member/snap/db. Constant memory.
absl::Status VerifyDigest(base::FileSystem& file_system, const std::string& path);

}  // namespace etcd::etcdutl
