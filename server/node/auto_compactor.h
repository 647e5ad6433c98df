#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "server/base/clock.h"
#include "server/base/ids.h"
#include "server/node/member.h"

namespace etcd::node {

// When --auto-compaction asks for a compaction, and of which revision (server-surface.md 3.4). Pure
// but for the time it is given. Owner: the raft thread.
//
// Periodic P: the revision is sampled every min(P, 1 h) / 10; the first compaction comes P after
// the start, then one every min(P, 1 h), each to the revision of P ago. A failed one is tried at
// the next sample. Revision N: every 5 minutes to (current - N).
class AutoCompactor {
 public:
  AutoCompactor(const MemberOptions& options, base::Clock::Monotonic start);

  // The revision to compact now, if it is time and this member leads.
  std::optional<Revision> Poll(base::Clock::Monotonic now, Revision current, bool is_leader);
  // The outcome of what Poll returned. Already compacted counts as done.
  void OnDone(Revision revision, bool ok, base::Clock::Monotonic now);

 private:
  std::optional<Revision> PollPeriodic(base::Clock::Monotonic now, Revision current,
                                       bool is_leader);
  std::optional<Revision> PollRevision(base::Clock::Monotonic now, Revision current,
                                       bool is_leader);

  const AutoCompaction mode_;
  const std::chrono::nanoseconds period_;
  const std::chrono::nanoseconds interval_;  // between compactions
  const std::int64_t retention_;
  base::Clock::Monotonic next_sample_;
  base::Clock::Monotonic next_compaction_;
  std::deque<Revision> samples_;  // oldest first
  Revision last_;                 // compacted by this
  bool running_ = false;
};

}  // namespace etcd::node
