#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include <absl/status/statusor.h>

#include "server/base/call.h"
#include "server/base/executor.h"
#include "server/base/http_call.h"

// The JSON gateway: POST /v3/... with a JSON body, answered by the same handlers as gRPC
// (v3-api.md 10).
namespace etcd::api::gateway {

// A unary call that was answered; nothing of the answer has been read.
struct AnsweredCall {
  const base::CallContext& context;
  std::string_view request;
  const absl::StatusOr<base::Body>& response;
  std::chrono::nanoseconds took;
};

struct Options {
  // Larger messages are refused as gRPC does: max-request-bytes + 512 KiB.
  std::size_t receive_message_bytes_max = 2 * 1024 * 1024;
  // Told of every unary call, on any thread; may be empty.
  std::function<void(const AnsweredCall&)> answered;
};

// Serves paths that begin with "/v3/", "/v3beta/" or are "/v3". `methods` and `executor`
// (deadlines, and reads that waited for a read index) outlive it.
std::unique_ptr<base::HttpHandler> MakeGateway(const base::MethodTable& methods,
                                               base::Executor& executor, Options options);

}  // namespace etcd::api::gateway
