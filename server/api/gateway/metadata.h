#pragma once

#include <absl/status/statusor.h>

#include "server/base/call.h"
#include "server/base/clock.h"
#include "server/base/executor.h"
#include "server/base/http_call.h"

namespace etcd::api::gateway {

// The call that a request's headers describe: Authorization, Grpc-Metadata-<x> and Grpc-Timeout
// become what a gRPC client would have sent. kInvalidArgument for a malformed timeout.
absl::StatusOr<base::CallContextPtr> MakeContext(const base::HttpRequest& request,
                                                 std::string_view method_path,
                                                 base::Clock::Monotonic now);

// Runs `expire` at the call's deadline, if it has one worth a timer: timers cannot be taken back,
// so `expire` holds the call weakly, and a deadline more than a day away is none.
void AtDeadline(const base::CallContext& context, base::Executor& timers, base::Task expire);

}  // namespace etcd::api::gateway
