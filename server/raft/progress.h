#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "server/base/ids.h"
#include "server/raft/status.h"

namespace etcd::raft {

// The kApp messages with entries that a follower has not answered yet, oldest first.
class Inflights {
 public:
  Inflights(std::size_t count_max, std::uint64_t bytes_max)
      : count_max_(count_max), bytes_max_(bytes_max) {}

  bool full() const { return window_.size() >= count_max_ || bytes_ >= bytes_max_; }
  std::size_t count() const { return window_.size(); }
  void Add(Index last, std::uint64_t bytes);
  void FreeUpTo(Index index);
  void Clear();

 private:
  struct Sent {
    Index last;  // of the message's entries
    std::uint64_t bytes;
  };

  std::size_t count_max_;
  std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;
  std::deque<Sent> window_;
};

// A leader's view of one member (thesis 3.5, 10.2.1). Next is where sending goes on:
//   Probe:     one message at a time until the point of agreement is found;
//   Replicate: optimistic, next runs ahead of match by what is in flight;
//   Snapshot:  nothing but the snapshot.
// match < next always.
class Progress {
 public:
  Progress(Index match, Index next, bool learner, std::size_t inflight_max,
           std::uint64_t inflight_bytes_max);

  void BecomeProbe();
  void BecomeReplicate();
  void BecomeSnapshot(Index snapshot_index);

  // An answer that acknowledges `index`. False if it says nothing new.
  bool Acknowledge(Index index);
  // A refusal of the kApp after `rejected`, with the follower's hint. False if it is stale.
  bool Reject(Index rejected, Index hint);
  void Sent(std::uint64_t entries, std::uint64_t bytes);
  // The snapshot could not be delivered: nothing may be assumed from it.
  void SnapshotFailed();

  bool paused() const;
  ProgressStatus status() const;

  Index match;
  Index next;
  ProgressState state = ProgressState::kProbe;
  Index pending_snapshot;  // 0 outside of kSnapshot
  bool is_learner = false;
  // Answered within the last election timeout. A new leader knows that of nobody, but gives
  // everybody that time before it takes them for lost: `active_at` 0.
  bool recently_active = false;
  std::uint64_t active_at = 0;    // Leader::ticks at the last answer
  bool flow_paused = false;       // a probe or a full window waits for any answer
  bool send_even_empty = false;   // the next flush sends a kApp even without entries
  Index sent_commit;              // highest commit index told in this connection's messages
  std::uint64_t acked_round = 0;  // highest ReadIndex round it confirmed
  Inflights inflights;
};

}  // namespace etcd::raft
