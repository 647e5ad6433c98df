#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include <absl/container/flat_hash_set.h>

#include "server/ports/peer_receiver.h"
#include "server/ports/peer_transport.h"
#include "server/raft/types.h"
#include "server/rafthttp/peers.h"
#include "server/rafthttp/workers.h"

namespace etcd::rafthttp {

// A snapshot on its way to a peer. Reports its outcome exactly once, wherever it gets lost.
class OutgoingSnapshot {
 public:
  OutgoingSnapshot(raft::Message snapshot_message, std::unique_ptr<ports::SnapshotSource> source,
                   ports::PeerReceiver& receiver)
      : message(std::move(snapshot_message)), database(std::move(source)), receiver_(receiver) {}
  ~OutgoingSnapshot() { Report(false); }
  OutgoingSnapshot(const OutgoingSnapshot&) = delete;
  OutgoingSnapshot& operator=(const OutgoingSnapshot&) = delete;

  // Only the first one counts.
  void Report(bool ok) {
    if (!std::exchange(reported_, true)) receiver_.ReportSnapshot(message.to, ok);
  }

  raft::Message message;
  std::unique_ptr<ports::SnapshotSource> database;

 private:
  ports::PeerReceiver& receiver_;
  bool reported_ = false;
};

// Sends snapshots, each on its own thread, at most one to a peer. Loop thread only.
class SnapshotSender {
 public:
  SnapshotSender(Peers& peers, Workers& workers) : peers_(peers), workers_(workers) {}

  void Send(std::unique_ptr<OutgoingSnapshot> snapshot);

 private:
  void Finished(MemberId to, const config::Url& url, const absl::Status& result);

  Peers& peers_;
  Workers& workers_;
  absl::flat_hash_set<MemberId> sending_;
};

}  // namespace etcd::rafthttp
