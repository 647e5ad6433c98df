#include "server/net/listener.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::net {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr std::chrono::milliseconds kRetry(50);

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(Loop& loop, const Endpoint& endpoint,
                                                         BindOptions options) {
  ASSIGN_OR_RETURN(const BoundSocket socket, Bind(endpoint, options));
  return std::unique_ptr<Listener>(new Listener(loop, endpoint.unix_path, socket));
}

Listener::Listener(Loop& loop, std::string unix_path, BoundSocket socket)
    : loop_(loop),
      unix_path_(std::move(unix_path)),
      socket_(socket),
      readiness_(loop),
      retry_(loop.timers(), [this] { Accept(); }),
      alive_(std::make_shared<bool>(true)) {}

Listener::~Listener() { Close(); }

void Listener::Start(OnAccepted on_accepted, MakeRoom make_room) {
  on_accepted_ = std::move(on_accepted);
  make_room_ = std::move(make_room);
  if (!readiness_.Watch(socket_.descriptor)) {
    LOG_ERROR("cannot watch a listener", {"port", socket_.port});
    return;
  }
  Arm();
}

void Listener::Close() {
  if (std::exchange(closed_, true)) return;
  *alive_ = false;
  retry_.Disarm();
  readiness_.Release();
  ::close(socket_.descriptor);
  if (!unix_path_.empty()) ::unlink(unix_path_.c_str());
}

void Listener::Arm() {
  readiness_.OnReadable([this, alive = alive_] {
    if (*alive) Accept();
  });
}

void Listener::Accept() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (!make_room_()) return retry_.Arm(loop_.now() + kRetry);  // the rest waits in the kernel
    Address address;
    address.size = sizeof address.bytes;
    const int descriptor =
        ::accept4(socket_.descriptor, reinterpret_cast<sockaddr*>(&address.bytes), &address.size,
                  SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) {
      if (errno == ECONNABORTED || errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      LOG_WARN("cannot accept a connection", {"port", socket_.port},
               {"error", std::strerror(errno)});
      return retry_.Arm(loop_.now() + kRetry);
    }
    if (unix_path_.empty()) SetTcpOptions(descriptor);
    on_accepted_(descriptor, ToText(address));
  }
  Arm();
}

}  // namespace etcd::net
