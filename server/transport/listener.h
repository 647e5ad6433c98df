#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <absl/status/statusor.h>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "server/transport/loop.h"
#include "server/transport/options.h"

namespace etcd::transport {

// A bound, listening descriptor; `port` is 0 for unix sockets.
struct BoundSocket {
  int descriptor = -1;
  std::uint16_t port = 0;
};

// Resolves the host, binds and listens. For a unix socket a stale file is removed first.
absl::StatusOr<BoundSocket> BindEndpoint(const ListenEndpoint& endpoint);

// Accepts connections of one endpoint on the loop it is given. Loop thread only after Start.
class Listener {
 public:
  // What to do with an accepted, non-blocking descriptor.
  using OnAccepted = std::function<void(int descriptor, std::string peer)>;
  // True while there is room for one more connection.
  using HasRoom = std::function<bool()>;

  Listener(Loop& loop, const ListenEndpoint& endpoint, BoundSocket socket);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  void Start(OnAccepted on_accepted, HasRoom has_room);
  // Closes the descriptor and removes the file of a unix socket.
  void Close();
  std::uint16_t port() const { return socket_.port; }

 private:
  void Arm();
  void Accept();

  Loop& loop_;
  const ListenEndpoint& endpoint_;
  BoundSocket socket_;
  boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type> readiness_;
  Timer retry_;  // out of descriptors, or at the connection limit
  OnAccepted on_accepted_;
  HasRoom has_room_;
  bool closed_ = false;
};

}  // namespace etcd::transport
