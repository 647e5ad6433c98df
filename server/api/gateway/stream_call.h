#pragma once

#include <cstddef>
#include <memory>

#include "server/api/gateway/routes.h"
#include "server/base/call.h"
#include "server/base/executor.h"
#include "server/base/http_call.h"

namespace etcd::api::gateway {

// A streaming call: the body is one or more JSON objects, each handed over when it has come, the
// answer one {"result":...} a line. It goes on until the handler ends it or the HTTP client leaves.
// `timers` runs its deadline; an object of more than `bytes_max` bytes ends it.
std::shared_ptr<base::HttpBodyReader> StartStream(const Route& route, base::CallContextPtr context,
                                                  base::HttpResponderPtr responder,
                                                  base::Executor& timers, std::size_t bytes_max);

}  // namespace etcd::api::gateway
