#pragma once

#include <string>

#include <absl/status/status.h>

#include "server/base/file_system.h"

namespace etcd::etcdutl {

// Deletes <dir>/*.tmp: the reserve that an open log allocates.
absl::Status RemoveTemporary(base::FileSystem& file_system, const std::string& dir);

}  // namespace etcd::etcdutl
