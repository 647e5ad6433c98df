#pragma once

#include <string>

namespace etcd::server {

// Short hash of the source that the binary was built from; "unknown" outside of a repository.
std::string GitCommit();

}  // namespace etcd::server
