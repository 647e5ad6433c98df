#pragma once

#include <memory>
#include <span>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/base/ids.h"
#include "server/raft/types.h"

namespace etcd::ports {

// A database that a peer is sending. Destroyed without Finish: what was written is removed. Used on
// one thread of the transport; may block on the disk.
class SnapshotSink {
 public:
  virtual ~SnapshotSink() = default;
  virtual absl::Status Write(std::span<const char> bytes) = 0;
  // The sender's stream ended as announced: verifies the image, makes it durable and hands the
  // kSnap message to raft. An error refuses the snapshot; raft then never hears of it.
  virtual absl::Status Finish() = 0;
};

// What a member takes from its peers. node::Member implements it, rafthttp and the simulated
// network call it. Thread-safe; nothing but the sinks blocks.
class PeerReceiver {
 public:
  virtual ~PeerReceiver() = default;

  // Messages for this member from members that are not removed, decoded and within bounds.
  virtual void Receive(std::vector<raft::Message> messages) = 0;
  // Starts taking a kSnap (its snapshot.data is the v2 store's JSON) and the database behind it.
  virtual absl::StatusOr<std::unique_ptr<SnapshotSink>> ReceiveSnapshot(raft::Message message) = 0;

  // A message to this peer was dropped or its connection broke.
  virtual void ReportUnreachable(MemberId to) = 0;
  // The outcome of PeerTransport::SendSnapshot; `ok`: the peer took it whole.
  virtual void ReportSnapshot(MemberId to, bool ok) = 0;

  // Known to have left the cluster for good.
  virtual bool IsRemoved(MemberId id) const = 0;
  // A peer answered that this member has been removed (410): it must not go on.
  virtual void OnRemovedByPeers() = 0;
};

}  // namespace etcd::ports
