#pragma once

#include "server/base/call.h"

namespace etcd::api::v3 {

// gRPC server reflection, v1 and v1alpha (--enable-grpc-reflection): tools ask for the services of
// the table, these two included, and for the files that describe them. Call it last, before the
// table is served.
void AddReflection(base::MethodTable& table);

}  // namespace etcd::api::v3
