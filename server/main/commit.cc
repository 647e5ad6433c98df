#include "server/main/commit.h"

namespace etcd::server {

// The build system defines it for this file alone, so that a commit recompiles nothing else.
std::string GitCommit() { return ETCD_GIT_COMMIT; }

}  // namespace etcd::server
