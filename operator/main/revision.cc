#include "operator/main/revision.h"

namespace etcd::op {

// The build system defines it for this file alone, so that a commit recompiles nothing else.
std::string GitRevision() { return ETCD_GIT_COMMIT; }

}  // namespace etcd::op
