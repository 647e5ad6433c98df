#pragma once

#include <absl/status/statusor.h>

#include "server/base/call.h"
#include "server/base/clock.h"
#include "server/base/http_call.h"

namespace etcd::api::gateway {

// The call that a request's headers describe: Authorization, Grpc-Metadata-<x> and Grpc-Timeout
// become what a gRPC client would have sent. kInvalidArgument for a malformed timeout.
absl::StatusOr<base::CallContextPtr> MakeContext(const base::HttpRequest& request,
                                                 std::string_view method_path,
                                                 base::Clock::Monotonic now);

}  // namespace etcd::api::gateway
