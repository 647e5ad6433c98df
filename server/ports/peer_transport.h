#pragma once

#include <string>
#include <vector>

#include "server/base/ids.h"
#include "server/raft/types.h"

namespace etcd::ports {

// How the node reaches the other members. rafthttp implements it; a simulation has its own; a
// cluster of one uses NoPeers. Called on the raft thread only; must not block: a full queue drops
// the message and reports the peer unreachable.
class PeerTransport {
 public:
  virtual ~PeerTransport() = default;

  // `to` of each message names a peer that was added before; others are dropped.
  virtual void Send(std::vector<raft::Message> messages) = 0;

  // Adding a known peer replaces its URLs.
  virtual void AddPeer(MemberId id, const std::vector<std::string>& urls) = 0;
  virtual void RemovePeer(MemberId id) = 0;
};

// A cluster of one has nobody to talk to.
class NoPeers final : public PeerTransport {
 public:
  void Send(std::vector<raft::Message>) override {}
  void AddPeer(MemberId, const std::vector<std::string>&) override {}
  void RemovePeer(MemberId) override {}
};

}  // namespace etcd::ports
