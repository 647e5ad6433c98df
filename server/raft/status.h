#pragma once

#include <cstdint>
#include <map>

#include "server/base/ids.h"
#include "server/raft/ready.h"
#include "server/raft/types.h"

namespace etcd::raft {

enum class ProgressState : std::uint8_t { kProbe, kReplicate, kSnapshot };

// What a leader knows about one member (its own row included).
struct ProgressStatus {
  Index match;  // known to be durable there
  Index next;   // to send
  ProgressState state = ProgressState::kProbe;
  bool is_learner = false;
  bool recently_active = false;  // answered within the last election timeout
  bool paused = false;           // nothing is sent until it answers
  Index pending_snapshot;        // 0: none

  bool operator==(const ProgressStatus&) const = default;
};

struct Status {
  MemberId id;
  SoftState soft_state;
  HardState hard_state;
  Index applied;
  Index persisted;
  Index first_index;
  Index last_index;
  MemberId transferee;  // 0: no transfer under way
  ConfState conf_state;
  std::map<MemberId, ProgressStatus> progress;  // leader only
};

}  // namespace etcd::raft
