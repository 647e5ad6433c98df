#pragma once

#include <string>

#include <absl/status/status.h>

namespace etcd::api::gateway {

// HTTP status of a gRPC code.
int HttpStatusOf(absl::StatusCode code);

// {"code":n,"message":"..."}
std::string ErrorJson(const absl::Status& status);

}  // namespace etcd::api::gateway
