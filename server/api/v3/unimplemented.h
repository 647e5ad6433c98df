#pragma once

#include "server/base/call.h"

namespace etcd::api::v3 {

// Methods of etcd that this server does not offer yet: registered, so that the table tells the
// whole surface, and answered as gRPC answers a method that it does not know.
void AddUnimplemented(base::MethodTable& table);

}  // namespace etcd::api::v3
