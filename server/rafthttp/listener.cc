#include "server/rafthttp/listener.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/rafthttp/address.h"

namespace etcd::rafthttp {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr std::chrono::milliseconds kRetry(50);

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(Loop& loop, const config::Url& url) {
  RETURN_IF_ERROR(CheckScheme(url));
  ASSIGN_OR_RETURN(const BoundSocket bound, Bind(url));
  return std::unique_ptr<Listener>(new Listener(loop, url, bound.descriptor, bound.port));
}

Listener::Listener(Loop& loop, config::Url url, int descriptor, std::uint16_t port)
    : loop_(loop),
      url_(std::move(url)),
      descriptor_(descriptor),
      port_(port),
      readiness_(loop.io()),
      retry_(loop.timers(), [this] { Accept(); }),
      alive_(std::make_shared<bool>(true)) {}

Listener::~Listener() { Close(); }

void Listener::Start(OnAccepted on_accepted, MakeRoom make_room) {
  on_accepted_ = std::move(on_accepted);
  make_room_ = std::move(make_room);
  boost::system::error_code error;
  readiness_.assign(descriptor_, error);
  if (error) {
    LOG_ERROR("cannot watch a listener", {"error", error.message()});
    return;
  }
  Arm();
}

void Listener::Close() {
  if (std::exchange(closed_, true)) return;
  *alive_ = false;
  retry_.Disarm();
  boost::system::error_code ignored;
  if (readiness_.is_open()) {
    readiness_.cancel(ignored);
    readiness_.release();
  }
  ::close(descriptor_);
  if (url_.is_unix()) ::unlink(url_.host.c_str());
}

void Listener::Arm() {
  readiness_.async_wait(readiness_.wait_read,
                        [this, alive = alive_](const boost::system::error_code& error) {
                          if (error || !*alive) return;
                          loop_.Run([this] { Accept(); });
                        });
}

void Listener::Accept() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (!make_room_()) return retry_.Arm(loop_.now() + kRetry);  // the rest waits in the kernel
    Address address;
    address.size = sizeof address.bytes;
    const int descriptor = ::accept4(descriptor_, reinterpret_cast<sockaddr*>(&address.bytes),
                                     &address.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) {
      if (errno == ECONNABORTED || errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      LOG_WARN("cannot accept a peer connection", {"error", std::strerror(errno)});
      return retry_.Arm(loop_.now() + kRetry);
    }
    if (!url_.is_unix()) SetTcpOptions(descriptor);
    auto stream = MakeServerStream(descriptor, url_);
    if (stream.ok()) on_accepted_(*std::move(stream), ToText(address));
  }
  Arm();
}

}  // namespace etcd::rafthttp
