#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "server/base/clock.h"
#include "server/base/ids.h"
#include "server/base/mutex.h"
#include "server/node/node.h"

namespace etcd::node {

// Who waits for an entry to be applied here.
struct Waiter {
  RequestId id;
  ProposeDone done;
  base::Clock::Monotonic start;
  base::Clock::Monotonic deadline;
  bool deadline_is_callers = false;  // it asked for less than the request timeout
  Term term{};                       // in which it was proposed
  bool is_doubtful = false;          // see WaiterTable::Doubt
};

// The proposals of this member whose outcome is not known yet, by request id. Bounded by the limits
// of Node::Propose. Thread-safe: the raft thread adds before it proposes, the apply thread takes.
// A waiter is answered by whoever took it, outside of the lock.
class WaiterTable {
 public:
  // Each id waits once: they come from RequestIds.
  void AddAll(std::vector<Waiter> waiters);
  // The waiters of these ids; where nobody waits (any more), `done` is null.
  std::vector<Waiter> TakeAll(std::span<const RequestId> ids);
  Waiter Take(RequestId id);
  // Whatever was proposed before `term` and is not applied when an entry of `term` is, has probably
  // got lost with its leader: it is given up at `deadline`, if not before.
  void Doubt(Term term, base::Clock::Monotonic deadline);
  // Ascending by id, so that a simulation replays.
  std::vector<Waiter> TakeExpired(base::Clock::Monotonic now);
  std::vector<Waiter> TakeEverything();
  std::size_t size() const;

 private:
  mutable base::Mutex mu_;
  absl::flat_hash_map<RequestId, Waiter> waiting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace etcd::node
