#pragma once

#include <memory>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/config/urls.h"
#include "server/net/address.h"
#include "server/net/stream.h"

// What the URLs of peers mean for sockets.
namespace etcd::rafthttp {

absl::StatusOr<net::Endpoint> EndpointOf(const config::Url& url);

// The seam for TLS: the only place where a descriptor becomes a stream. It takes over `descriptor`,
// also when it fails. `url` is what was dialed or listened on: its scheme decides.
absl::StatusOr<std::unique_ptr<net::ByteStream>> MakeClientStream(int descriptor,
                                                                  const config::Url& url);
absl::StatusOr<std::unique_ptr<net::ByteStream>> MakeServerStream(int descriptor,
                                                                  const config::Url& url);
// Whether this build can speak the scheme of the URL.
absl::Status CheckScheme(const config::Url& url);

}  // namespace etcd::rafthttp
