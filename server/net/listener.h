#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "server/net/address.h"
#include "server/net/loop.h"
#include "server/net/readiness.h"
#include "server/net/timer_queue.h"

namespace etcd::net {

// Accepts the connections of one endpoint on one loop. Bound by the main thread before the loop
// uses it; all else is for the loop thread.
class Listener {
 public:
  // What to do with an accepted, non-blocking descriptor, which it takes over. `peer`: see ToText.
  using OnAccepted = std::function<void(int descriptor, std::string peer)>;
  // Makes room for one more connection. False: there is none for now.
  using MakeRoom = std::function<bool()>;

  // As Bind.
  static absl::StatusOr<std::unique_ptr<Listener>> Open(Loop& loop, const Endpoint& endpoint,
                                                        BindOptions options = {});
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  void Start(OnAccepted on_accepted, MakeRoom make_room);
  // Closes the descriptor and removes the file of a unix socket.
  void Close();
  std::uint16_t port() const { return socket_.port; }

 private:
  Listener(Loop& loop, std::string unix_path, BoundSocket socket);
  void Arm();
  void Accept();

  Loop& loop_;
  const std::string unix_path_;  // "": TCP
  const BoundSocket socket_;
  Readiness readiness_;
  Timer retry_;  // out of descriptors, or no room
  OnAccepted on_accepted_;
  MakeRoom make_room_;
  bool closed_ = false;
  const std::shared_ptr<bool> alive_;  // false: a late wake-up must not touch this
};

}  // namespace etcd::net
