#pragma once

#include "server/api/gateway/routes.h"
#include "server/base/call.h"
#include "server/base/executor.h"
#include "server/base/http_call.h"

namespace etcd::api::gateway {

// A streaming call: the body is one or more JSON objects, the answer one {"result":...} a line. It
// goes on until the handler ends it or the HTTP client leaves. `timers` runs its deadline.
void StartStream(const Route& route, base::CallContextPtr context, const base::HttpRequest& request,
                 base::HttpResponderPtr responder, base::Executor& timers);

}  // namespace etcd::api::gateway
