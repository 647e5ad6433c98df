#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace etcd::client::internal {

// What gRPC is told to connect to for an endpoint as users write it (Config::endpoints), and the
// one place that knows what a scheme means. InvalidArgument for what is no endpoint, Unimplemented
// for one with TLS.
absl::StatusOr<std::string> TargetOf(std::string_view endpoint);

}  // namespace etcd::client::internal
