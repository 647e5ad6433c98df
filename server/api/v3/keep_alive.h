#pragma once

#include <memory>

#include "server/api/v3/core.h"
#include "server/base/call.h"

namespace etcd::api::v3 {

// Lease.LeaseKeepAlive: one response per request, in order. All requests that wait share one
// confirmation of leadership.
std::unique_ptr<base::StreamHandler> OpenKeepAlive(const Core& core, base::CallContextPtr context,
                                                   base::StreamSinkPtr sink);

}  // namespace etcd::api::v3
