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
#include "server/net/listener.h"
#include "server/rafthttp/connection.h"
#include "server/rafthttp/logged_causes.h"
#include "server/rafthttp/peers.h"
#include "server/rafthttp/snapshot_receiver.h"

namespace etcd::rafthttp {

class ServerSession;

// The accepted side of the peer port. Listen is for the main thread, before Start; all else is for
// the loop thread.
class Server {
 public:
  Server(net::Loop& loop, const TransportOptions& options) : loop_(loop), options_(options) {}
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  absl::StatusOr<std::vector<std::uint16_t>> Listen();
  void Start(Peers& peers, SnapshotReceiver& snapshots, base::HttpHandler* other);
  void Close();

  // A connection made elsewhere (tests).
  void Serve(std::unique_ptr<net::ByteStream> stream, std::string peer);

  // For sessions.
  net::Loop& loop() { return loop_; }
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
  bool IsNewCause(const std::string& sender, std::string_view cause);
  void Accepted(const std::string& sender) { causes_.erase(sender); }

 private:
  bool HasRoom() const;
  void CloseOldestIdle();

  net::Loop& loop_;
  const TransportOptions& options_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  Peers* peers_ = nullptr;
  SnapshotReceiver* snapshots_ = nullptr;
  base::HttpHandler* other_ = nullptr;
  std::list<std::shared_ptr<ServerSession>> sessions_;  // oldest first
  std::size_t body_bytes_ = 0;
  absl::flat_hash_map<std::string, LoggedCauses> causes_;  // by sender; bounded
};

}  // namespace etcd::rafthttp
