#pragma once

#include <cstddef>
#include <list>
#include <memory>

#include <absl/container/flat_hash_set.h>
#include <absl/functional/function_ref.h>

#include "server/net/loop.h"
#include "server/transport/out_buffer.h"

namespace etcd::transport {

class Connection;

// A loop of the client port and the connections pinned to it. Loop thread only, but for what
// net::Loop says.
class ClientLoop final : public net::Loop {
 public:
  // Above `half_open_max` half-open connections the oldest gives way.
  explicit ClientLoop(std::size_t half_open_max);

  OutBuffer& scratch() { return scratch_; }

  void Add(std::shared_ptr<Connection> connection);
  void Remove(const std::shared_ptr<Connection>& connection);
  // Connections that have not proved to be clients yet, oldest first.
  void AddHalfOpen(Connection* connection);
  void RemoveHalfOpen(Connection* connection);

  void ForEachConnection(absl::FunctionRef<void(Connection&)> visit);

 private:
  OutBuffer scratch_;
  absl::flat_hash_set<std::shared_ptr<Connection>> connections_;
  std::list<Connection*> half_open_;
  const std::size_t half_open_max_;
};

}  // namespace etcd::transport
