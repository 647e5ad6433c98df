#pragma once

#include <arpa/inet.h>
#include <chrono>
#include <cstdint>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

// Bytes over TCP on loopback, with nothing helpful in between.
namespace etcd::rafthttp {

// One connection; closes it when destroyed. Reads give up after 20 s.
class RawConnection {
 public:
  explicit RawConnection(int descriptor) : descriptor_(descriptor) {}
  ~RawConnection() { Close(); }
  RawConnection(RawConnection&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  RawConnection& operator=(RawConnection&&) = delete;

  static RawConnection Dial(std::uint16_t port) {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      ::close(descriptor);
      return RawConnection(-1);
    }
    return RawConnection(descriptor);
  }

  void Send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void SmallReceiveBuffer() const {
    const int size = 4096;
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
  void ShutdownWrite() const { ::shutdown(descriptor_, SHUT_WR); }
  // A read came to the end of the connection, or broke.
  bool ended() const { return ended_; }
  void Close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }

  // What has come once `text` is in it; everything until the end if it never is.
  std::string ReadUntil(std::string_view text) {
    std::string all;
    while (all.find(text) == std::string::npos && ReadSome(all)) {
    }
    return all;
  }
  // Until the end of the connection.
  std::string ReadAll() {
    std::string all;
    while (ReadSome(all)) {
    }
    return all;
  }
  // An answer with Content-Length, or without a body.
  std::string ReadAnswer() {
    std::string all = ReadUntil("\r\n\r\n");
    const std::size_t head = all.find("\r\n\r\n") + 4;
    const std::size_t field = all.find("Content-Length: ");
    if (field == std::string::npos || field > head) return all;
    const std::size_t length = std::stoul(all.substr(field + 16));
    while (all.size() < head + length && ReadSome(all)) {
    }
    return all;
  }

 private:
  bool ReadSome(std::string& into) {
    pollfd entry{descriptor_, POLLIN, 0};
    if (::poll(&entry, 1, 20'000) <= 0) return false;
    char buffer[65536];
    const ssize_t got = ::recv(descriptor_, buffer, sizeof buffer, 0);
    ended_ = got <= 0;
    if (ended_) return false;
    into.append(buffer, static_cast<std::size_t>(got));
    return true;
  }

  int descriptor_;
  bool ended_ = false;
};

// A listener that answers nothing of itself.
class RawListener {
 public:
  RawListener() : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(descriptor_, 64);
    ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~RawListener() { ::close(descriptor_); }
  RawListener(const RawListener&) = delete;
  RawListener& operator=(const RawListener&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  bool HasConnection() const {
    pollfd entry{descriptor_, POLLIN, 0};
    return ::poll(&entry, 1, 0) > 0;
  }
  RawConnection Accept() const {
    pollfd entry{descriptor_, POLLIN, 0};
    if (::poll(&entry, 1, 20'000) <= 0) return RawConnection(-1);
    return RawConnection(::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC));
  }

 private:
  int descriptor_;
  std::uint16_t port_ = 0;
};

// A request; `headers` are whole lines. A body gets its Content-Length.
inline std::string Request(std::string_view line, std::string_view headers,
                           std::string_view body = {}) {
  std::string text(line);
  text.append(" HTTP/1.1\r\nHost: x\r\n").append(headers);
  if (!body.empty() || line.starts_with("POST")) {
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  }
  return text.append("\r\n").append(body);
}

}  // namespace etcd::rafthttp
