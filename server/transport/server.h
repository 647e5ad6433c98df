#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <absl/status/statusor.h>

#include "server/base/call.h"
#include "server/base/http_call.h"
#include "server/transport/observer.h"
#include "server/transport/options.h"

namespace etcd::transport {

// The client port: gRPC over HTTP/2 to the methods of a table, everything else over HTTP/1.1 to one
// HTTP handler. Owned and driven by the main thread; starts the loop threads.
// Order: Listen, Start, Stop.
class Server {
 public:
  explicit Server(ServerOptions options);
  ~Server();  // Stop with no patience, if it was not called
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds every endpoint; clients can connect and wait from then on. Returns the port of each, 0
  // for unix sockets.
  absl::StatusOr<std::vector<std::uint16_t>> Listen();

  // Begins to accept and serve. `http` may be null: HTTP/1 connections are then closed. `observer`
  // may be null. All three outlive the server.
  void Start(const base::MethodTable& methods, base::HttpHandler* http,
             CallObserver* observer = nullptr);

  // Stops accepting, says GOAWAY, waits until open calls have ended or `drain_max` has passed, then
  // closes what is left and joins the threads. Completions that come later are dropped. Idempotent.
  void Stop(std::chrono::nanoseconds drain_max);

  // Open connections; for metrics and tests. Thread-safe.
  std::size_t connections() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace etcd::transport
