#include "etcdutl/files.h"

#include <vector>

#include "server/base/status.h"

namespace etcd::etcdutl {

absl::Status RemoveTemporary(base::FileSystem& file_system, const std::string& dir) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system.List(dir));
  for (const std::string& name : names) {
    if (name.ends_with(".tmp")) RETURN_IF_ERROR(file_system.Remove(dir + "/" + name));
  }
  return absl::OkStatus();
}

}  // namespace etcd::etcdutl
