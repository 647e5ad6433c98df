#pragma once

#include <cstddef>
#include <memory>

#include "server/base/call.h"
#include "server/base/executor.h"
#include "server/base/http_call.h"

// The JSON gateway: POST /v3/... with a JSON body, answered by the same handlers as gRPC
// (v3-api.md 10).
namespace etcd::api::gateway {

struct Options {
  // Larger messages are refused as gRPC does: max-request-bytes + 512 KiB.
  std::size_t receive_message_bytes_max = 2 * 1024 * 1024;
};

// Serves paths that begin with "/v3/", "/v3beta/" or are "/v3". `methods` and `executor`
// (deadlines, and reads that waited for a read index) outlive it.
std::unique_ptr<base::HttpHandler> MakeGateway(const base::MethodTable& methods,
                                               base::Executor& executor, Options options);

}  // namespace etcd::api::gateway
