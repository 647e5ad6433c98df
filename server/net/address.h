#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

// Names and addresses of sockets: resolving, binding, connecting.
namespace etcd::net {

// Where to listen or to dial.
struct Endpoint {
  std::string host;       // address without brackets, or name; "" when listening: every interface
  std::string port;       // decimal
  std::string unix_path;  // not empty: a unix socket at this path, and the others count for nothing
};

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

// "127.0.0.1:2380", "[::1]:2380", "@" for a unix socket (as Go prints it).
std::string ToText(const Address& address);

// The address of an endpoint that needs no resolver (an IP literal or a unix socket); nullopt: a
// name.
std::optional<Address> LiteralAddress(const Endpoint& endpoint);
// Asks the system's resolver; blocks, for seconds when it does not answer. Not empty. The names of
// this machine itself are answered here (localhost.h).
absl::StatusOr<std::vector<Address>> Resolve(const Endpoint& endpoint);
// What stands for Resolve; any thread may call it.
using Lookup = std::function<absl::StatusOr<std::vector<Address>>(const Endpoint&)>;

struct BoundSocket {
  int descriptor = -1;     // non-blocking; the caller closes it
  std::uint16_t port = 0;  // 0 for unix sockets
};
struct BindOptions {
  bool reuse_port = false;  // SO_REUSEPORT: several processes may listen there
};
// Binds and listens; of a name's addresses the first of IPv4, as Go does, else the first one. A
// stale file of a unix socket is removed first. Blocks on the resolver. kUnavailable, in Go's words
// ("listen tcp 127.0.0.1:2379: bind: address already in use"); kInvalidArgument for a path that is
// too long.
absl::StatusOr<BoundSocket> Bind(const Endpoint& endpoint, BindOptions options = {});

// A non-blocking descriptor whose connect has begun; the caller closes it.
absl::StatusOr<int> BeginConnect(const Address& address);
// The outcome of a connect that was begun, once the descriptor is writable.
absl::Status ConnectResult(int descriptor);

// TCP_NODELAY, and keepalives every 30 s (server-surface.md 4.4).
void SetTcpOptions(int descriptor);

}  // namespace etcd::net
