#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/raft/types.h"

namespace etcd::raft {

enum class Role : std::uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };

struct SoftState {
  MemberId leader;  // 0: unknown
  Role role = Role::kFollower;

  bool operator==(const SoftState&) const = default;
};

// A read that asked for ReadIndex may be served once `index` is applied (thesis 6.4).
struct ReadState {
  Index index;
  std::string context;  // as given to ReadIndex
};

// What the driver has to do, in this order (house contract, thesis 10.2.1):
//  1. send `messages` (a leader's appends may travel while it writes its own log);
//  2. write `snapshot`, `entries` and `hard_state` to the WAL, fsync iff `must_sync`;
//  3. Core::OnPersisted(number), send `messages_after_persist` (unchanged and in order; with an
//     empty write step 3 follows at once, but it is never skipped);
//  4. apply `committed` (only entries whose persistence was reported are ever in it), then
//     Core::OnApplied; a committed configuration change is first passed to ApplyConfChange; a
//     `snapshot` is installed after the entries of earlier Readys and before those that follow it,
//     and reported by OnApplied(its index) before a change that follows is passed on;
//  5. answer `read_states` once their index is applied.
// The driver may overlap the steps of consecutive Readys as long as each Ready's own order holds
// and WAL writes happen in the order of the Readys.
struct Ready {
  // Counts the Readys of this Core from 1. OnPersisted names it instead of an index and a term:
  // an index may be written, truncated and written again while the first write is still under way.
  std::uint64_t number = 0;
  std::optional<SoftState> soft_state;  // set when changed
  std::optional<HardState> hard_state;  // set when changed
  std::vector<Entry> entries;           // to append to the WAL; the first may overwrite a suffix
  Snapshot snapshot;                    // to install; empty() when none
  std::vector<Entry> committed;
  std::vector<Message> messages;
  std::vector<Message> messages_after_persist;
  std::vector<ReadState> read_states;
  bool must_sync = false;
};

}  // namespace etcd::raft
