#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

#include "server/base/ids.h"

namespace etcd::rafthttp {

// What the metrics want to know (etcd_network_*, server-surface.md 7.3). Called on the transport's
// threads; must not block.
class Observer {
 public:
  virtual ~Observer() = default;

  virtual void OnSent(MemberId /*to*/, std::size_t /*bytes*/) {}
  virtual void OnSendFailed(MemberId /*to*/) {}
  // `from` is 0 for the heartbeats of a link.
  virtual void OnReceived(MemberId /*from*/, std::size_t /*bytes*/) {}
  // `from`: an id in hex, or an address when the sender did not say who it is.
  virtual void OnReceiveFailed(std::string_view /*from*/) {}
  virtual void OnPeerAdded(MemberId /*id*/) {}
  virtual void OnPeerRemoved(MemberId /*id*/) {}
  // Changes only: false counts as one disconnection.
  virtual void OnActive(MemberId /*id*/, bool /*active*/) {}
  // One of the four streams with this peer was established (1) or lost (-1).
  virtual void OnStream(MemberId /*id*/, int /*delta*/) {}
  virtual void OnRoundTrip(MemberId /*to*/, std::chrono::nanoseconds /*took*/) {}

  virtual void OnSnapshotSending(MemberId /*to*/) {}
  virtual void OnSnapshotSent(MemberId /*to*/, bool /*ok*/, std::chrono::nanoseconds /*took*/) {}
  virtual void OnSnapshotReceiving(MemberId /*from*/) {}
  virtual void OnSnapshotReceived(MemberId /*from*/, bool /*ok*/,
                                  std::chrono::nanoseconds /*took*/) {}
};

}  // namespace etcd::rafthttp
