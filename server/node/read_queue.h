#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/base/clock.h"
#include "server/node/apply_loop.h"
#include "server/node/request_ids.h"
#include "server/node/shared.h"
#include "server/raft/core.h"
#include "server/raft/ready.h"

namespace etcd::node {

// Linearizable read barriers (thesis 6.4). All reads that wait share one round; a round gets a
// context that was never used before, also when it is tried again and by an earlier process, so
// that an answer which was delayed (a paused process, a queue for one that is gone) confirms
// nothing newer than itself (etcd issue 20418). Go's leaders know open reads by their contexts
// alone.
//
// A read of the only member, without learners, needs no round (Shared::is_lone_leader): nobody else
// can have applied or acknowledged anything since raft here left the last of the others out, what
// was committed until then is applied here, what this process acknowledged was applied and
// published before the acknowledgement left, and what a former process acknowledged was in the log
// before the first entry of this term, which is applied. So every write acknowledged before the
// read began is visible to it. The flag falls before a second member, learner or voter, is in
// force.
//
// Owner: the raft thread.
class ReadQueue {
 public:
  ReadQueue(Shared& shared, RequestIds& ids, ApplyLoop& apply, raft::Core& core)
      : shared_(shared), ids_(ids), apply_(apply), core_(core) {}

  void Add(std::vector<ReadDone> reads);
  // Starts a round if reads wait and none is under way.
  void Flush();
  void OnReadState(const raft::ReadState& state);
  // Drops the round and starts another one with the new leader, if there is one.
  void OnLeaderChange();
  // Tries a round again after 500 ms, gives reads up after the request timeout.
  void OnTick();
  void FailAll(const absl::Status& status);

 private:
  struct Read {
    ReadDone done;
    base::Clock::Monotonic deadline;
  };
  std::string NextContext();
  void GiveUpRound();
  void Fail(std::vector<Read>& reads, const absl::Status& status);
  void DropExpired(std::vector<Read>& reads, base::Clock::Monotonic now);

  Shared& shared_;
  RequestIds& ids_;
  ApplyLoop& apply_;
  raft::Core& core_;
  std::vector<Read> waiting_;  // for the next round
  std::vector<Read> asked_;    // in the round of context_
  std::string context_;        // "" when no round is under way
  base::Clock::Monotonic asked_at_;
};

}  // namespace etcd::node
