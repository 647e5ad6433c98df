#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "server/base/ids.h"
#include "server/raft/progress.h"

// What a member knows only while it has a role (paper figure 4 plus PreCandidate, thesis 9.6).
namespace etcd::raft {

using Votes = std::map<MemberId, bool>;  // granted?

struct Follower {
  MemberId leader;  // 0: unknown
};

struct PreCandidate {
  Votes votes;
};

struct Candidate {
  Votes votes;
};

struct PendingRead {
  MemberId from;  // who answers its client; this member or a follower
  std::string context;
  Index index;              // commit index when the read arrived
  std::uint64_t round = 0;  // a quorum must confirm this heartbeat round or a later one
};

struct Leader {
  std::map<MemberId, Progress> progress;  // every member of the configuration, this one included
  std::uint64_t ticks = 0;                // since it leads
  int heartbeat_elapsed = 0;              // ticks
  // An unapplied configuration change is at or below this index (thesis 4.1: one at a time).
  Index pending_conf_index;
  MemberId transferee;                  // 0: none
  std::uint64_t uncommitted_bytes = 0;  // data of entries proposed here and not committed

  // ReadIndex (thesis 6.4). Rounds count the heartbeat broadcasts that confirm reads; an answer to
  // a round confirms all reads that arrived before it was sent.
  std::vector<PendingRead> reads_before_first_commit;
  std::deque<PendingRead> reads;  // rounds ascending
  std::uint64_t round = 0;
  bool round_open = false;  // `round` is not sent yet: arriving reads may join it
};

}  // namespace etcd::raft
