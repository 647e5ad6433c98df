#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <absl/status/statusor.h>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "server/config/urls.h"
#include "server/rafthttp/loop.h"
#include "server/rafthttp/socket.h"

namespace etcd::rafthttp {

// Accepts the connections of one listen URL. Bound by the main thread before the loop uses it; all
// else is for the loop thread.
class Listener {
 public:
  using OnAccepted = std::function<void(std::unique_ptr<ByteStream> stream, std::string peer)>;
  // Makes room for one more connection. False: there is none for now.
  using MakeRoom = std::function<bool()>;

  static absl::StatusOr<std::unique_ptr<Listener>> Open(Loop& loop, const config::Url& url);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  void Start(OnAccepted on_accepted, MakeRoom make_room);
  void Close();
  std::uint16_t port() const { return port_; }

 private:
  Listener(Loop& loop, config::Url url, int descriptor, std::uint16_t port);
  void Arm();
  void Accept();

  Loop& loop_;
  const config::Url url_;
  const int descriptor_;
  const std::uint16_t port_;
  boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type> readiness_;
  Timer retry_;  // out of descriptors, or no room
  OnAccepted on_accepted_;
  MakeRoom make_room_;
  bool closed_ = false;
  const std::shared_ptr<bool> alive_;  // false: a late completion must not touch this
};

}  // namespace etcd::rafthttp
