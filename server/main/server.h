#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/config/config.h"

namespace etcd::server {

class Rebuild;

// One member with its listeners: constructs every concrete type and knows the order in which they
// start and stop. Owned by the main thread, which makes all calls.
class Server {
 public:
  // Binds the listeners, locks the data directory, opens engine and log. Clients can connect from
  // the first of these on and wait. A port in use leaves the disk as it was. `command_line` is for
  // /debug/vars.
  static absl::StatusOr<std::unique_ptr<Server>> Open(config::Config config,
                                                      std::vector<std::string> command_line);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Starts raft, the peer port and the metrics listener. `ready` is called on another thread once
  // the member has published itself: the moment for Serve. `removed`, too, at most once: this
  // member has left the cluster for good and is to be stopped; possibly before `ready`.
  void Start(absl::AnyInvocable<void()> ready, absl::AnyInvocable<void()> removed);
  // Begins to serve clients.
  void Serve();
  // Refuses new calls, lets those under way end, closes everything in order.
  void Stop();

 private:
  struct Parts;
  Server(std::unique_ptr<Rebuild> rebuild, std::unique_ptr<Parts> parts);
  std::unique_ptr<Rebuild> rebuild_;  // outlives the parts
  std::unique_ptr<Parts> parts_;
};

}  // namespace etcd::server
