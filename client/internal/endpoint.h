#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace etcd::client::internal {

// What gRPC is told to connect to for an endpoint as users write it (Config::endpoints), and the
// one place that knows what a scheme means. The text never equals the name of a peer of a
// connection ("ipv4:1.2.3.4:2379"): by that a call that was never on a connection is told apart
// (Core). InvalidArgument for what is no endpoint, Unimplemented for one with TLS.
absl::StatusOr<std::string> TargetOf(std::string_view endpoint);

}  // namespace etcd::client::internal
