#include "server/rafthttp/address.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/base/status.h"
#include "server/rafthttp/socket.h"

namespace etcd::rafthttp {
namespace {

absl::Status SystemError(const std::string& what) {
  return base::MakeStatus(absl::StatusCode::kUnavailable, what + ": " + std::strerror(errno));
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

absl::StatusOr<std::vector<Address>> Lookup(const config::Url& url, int flags) {
  ASSIGN_OR_RETURN(config::HostPort parts, config::SplitHostPort(url.host));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const char* const host = parts.host.empty() ? nullptr : parts.host.c_str();
  const int result = ::getaddrinfo(host, parts.port.c_str(), &hints, &found);
  if (result != 0) {
    return base::MakeStatus(absl::StatusCode::kUnavailable,
                            "lookup " + parts.host + ": " + ::gai_strerror(result));
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

absl::StatusOr<BoundSocket> BindAddress(const Address& address, const std::string& where) {
  const int family = address.bytes.ss_family;
  const int descriptor = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return SystemError("listen " + where);
  const int on = 1;
  const int off = 0;
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&address.bytes), address.size) != 0 ||
      ::listen(descriptor, SOMAXCONN) != 0) {
    const absl::Status error = SystemError("listen " + where);
    ::close(descriptor);
    return error;
  }
  Address bound;
  bound.size = sizeof bound.bytes;
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound.bytes), &bound.size);
  if (family == AF_UNIX) return BoundSocket{descriptor, 0};
  // The port is at the same place in both families.
  return BoundSocket{descriptor, ntohs(reinterpret_cast<const sockaddr_in&>(bound.bytes).sin_port)};
}

absl::StatusOr<BoundSocket> BindUnix(const std::string& path) {
  ASSIGN_OR_RETURN(const Address address, UnixAddress(path));
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) ::unlink(path.c_str());
  return BindAddress(address, "unix " + path);
}

}  // namespace

std::string ToText(const Address& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.bytes.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(address.bytes);
    return std::string(::inet_ntop(AF_INET, &in.sin_addr, text, sizeof text)) + ":" +
           std::to_string(ntohs(in.sin_port));
  }
  if (address.bytes.ss_family != AF_INET6) return "@";
  const auto& in6 = reinterpret_cast<const sockaddr_in6&>(address.bytes);
  const std::string port = std::to_string(ntohs(in6.sin6_port));
  if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
    ::inet_ntop(AF_INET, &in6.sin6_addr.s6_addr[12], text, sizeof text);
    return std::string(text) + ":" + port;
  }
  ::inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text);
  return "[" + std::string(text) + "]:" + port;
}

std::optional<Address> LiteralAddress(const config::Url& url) {
  if (url.is_unix()) {
    auto address = UnixAddress(url.host);
    return address.ok() ? std::optional(*address) : std::nullopt;
  }
  const auto found = Lookup(url, AI_NUMERICHOST);
  if (!found.ok() || found->empty()) return std::nullopt;
  return found->front();
}

absl::StatusOr<std::vector<Address>> Resolve(const config::Url& url) {
  if (const auto literal = LiteralAddress(url)) return std::vector<Address>{*literal};
  if (url.is_unix()) return UnixAddress(url.host).status();
  return Lookup(url, 0);
}

absl::StatusOr<BoundSocket> Bind(const config::Url& url) {
  if (url.is_unix()) return BindUnix(url.host);
  // No host: both families where there is IPv6, whose wildcard takes IPv4 too.
  if (url.host.starts_with(':')) {
    auto bound = Bind({url.scheme, "[::]" + url.host});
    return bound.ok() ? bound : Bind({url.scheme, "0.0.0.0" + url.host});
  }
  ASSIGN_OR_RETURN(const std::vector<Address> addresses, Lookup(url, AI_PASSIVE));
  return BindAddress(addresses.front(), "tcp " + url.host);
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
  const absl::Status error = SystemError("connect " + ToText(address));
  ::close(descriptor);
  return error;
}

}  // namespace etcd::rafthttp
