#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/base/ids.h"
#include "server/raft/types.h"

namespace etcd::raft {

// Limits and timing of one member; defaults are etcd's. Ticks are calls of Tick().
struct Config {
  MemberId id;
  int election_ticks = 10;   // timeout is drawn uniformly from [election_ticks, 2*election_ticks-1]
  int heartbeat_ticks = 1;   // < election_ticks
  bool pre_vote = true;      // thesis 9.6
  bool check_quorum = true;  // thesis 6.2; also withholds votes while a leader is alive (4.2.3)
  std::uint64_t message_bytes_max = 1 << 20;  // encoded entries of one kApp; one entry always fits
  std::uint64_t committed_bytes_max = 1 << 20;  // of Ready::committed; one entry always fits
  std::uint64_t applying_bytes_max = 64 << 20;  // handed out, not yet OnApplied; above it: pause
  std::size_t inflight_messages_max = 512;      // kApp per follower without an answer
  std::uint64_t inflight_bytes_max = 64 << 20;  // their entries
  std::uint64_t uncommitted_bytes_max = 0;      // data of the leader's open proposals; 0: no limit
};

// What the member knew before it started: read from snapshot and WAL, or bootstrapped.
struct InitialState {
  HardState hard_state;
  SnapshotMetadata snapshot;   // where `entries` start; index 0: from the beginning
  std::vector<Entry> entries;  // indexes snapshot.index + 1 and on, without gap; all durable
  // In the state machine; snapshot.index <= applied <= last entry. May be ahead of the recorded
  // commit index, which is written without fsync.
  Index applied;
  // As of `applied`; may already contain changes of later entries (a bootstrap: entries 1..N add
  // the voters, applied = 0): applying them again does nothing.
  ConfState conf_state;
};

}  // namespace etcd::raft
