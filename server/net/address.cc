#include "server/net/address.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/base/ascii.h"
#include "server/base/status.h"
#include "server/net/localhost.h"

namespace etcd::net {
namespace {

constexpr int kKeepaliveSeconds = 30;

// In Go's words: those of the C library with a small letter first.
std::string ErrorText(int number) {
  std::string text = std::strerror(number);
  if (!text.empty()) text[0] = base::AsciiLower(text.substr(0, 1))[0];
  return text;
}

absl::Status SystemError(const std::string& what) {
  return base::MakeStatus(absl::StatusCode::kUnavailable, what + ": " + ErrorText(errno));
}

void SetOption(int descriptor, int level, int name, int value) {
  ::setsockopt(descriptor, level, name, &value, sizeof value);
}

std::string JoinHostPort(const std::string& host, const std::string& port) {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
}

// Of a bound or accepted socket; 0 for unix sockets.
std::uint16_t PortOf(const Address& address) {
  if (address.bytes.ss_family == AF_UNIX) return 0;
  // The port is at the same place in both families.
  return ntohs(reinterpret_cast<const sockaddr_in&>(address.bytes).sin_port);
}

absl::StatusOr<Address> UnixAddress(const std::string& path) {
  Address address;
  auto& unix_address = reinterpret_cast<sockaddr_un&>(address.bytes);
  if (path.size() >= sizeof unix_address.sun_path) {
    return base::MakeStatus(absl::StatusCode::kInvalidArgument,
                            "unix socket path is too long: " + path);
  }
  unix_address.sun_family = AF_UNIX;
  path.copy(unix_address.sun_path, path.size());
  address.size = sizeof unix_address;
  return address;
}

absl::StatusOr<std::vector<Address>> AskSystem(const Endpoint& endpoint, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const char* const host = endpoint.host.empty() ? nullptr : endpoint.host.c_str();
  const int result = ::getaddrinfo(host, endpoint.port.c_str(), &hints, &found);
  if (result != 0) {
    return base::MakeStatus(absl::StatusCode::kUnavailable,
                            "lookup " + endpoint.host + ": " + ::gai_strerror(result));
  }
  std::vector<Address> addresses;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    Address address;
    std::memcpy(&address.bytes, entry->ai_addr, entry->ai_addrlen);
    address.size = entry->ai_addrlen;
    addresses.push_back(address);
  }
  ::freeaddrinfo(found);
  return addresses;
}

absl::StatusOr<BoundSocket> BindAddress(const Address& address, const std::string& where,
                                        BindOptions options) {
  const int family = address.bytes.ss_family;
  const int descriptor = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return SystemError("listen " + where + ": socket");
  if (family != AF_UNIX) {
    SetOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
    if (options.reuse_port) SetOption(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
  }
  if (family == AF_INET6) SetOption(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  const char* failed = nullptr;
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&address.bytes), address.size) != 0) {
    failed = "bind";
  } else if (::listen(descriptor, SOMAXCONN) != 0) {
    failed = "listen";
  }
  if (failed != nullptr) {
    absl::Status error = SystemError("listen " + where + ": " + failed);
    ::close(descriptor);
    return error;
  }
  Address bound;
  bound.size = sizeof bound.bytes;
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound.bytes), &bound.size);
  return BoundSocket{descriptor, PortOf(bound)};
}

// Both families where there is IPv6, whose wildcard takes IPv4 too.
absl::StatusOr<BoundSocket> BindEverywhere(const Endpoint& endpoint, BindOptions options) {
  absl::StatusOr<BoundSocket> bound;
  for (const char* wildcard : {"::", "0.0.0.0"}) {
    const auto address = LiteralAddress({wildcard, endpoint.port, {}});
    if (!address) return AskSystem({wildcard, endpoint.port, {}}, AI_NUMERICHOST).status();
    bound = BindAddress(*address, "tcp :" + endpoint.port, options);
    if (bound.ok()) break;
  }
  return bound;
}

// The first one of IPv4, as Go's listeners choose among the addresses of a name.
const Address& PreferredToListen(const std::vector<Address>& addresses) {
  for (const Address& address : addresses) {
    if (address.bytes.ss_family == AF_INET) return address;
  }
  return addresses.front();
}

absl::StatusOr<BoundSocket> BindUnix(const std::string& path) {
  ASSIGN_OR_RETURN(const Address address, UnixAddress(path));
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) ::unlink(path.c_str());
  return BindAddress(address, "unix " + path, {});
}

}  // namespace

std::string ToText(const Address& address) {
  char text[INET6_ADDRSTRLEN] = {};
  const std::string port = std::to_string(PortOf(address));
  if (address.bytes.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(address.bytes);
    return std::string(::inet_ntop(AF_INET, &in.sin_addr, text, sizeof text)) + ":" + port;
  }
  if (address.bytes.ss_family != AF_INET6) return "@";
  const auto& in6 = reinterpret_cast<const sockaddr_in6&>(address.bytes);
  if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
    ::inet_ntop(AF_INET, &in6.sin6_addr.s6_addr[12], text, sizeof text);
    return std::string(text) + ":" + port;
  }
  ::inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text);
  return JoinHostPort(text, port);
}

std::optional<Address> LiteralAddress(const Endpoint& endpoint) {
  if (!endpoint.unix_path.empty()) {
    auto address = UnixAddress(endpoint.unix_path);
    return address.ok() ? std::optional(*address) : std::nullopt;
  }
  const auto found = AskSystem(endpoint, AI_NUMERICHOST);
  if (!found.ok() || found->empty()) return std::nullopt;
  return found->front();
}

absl::StatusOr<std::vector<Address>> Resolve(const Endpoint& endpoint) {
  if (const auto literal = LiteralAddress(endpoint)) return std::vector<Address>{*literal};
  if (!endpoint.unix_path.empty()) return UnixAddress(endpoint.unix_path).status();
  if (IsLocalhost(endpoint.host)) {
    std::vector<Address> own = LocalhostAddresses(endpoint);
    if (!own.empty()) return own;
  }
  return AskSystem(endpoint, 0);
}

absl::StatusOr<BoundSocket> Bind(const Endpoint& endpoint, BindOptions options) {
  if (!endpoint.unix_path.empty()) return BindUnix(endpoint.unix_path);
  if (endpoint.host.empty()) return BindEverywhere(endpoint, options);
  ASSIGN_OR_RETURN(const std::vector<Address> addresses, Resolve(endpoint));
  const Address& address = PreferredToListen(addresses);
  return BindAddress(address, "tcp " + ToText(address), options);
}

absl::StatusOr<int> BeginConnect(const Address& address) {
  const int family = address.bytes.ss_family;
  const int descriptor = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return SystemError("socket");
  if (family != AF_UNIX) SetTcpOptions(descriptor);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address.bytes), address.size) == 0 ||
      errno == EINPROGRESS) {
    return descriptor;
  }
  absl::Status error = SystemError("connect " + ToText(address));
  ::close(descriptor);
  return error;
}

absl::Status ConnectResult(int descriptor) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error == 0) return absl::OkStatus();
  return base::MakeStatus(absl::StatusCode::kUnavailable, "connect: " + ErrorText(error));
}

void SetTcpOptions(int descriptor) {
  SetOption(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, kKeepaliveSeconds);
  SetOption(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, kKeepaliveSeconds);
}

}  // namespace etcd::net
