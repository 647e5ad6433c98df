#pragma once

#include "server/api/v3/intercept.h"
#include "server/base/call.h"

namespace etcd::api::v3 {

// Methods of etcd that this server does not offer yet: registered, so that the table tells the
// whole surface, and answered as gRPC answers a method that it does not know; by a learner, as any
// other method. `interceptor` outlives the table.
void AddUnimplemented(base::MethodTable& table, const Interceptor& interceptor);

}  // namespace etcd::api::v3
