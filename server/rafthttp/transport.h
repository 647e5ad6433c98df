#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>

#include "server/base/http_call.h"
#include "server/ports/peer_client.h"
#include "server/ports/peer_receiver.h"
#include "server/ports/peer_transport.h"
#include "server/rafthttp/observer.h"
#include "server/rafthttp/options.h"

namespace etcd::rafthttp {

// The peer port and everything that this member sends to peer ports. Owned and driven by the main
// thread. Order: Ask works from construction on (a joiner asks before it knows who it is), Listen,
// Start, Stop. Between Listen and Start peers can connect and wait.
class Transport final : public ports::PeerTransport, public ports::PeerClient {
 public:
  // `observer` may be null; it outlives the transport. Starts the thread of the transport.
  explicit Transport(TransportOptions options, Observer* observer = nullptr);
  ~Transport() override;  // Stop, if it was not called
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Binds every URL. Returns the port of each, 0 for unix sockets.
  absl::StatusOr<std::vector<std::uint16_t>> Listen();

  // Serves peers. `other` answers every path outside /raft (members, version, leases, hashkv,
  // downgrade); null: 404. Both outlive the transport.
  void Start(Identity identity, ports::PeerReceiver& receiver, base::HttpHandler* other);

  // Closes every connection, ends snapshots under way (reported as failed) and joins the threads.
  // Calls nobody back afterwards but with kUnavailable out of Ask. Idempotent.
  void Stop();

  // PeerTransport; peers may be added before Start.
  void Send(std::vector<raft::Message> messages) override;
  void SendSnapshot(raft::Message message,
                    std::unique_ptr<ports::SnapshotSource> database) override;
  void AddPeer(MemberId id, const std::vector<std::string>& urls) override;
  void RemovePeer(MemberId id) override;
  std::optional<base::Clock::Monotonic> ActiveSince(MemberId id) const override;

  // PeerClient.
  void Ask(std::string url, ports::PeerRequest request, std::chrono::nanoseconds timeout,
           absl::AnyInvocable<void(absl::StatusOr<ports::PeerReply>)> done) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace etcd::rafthttp
