#include "tests/unit/client/raw_server.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstddef>
#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "tests/unit/transport/raw_client.h"

namespace etcd::client {
namespace {

using transport::GrpcMessage;
using transport::H2Frame;
using transport::HpackField;

constexpr std::uint8_t kData = 0;
constexpr std::uint8_t kHeaders = 1;
constexpr std::uint8_t kSettings = 4;
constexpr std::uint8_t kGoAway = 7;
constexpr std::uint8_t kEndStream = 1;
constexpr std::uint8_t kEndHeaders = 4;
constexpr std::size_t kFrameHeaderBytes = 9;

struct Frame {
  std::uint8_t type;
  std::uint8_t flags;
  std::int32_t stream;
};

// The frames of a connection behind its preface; payloads are thrown away.
class FrameReader {
 public:
  explicit FrameReader(int descriptor) : descriptor_(descriptor) {}

  bool SkipPreface() { return Take(transport::kH2Preface.size()).has_value(); }
  std::optional<Frame> Next() {
    const std::optional<std::string> head = Take(kFrameHeaderBytes);
    if (!head.has_value()) return std::nullopt;
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>((*head)[i]); };
    const std::size_t size =
        static_cast<std::size_t>(byte(0)) << 16 | static_cast<std::size_t>(byte(1)) << 8 | byte(2);
    if (!Take(size).has_value()) return std::nullopt;
    return Frame{byte(3), byte(4), byte(7) << 8 | byte(8)};
  }

 private:
  std::optional<std::string> Take(std::size_t size) {
    while (buffer_.size() < size) {
      char bytes[4096];
      const ssize_t got = ::recv(descriptor_, bytes, sizeof bytes, 0);
      if (got <= 0) return std::nullopt;
      buffer_.append(bytes, static_cast<std::size_t>(got));
    }
    std::string taken = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return taken;
  }

  const int descriptor_;
  std::string buffer_;
};

void Say(int descriptor, std::string_view bytes) {
  static_cast<void>(::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL));
}

// The next close of the socket is a reset, not an end.
void MakeCloseAReset(int descriptor) {
  const linger off{1, 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &off, sizeof off);
}

std::string GarbageAnswer(std::int32_t stream) {
  const std::string head = std::string(1, '\x88') + HpackField("content-type", "application/grpc");
  return H2Frame(kHeaders, kEndHeaders, stream, head) +
         H2Frame(kData, 0, stream, GrpcMessage("\x0a\xff\xff\xff\xff\xff")) +
         H2Frame(kHeaders, kEndHeaders | kEndStream, stream, HpackField("grpc-status", "0"));
}

}  // namespace

RawServer::RawServer(Way way) : way_(way) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  // A bound port without a listener refuses, and nobody else gets it.
  if (way_ == Way::kRefused) return;
  ::listen(listener_, 64);
  acceptor_ = std::thread([this] { Accept(); });
}

RawServer::~RawServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const int descriptor : open_) ::shutdown(descriptor, SHUT_RDWR);
  }
  ::shutdown(listener_, SHUT_RDWR);
  if (acceptor_.joinable()) acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  ::close(listener_);
}

void RawServer::Accept() {
  for (;;) {
    const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) return;
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      ::close(descriptor);
      return;
    }
    ++connections_;
    open_.push_back(descriptor);
    threads_.emplace_back([this, descriptor] { Serve(descriptor); });
  }
}

void RawServer::Serve(int descriptor) {
  Speak(descriptor);
  const std::lock_guard lock(mutex_);
  std::erase(open_, descriptor);
  ::close(descriptor);
}

void RawServer::Speak(int descriptor) {
  FrameReader reader(descriptor);
  if (way_ == Way::kCutAtOnce) return;
  if (way_ == Way::kNoHttp2) {
    Say(descriptor, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    return;
  }
  if (way_ != Way::kSilent) Say(descriptor, H2Frame(kSettings, 0, 0, ""));
  if (!reader.SkipPreface()) return;
  while (const std::optional<Frame> frame = reader.Next()) {
    if (way_ == Way::kSilent || frame->type != kData || (frame->flags & kEndStream) == 0) continue;
    ++requests_;
    if (way_ == Way::kDeaf) continue;
    if (way_ == Way::kGarbageMessage) {
      Say(descriptor, GarbageAnswer(frame->stream));
      continue;
    }
    if (way_ == Way::kRefuseStreams) {
      // Last stream that was looked at: 0. No error.
      Say(descriptor, H2Frame(kGoAway, 0, 0, std::string(8, '\0')));
      return;
    }
    MakeCloseAReset(descriptor);
    return;
  }
}

}  // namespace etcd::client
