#include "server/rafthttp/socket.h"

#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/status.h"

namespace etcd::rafthttp {
namespace {

constexpr int kKeepaliveSeconds = 30;

IoResult FromErrno(IoResult::Kind would_block) {
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {would_block};
  return {IoResult::Kind::kError};
}

class PlainStream final : public ByteStream {
 public:
  explicit PlainStream(int descriptor) : descriptor_(descriptor) {}
  ~PlainStream() override { ::close(descriptor_); }
  PlainStream(const PlainStream&) = delete;
  PlainStream& operator=(const PlainStream&) = delete;

  int descriptor() const override { return descriptor_; }

  IoResult Read(std::span<char> into) override {
    const ssize_t got = ::recv(descriptor_, into.data(), into.size(), 0);
    if (got > 0) return {IoResult::Kind::kBytes, static_cast<std::size_t>(got)};
    if (got == 0) return {IoResult::Kind::kEnd};
    return FromErrno(IoResult::Kind::kWantRead);
  }

  IoResult Write(const iovec* entries, std::size_t count) override {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(entries);
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL);
    if (sent >= 0) return {IoResult::Kind::kBytes, static_cast<std::size_t>(sent)};
    return FromErrno(IoResult::Kind::kWantWrite);
  }

 private:
  const int descriptor_;
};

absl::StatusOr<std::unique_ptr<ByteStream>> MakeStream(int descriptor, const config::Url& url) {
  auto plain = std::make_unique<PlainStream>(descriptor);
  RETURN_IF_ERROR(CheckScheme(url));
  return plain;
}

void SetOption(int descriptor, int level, int name, int value) {
  ::setsockopt(descriptor, level, name, &value, sizeof value);
}

}  // namespace

absl::Status CheckScheme(const config::Url& url) {
  if (!url.is_tls()) return absl::OkStatus();
  return base::MakeStatus(absl::StatusCode::kUnimplemented,
                          "TLS between peers is not supported yet: " + url.ToString());
}

absl::StatusOr<std::unique_ptr<ByteStream>> MakeClientStream(int descriptor,
                                                             const config::Url& url) {
  return MakeStream(descriptor, url);
}

absl::StatusOr<std::unique_ptr<ByteStream>> MakeServerStream(int descriptor,
                                                             const config::Url& url) {
  return MakeStream(descriptor, url);
}

absl::Status ConnectResult(int descriptor) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error == 0) return absl::OkStatus();
  return base::MakeStatus(absl::StatusCode::kUnavailable,
                          std::string("connect: ") + std::strerror(error));
}

void SetTcpOptions(int descriptor) {
  SetOption(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, kKeepaliveSeconds);
  SetOption(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, kKeepaliveSeconds);
}

}  // namespace etcd::rafthttp
