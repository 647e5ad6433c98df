#include "server/net/stream.h"

#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>

namespace etcd::net {
namespace {

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
    if (sent > 0) return {IoResult::Kind::kBytes, static_cast<std::size_t>(sent)};
    return FromErrno(IoResult::Kind::kWantWrite);
  }

  void ShutdownWrite() override { ::shutdown(descriptor_, SHUT_WR); }

 private:
  const int descriptor_;
};

}  // namespace

std::unique_ptr<ByteStream> MakePlainStream(int descriptor) {
  return std::make_unique<PlainStream>(descriptor);
}

}  // namespace etcd::net
