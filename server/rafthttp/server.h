#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>

#include "server/base/http_call.h"
#include "server/rafthttp/connection.h"
#include "server/rafthttp/listener.h"
#include "server/rafthttp/peers.h"
#include "server/rafthttp/snapshot_receiver.h"

namespace etcd::rafthttp {

class ServerSession;

// The accepted side of the peer port. Listen is for the main thread, before Start; all else is for
// the loop thread.
class Server {
 public:
  Server(Loop& loop, const TransportOptions& options) : loop_(loop), options_(options) {}
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  absl::StatusOr<std::vector<std::uint16_t>> Listen();
  void Start(Peers& peers, SnapshotReceiver& snapshots, base::HttpHandler* other);
  void Close();

  // A connection made elsewhere (tests).
  void Serve(std::unique_ptr<ByteStream> stream, std::string peer);

  // For sessions.
  Loop& loop() { return loop_; }
  const TransportOptions& options() const { return options_; }
  const Context& context() const { return peers_->context(); }
  Peers& peers() { return *peers_; }
  SnapshotReceiver& snapshots() { return *snapshots_; }
  base::HttpHandler* other() { return other_; }
  void Remove(ServerSession* session);
  // Room for body bytes that are held; false: there is none.
  bool TakeBodyBytes(std::size_t bytes);
  void ReturnBodyBytes(std::size_t bytes) { body_bytes_ -= bytes; }
  // True once for each (sender, cause) until the sender is accepted again.
  bool IsNewCause(std::string_view from, std::string_view cause);
  void Accepted(std::string_view from) { causes_.erase(std::string(from)); }

 private:
  bool MakeRoom();

  Loop& loop_;
  const TransportOptions& options_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  Peers* peers_ = nullptr;
  SnapshotReceiver* snapshots_ = nullptr;
  base::HttpHandler* other_ = nullptr;
  std::list<std::shared_ptr<ServerSession>> sessions_;  // oldest first
  std::size_t body_bytes_ = 0;
  absl::flat_hash_map<std::string, std::string> causes_;  // newest logged one by sender; bounded
};

}  // namespace etcd::rafthttp
