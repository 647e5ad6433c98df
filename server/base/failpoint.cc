#include "server/base/failpoint.h"

#ifdef ETCD_FAILPOINTS

#include <arpa/inet.h>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "server/base/failpoint_registry.h"

namespace etcd::base {
namespace {

constexpr int kPanicExit = 2;  // as a Go program's

// Failpoints register before main, from all parts of the program: the one global of the process, of
// test builds only.
FailpointRegistry& Registry() {
  static auto* registry = new FailpointRegistry();  // outlives threads that exit() leaves behind
  return *registry;
}

[[noreturn]] void Die(const char* what) {
  std::fprintf(stderr, "failpoints: %s\n", what);
  std::_Exit(1);
}

// ---- The endpoint: one request a connection, one connection at a time.

std::size_t ContentLength(std::string_view head) {
  for (std::size_t line = 0; (line = head.find("\r\n", line)) != std::string_view::npos;) {
    line += 2;
    constexpr std::string_view kName = "content-length:";
    if (strncasecmp(head.data() + line, kName.data(), kName.size()) == 0) {
      return static_cast<std::size_t>(std::atoi(head.data() + line + kName.size()));
    }
  }
  return 0;
}

// "" when the client went away, or asks for too much.
std::string ReadRequest(int fd) {
  constexpr std::size_t kMax = 64 << 10;
  std::string in;
  std::array<char, 4096> buffer;
  while (in.size() < kMax) {
    const std::size_t end = in.find("\r\n\r\n");
    if (end != std::string::npos && in.size() >= end + 4 + ContentLength(in.substr(0, end + 2))) {
      return in;
    }
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n <= 0) break;
    in.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return "";
}

void ServeOne(int fd) {
  const std::string request = ReadRequest(fd);
  if (request.empty()) return;
  const std::string_view text = request;
  const std::string_view method = text.substr(0, text.find(' '));
  std::string_view path = text.substr(std::min(text.size(), method.size() + 1));
  path = path.substr(0, path.find(' '));
  const std::string_view body = text.substr(text.find("\r\n\r\n") + 4);
  const FailpointRegistry::Answer answer = Registry().Serve(method, path, body);
  const std::string out =
      "HTTP/1.1 " + std::to_string(answer.code) +
      " -\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: " +
      std::to_string(answer.body.size()) + "\r\n\r\n" + answer.body;
  static_cast<void>(::send(fd, out.data(), out.size(), MSG_NOSIGNAL));
}

int Listen(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) Die("GOFAIL_HTTP is not host:port");
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(std::atoi(address.c_str() + colon + 1)));
  const std::string host = address.substr(0, colon);
  if (!host.empty() && inet_pton(AF_INET, host.c_str(), &to.sin_addr) != 1) {
    Die("GOFAIL_HTTP names no IPv4 address");
  }
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 || ::listen(fd, 16) != 0) {
    Die("cannot listen on GOFAIL_HTTP");
  }
  return fd;
}

}  // namespace

Failpoint::Failpoint(const char* name) : name_(name) { Registry().Add(name); }

bool Failpoint::Hit() {
  const FailpointAction action = Registry().Next(name_);
  switch (action.kind) {
    case FailpointAction::Kind::kPanic:
      // Like a crash: nothing is flushed, no destructor runs.
      std::fprintf(stderr, "panic: failpoint %s: %s\n", name_, action.argument.c_str());
      std::_Exit(kPanicExit);
    case FailpointAction::Kind::kSleep:
      std::this_thread::sleep_for(action.sleep);
      return false;
    case FailpointAction::Kind::kPrint:
      std::fprintf(stderr, "failpoint print: %s: %s\n", name_, action.argument.c_str());
      return false;
    case FailpointAction::Kind::kReturn:
      return true;
    default:
      return false;
  }
}

void StartFailpoints() {
  if (const char* list = std::getenv("GOFAIL_FAILPOINTS"); list != nullptr) {
    if (!Registry().SetAll(list)) Die("GOFAIL_FAILPOINTS does not parse");
  }
  const char* address = std::getenv("GOFAIL_HTTP");
  if (address == nullptr) return;
  const int listener = Listen(address);
  std::thread([listener] {
    while (true) {
      const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      const timeval limit = {2, 0};
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
      ServeOne(fd);
      ::close(fd);
    }
  }).detach();
}

}  // namespace etcd::base

#endif
