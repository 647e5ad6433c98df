#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <vector>

#include <absl/status/statusor.h>

#include "server/config/urls.h"

// Socket addresses of URLs.
namespace etcd::rafthttp {

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

// "127.0.0.1:2380", "[::1]:2380", "@" for a unix socket (as Go prints it).
std::string ToText(const Address& address);

// The address of a URL that needs no resolver (an IP literal or a unix socket); nullopt: a name.
std::optional<Address> LiteralAddress(const config::Url& url);
// Asks the resolver; blocks, for seconds when it does not answer.
absl::StatusOr<std::vector<Address>> Resolve(const config::Url& url);

struct BoundSocket {
  int descriptor = -1;
  std::uint16_t port = 0;  // 0 for unix sockets
};
// Binds and listens. A stale file of a unix socket is removed first. Blocks on the resolver.
absl::StatusOr<BoundSocket> Bind(const config::Url& url);

// A non-blocking descriptor whose connect has begun.
absl::StatusOr<int> BeginConnect(const Address& address);

}  // namespace etcd::rafthttp
