#include "server/transport/listener.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::transport {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr std::chrono::milliseconds kRetry(50);
constexpr int kTcpKeepaliveSeconds = 30;  // reference server-surface.md 4.4

absl::Status SystemError(std::string_view what, const std::string& where) {
  return base::MakeStatus(absl::StatusCode::kUnavailable,
                          std::string(what) + " " + where + ": " + std::strerror(errno));
}

void SetOption(int descriptor, int level, int name, int value) {
  ::setsockopt(descriptor, level, name, &value, sizeof value);
}

std::uint16_t PortOf(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  }
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  }
  return 0;
}

// "127.0.0.1:2379", "[::1]:2379", "@" for an unnamed unix socket (as Go prints it).
std::string PeerText(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = {};
  const std::string port = std::to_string(PortOf(address));
  if (address.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(address);
    return std::string(::inet_ntop(AF_INET, &in.sin_addr, text, sizeof text)) + ":" + port;
  }
  if (address.ss_family != AF_INET6) return "@";
  const auto& in6 = reinterpret_cast<const sockaddr_in6&>(address);
  if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
    return std::string(::inet_ntop(AF_INET, &in6.sin6_addr.s6_addr[12], text, sizeof text)) + ":" +
           port;
  }
  return "[" + std::string(::inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text)) + "]:" + port;
}

absl::StatusOr<BoundSocket> BindUnix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return base::MakeStatus(absl::StatusCode::kInvalidArgument,
                            "unix socket path is too long: " + path);
  }
  path.copy(address.sun_path, path.size());
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) ::unlink(path.c_str());
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return SystemError("socket", path);
  if (::bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(descriptor, SOMAXCONN) != 0) {
    const absl::Status error = SystemError("listen unix", path);
    ::close(descriptor);
    return error;
  }
  return BoundSocket{descriptor, 0};
}

absl::StatusOr<BoundSocket> BindAddress(const addrinfo& address, const std::string& where,
                                        bool reuse_port) {
  const int descriptor = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return SystemError("socket", where);
  SetOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
  if (reuse_port) SetOption(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
  if (address.ai_family == AF_INET6) SetOption(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (::bind(descriptor, address.ai_addr, address.ai_addrlen) != 0 ||
      ::listen(descriptor, SOMAXCONN) != 0) {
    const absl::Status error = SystemError("listen tcp", where);
    ::close(descriptor);
    return error;
  }
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &length);
  return BoundSocket{descriptor, PortOf(bound)};
}

}  // namespace

absl::StatusOr<BoundSocket> BindEndpoint(const ListenEndpoint& endpoint) {
  if (!endpoint.unix_path.empty()) return BindUnix(endpoint.unix_path);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(endpoint.port);
  const std::string where = endpoint.host + ":" + port;
  // "" means both families: the IPv6 wildcard takes IPv4 too, where there is IPv6 at all.
  const char* host = endpoint.host.empty() ? "::" : endpoint.host.c_str();
  int result = ::getaddrinfo(host, port.c_str(), &hints, &found);
  if (result != 0) {
    return base::MakeStatus(absl::StatusCode::kInvalidArgument,
                            "listen tcp " + where + ": " + ::gai_strerror(result));
  }
  absl::StatusOr<BoundSocket> bound = BindAddress(*found, where, endpoint.reuse_port);
  ::freeaddrinfo(found);
  if (!bound.ok() && endpoint.host.empty() &&
      ::getaddrinfo("0.0.0.0", port.c_str(), &hints, &found) == 0) {
    bound = BindAddress(*found, where, endpoint.reuse_port);
    ::freeaddrinfo(found);
  }
  return bound;
}

Listener::Listener(Loop& loop, const ListenEndpoint& endpoint, BoundSocket socket)
    : loop_(loop),
      endpoint_(endpoint),
      socket_(socket),
      readiness_(loop.io()),
      retry_(loop.timers(), [this] { Accept(); }) {}

Listener::~Listener() { Close(); }

void Listener::Start(OnAccepted on_accepted, HasRoom has_room) {
  on_accepted_ = std::move(on_accepted);
  has_room_ = std::move(has_room);
  boost::system::error_code error;
  readiness_.assign(socket_.descriptor, error);
  if (error) {
    LOG_ERROR("cannot watch a listener", {"error", error.message()});
    return;
  }
  Arm();
}

void Listener::Close() {
  if (closed_) return;
  closed_ = true;
  retry_.Disarm();
  boost::system::error_code ignored;
  if (readiness_.is_open()) {
    readiness_.cancel(ignored);
    readiness_.release();
  }
  ::close(socket_.descriptor);
  if (!endpoint_.unix_path.empty()) ::unlink(endpoint_.unix_path.c_str());
}

void Listener::Arm() {
  readiness_.async_wait(readiness_.wait_read, [this](const boost::system::error_code& error) {
    if (error) return;  // closed; `this` may be gone
    loop_.Run([this] { Accept(); });
  });
}

void Listener::Accept() {
  if (closed_) return;
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (!has_room_()) {
      retry_.Arm(loop_.now() + kRetry);  // the rest waits in the kernel's queue
      return;
    }
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    const int descriptor = ::accept4(socket_.descriptor, reinterpret_cast<sockaddr*>(&address),
                                     &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) {
      if (errno == ECONNABORTED || errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      LOG_WARN("cannot accept a connection", {"error", std::strerror(errno)});
      retry_.Arm(loop_.now() + kRetry);
      return;
    }
    if (endpoint_.unix_path.empty()) {
      SetOption(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
      SetOption(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
      SetOption(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, kTcpKeepaliveSeconds);
      SetOption(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, kTcpKeepaliveSeconds);
    }
    on_accepted_(descriptor, PeerText(address));
  }
  Arm();
}

}  // namespace etcd::transport
