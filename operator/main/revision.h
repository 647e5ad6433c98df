#pragma once

#include <string>

namespace etcd::op {

// Short hash of the source that the binary was built from; "unknown" outside of a repository.
std::string GitRevision();

}  // namespace etcd::op
