#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "server/base/clock.h"
#include "server/base/ids.h"
#include "server/raft/types.h"

namespace etcd::ports {

// The database that follows a kSnap message on its way to a peer: an image in bbolt format
// (raft-peer-storage.md 3.7, 7). Read once, from start to end, on a thread of the transport.
class SnapshotSource {
 public:
  virtual ~SnapshotSource() = default;
  // Exactly the bytes that Read will give.
  virtual std::uint64_t size() const = 0;
  // Fills a part of `buffer`, returns how much; 0: the end. An error ends the transfer.
  virtual absl::StatusOr<std::size_t> Read(std::span<char> buffer) = 0;
};

// How the node reaches the other members. rafthttp implements it; a simulation has its own; a
// cluster of one uses NoPeers. Must not block: a full queue drops the message and reports the peer
// unreachable.
class PeerTransport {
 public:
  virtual ~PeerTransport() = default;

  // `to` of each message names a peer that was added before; others are dropped. No kSnap. Raft
  // thread.
  virtual void Send(std::vector<raft::Message> messages) = 0;
  // `message` is a kSnap whose snapshot.data holds the v2 store's JSON. The outcome comes through
  // PeerReceiver::ReportSnapshot, exactly once. Any thread.
  virtual void SendSnapshot(raft::Message message, std::unique_ptr<SnapshotSource> database) = 0;

  // Adding a known peer replaces its URLs. Any thread.
  virtual void AddPeer(MemberId id, const std::vector<std::string>& urls) = 0;
  virtual void RemovePeer(MemberId id) = 0;

  // Since when the peer has been reachable without interruption; nullopt: it is not. Thread-safe.
  virtual std::optional<base::Clock::Monotonic> ActiveSince(MemberId id) const = 0;
};

// A cluster of one has nobody to talk to.
class NoPeers final : public PeerTransport {
 public:
  void Send(std::vector<raft::Message>) override {}
  void SendSnapshot(raft::Message, std::unique_ptr<SnapshotSource>) override {}
  void AddPeer(MemberId, const std::vector<std::string>&) override {}
  void RemovePeer(MemberId) override {}
  std::optional<base::Clock::Monotonic> ActiveSince(MemberId) const override {
    return std::nullopt;
  }
};

}  // namespace etcd::ports
