#include "operator/main/http_endpoint.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

#include "server/base/check.h"
#include "server/base/status.h"

namespace etcd::op {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kConnectionMax{3};
constexpr std::size_t kRequestMax = 8192;
constexpr int kAcceptAgainMs = 100;

absl::Status SystemError(const std::string& what) {
  return absl::UnavailableError(base::ToAbsl(fmt::format("{}: {}", what, std::strerror(errno))));
}

// False when the time is over.
bool Await(int fd, short events, Clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  if (left <= 0) return false;
  pollfd one{fd, events, 0};
  return poll(&one, 1, static_cast<int>(left)) == 1;
}

std::optional<std::string> ReadHead(int fd, Clock::time_point deadline) {
  std::string head;
  char buffer[2048];
  while (head.find("\r\n\r\n") == std::string::npos) {
    if (head.size() > kRequestMax || !Await(fd, POLLIN, deadline)) return std::nullopt;
    const ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got <= 0) return std::nullopt;
    head.append(buffer, static_cast<std::size_t>(got));
  }
  return head;
}

void WriteAll(int fd, std::string_view bytes, Clock::time_point deadline) {
  while (!bytes.empty() && Await(fd, POLLOUT, deadline)) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return;
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

absl::StatusOr<int> Bind(const addrinfo& address) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return SystemError("socket");
  const int on = 1, off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, 64) == 0) return fd;
  const absl::Status status = SystemError("bind");
  close(fd);
  return status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpEndpoint>> HttpEndpoint::Listen(const std::string& address,
                                                                   Handler handler) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    return absl::InvalidArgumentError(base::ToAbsl(address + ": write host:port or :port"));
  }
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string port = address.substr(colon + 1);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int failed =
      getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &found);
  if (failed != 0)
    return absl::InvalidArgumentError(base::ToAbsl(address + ": " + gai_strerror(failed)));
  absl::StatusOr<int> listener = absl::UnavailableError("no address");
  // The wildcard of IPv6, which takes IPv4 too, goes first; it cannot be bound where there is no
  // IPv6.
  for (const bool is_first : {true, false}) {
    for (const addrinfo* one = found; one != nullptr && !listener.ok(); one = one->ai_next) {
      const bool may_be_first = !host.empty() || one->ai_family == AF_INET6;
      if (!is_first || may_be_first) listener = Bind(*one);
    }
  }
  freeaddrinfo(found);
  if (!listener.ok()) return listener.status();
  const int wake = eventfd(0, EFD_CLOEXEC);
  CHECK(wake >= 0);
  return std::unique_ptr<HttpEndpoint>(new HttpEndpoint(*listener, wake, std::move(handler)));
}

HttpEndpoint::HttpEndpoint(int listener, int wake, Handler handler)
    : listener_(listener), wake_(wake), handler_(std::move(handler)) {
  thread_ = std::thread([this] { Run(); });
}

HttpEndpoint::~HttpEndpoint() {
  const std::uint64_t one = 1;
  CHECK(write(wake_, &one, sizeof one) == sizeof one);
  thread_.join();
  close(listener_);
  close(wake_);
}

int HttpEndpoint::port() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  char port[16] = "0";
  // The addresses of the socket API are told apart by their size.
  auto* const generic = static_cast<sockaddr*>(static_cast<void*>(&address));
  if (getsockname(listener_, generic, &size) == 0) {
    getnameinfo(generic, size, nullptr, 0, port, sizeof port, NI_NUMERICSERV);
  }
  return std::atoi(port);
}

void HttpEndpoint::Run() noexcept {
  for (;;) {
    pollfd both[2] = {{listener_, POLLIN, 0}, {wake_, POLLIN, 0}};
    if (poll(both, 2, -1) < 0) continue;
    if (both[1].revents != 0) return;
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) {
      // Without a descriptor the connection stays in the queue, and ready: not at once again.
      poll(&both[1], 1, kAcceptAgainMs);
      continue;
    }
    Serve(connection);
    close(connection);
  }
}

void HttpEndpoint::Serve(int connection) const {
  const auto deadline = Clock::now() + kConnectionMax;
  const std::optional<std::string> head = ReadHead(connection, deadline);
  if (!head.has_value()) return;
  const std::size_t space = head->find(' ');
  const std::string method = head->substr(0, space);
  std::string path = head->substr(space + 1);
  path = path.substr(0, path.find_first_of(" ?\r"));
  Page page{.code = 405, .body = "only GET is served\n"};
  if (method == "GET" || method == "HEAD") page = handler_(path);
  std::string answer = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
      page.code, page.code == 200 ? "OK" : "Error", page.content_type, page.body.size());
  if (method != "HEAD") answer += page.body;
  WriteAll(connection, answer, deadline);
}

}  // namespace etcd::op
