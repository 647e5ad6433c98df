#include "tests/support/loopback_http.h"

#include <arpa/inet.h>
#include <cstdlib>
#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace etcd::testing {
namespace {

// More bytes into `buffer`; false at the end.
bool Receive(int fd, std::string& buffer) {
  char piece[16384];
  const ssize_t count = recv(fd, piece, sizeof(piece), 0);
  if (count <= 0) return false;
  buffer.append(piece, static_cast<std::size_t>(count));
  return true;
}

std::optional<LoopbackHttp::Request> ReadRequest(int fd, std::string& buffer) {
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!Receive(fd, buffer)) return std::nullopt;
  }
  LoopbackHttp::Request request;
  request.head = buffer.substr(0, end + 2);
  const std::size_t space = request.head.find(' ');
  request.method = request.head.substr(0, space);
  request.target = request.head.substr(space + 1, request.head.find(' ', space + 1) - space - 1);
  constexpr std::string_view kLength = "Content-Length: ";
  std::size_t length = 0;
  if (const std::size_t at = request.head.find(kLength); at != std::string::npos) {
    length = std::strtoull(request.head.c_str() + at + kLength.size(), nullptr, 10);
  }
  while (buffer.size() < end + 4 + length) {
    if (!Receive(fd, buffer)) return std::nullopt;
  }
  request.body = buffer.substr(end + 4, length);
  buffer.erase(0, end + 4 + length);
  return request;
}

}  // namespace

void LoopbackHttp::Peer::Write(std::string_view bytes) {
  while (!bytes.empty() && is_open_) {
    const ssize_t count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) {
      is_open_ = false;
      return;
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void LoopbackHttp::Peer::Answer(int code, std::string_view body, std::string_view headers) {
  std::string text = "HTTP/1.1 " + std::to_string(code) + " X\r\n";
  text +=
      "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  text += headers;
  text += "\r\n";
  text += body;
  Write(text);
}

void LoopbackHttp::Peer::WaitForClose() {
  std::string ignored;
  while (Receive(fd_, ignored)) ignored.clear();
  is_open_ = false;
}

void LoopbackHttp::Peer::Reset() {
  const linger now{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  is_open_ = false;
}

LoopbackHttp::LoopbackHttp(Handler handler)
    : handler_(std::move(handler)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener_, 64) != 0) {
    std::abort();
  }
  acceptor_ = std::thread([this] { Accept(); });
}

LoopbackHttp::~LoopbackHttp() {
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  close(listener_);
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mu_);
    stopping_ = true;
    for (const int fd : fds_) shutdown(fd, SHUT_RDWR);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

std::string LoopbackHttp::url() const {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  return "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
}

int LoopbackHttp::connections() {
  const std::lock_guard lock(mu_);
  return static_cast<int>(threads_.size());
}

void LoopbackHttp::Accept() {
  while (true) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const std::lock_guard lock(mu_);
    fds_.push_back(fd);
    threads_.emplace_back([this, fd] { Serve(fd); });
  }
}

void LoopbackHttp::Serve(int fd) {
  std::string buffer;
  Peer peer(fd);
  while (peer.is_open()) {
    const std::optional<Request> request = ReadRequest(fd, buffer);
    if (!request.has_value() || !handler_(*request, peer)) break;
  }
  const std::lock_guard lock(mu_);
  std::erase(fds_, fd);
  close(fd);
}

}  // namespace etcd::testing
