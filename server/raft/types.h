#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/base/ids.h"
#include "server/raft/payload.h"

// The protocol's plain data. raftcodec converts them to raftpb bytes for the WAL and the wire.
namespace etcd::raft {

// Values are raftpb's.
enum class EntryType : std::uint8_t { kNormal = 0, kConfChange = 1, kConfChangeV2 = 2 };

struct Entry {
  Term term;
  Index index;
  EntryType type = EntryType::kNormal;
  Payload data;  // empty in the entry that a new leader appends

  bool operator==(const Entry&) const = default;
};

// What a member must not forget: persisted before any message that implies it (paper figure 2).
struct HardState {
  Term term;
  MemberId vote;  // 0: none
  Index commit;   // may lag behind what is known; never ahead of the persisted log

  bool operator==(const HardState&) const = default;
  bool empty() const { return *this == HardState(); }
};

// Members of the configuration, ids ascending. The joint-consensus fields are carried for the
// codec; etcd changes one member at a time and never enters a joint configuration.
struct ConfState {
  std::vector<MemberId> voters;
  std::vector<MemberId> learners;
  std::vector<MemberId> voters_outgoing;
  std::vector<MemberId> learners_next;
  bool auto_leave = false;

  bool operator==(const ConfState&) const = default;
};

struct SnapshotMetadata {
  ConfState conf_state;
  Index index;  // last entry that the snapshot replaces; 0: no snapshot
  Term term;    // of that entry

  bool operator==(const SnapshotMetadata&) const = default;
};

struct Snapshot {
  SnapshotMetadata metadata;
  std::string data;  // opaque to raft: etcd's v2 store JSON

  bool operator==(const Snapshot&) const = default;
  bool empty() const { return !metadata.index; }
};

enum class ConfChangeType : std::uint8_t {
  kAddNode = 0,  // also promotes a learner
  kRemoveNode = 1,
  kUpdateNode = 2,
  kAddLearnerNode = 3,
};

struct ConfChange {
  std::uint64_t id = 0;  // request id of the proposer
  ConfChangeType type = ConfChangeType::kAddNode;
  MemberId node_id;
  std::string context;  // member JSON; opaque to raft

  bool operator==(const ConfChange&) const = default;
};

// Values are raftpb's; the missing numbers are local to Go's library and never on the wire.
enum class MessageType : std::uint8_t {
  kProp = 2,
  kApp = 3,
  kAppResp = 4,
  kVote = 5,
  kVoteResp = 6,
  kSnap = 7,
  kHeartbeat = 8,
  kHeartbeatResp = 9,
  kUnreachable = 10,
  kSnapStatus = 11,
  kTransferLeader = 13,
  kTimeoutNow = 14,
  kReadIndex = 15,
  kReadIndexResp = 16,
  kPreVote = 17,
  kPreVoteResp = 18,
};

struct Message {
  MessageType type = MessageType::kHeartbeat;
  MemberId to;
  MemberId from;
  Term term;      // 0 in kProp and kReadIndex
  Term log_term;  // kApp, kVote, kPreVote: term of the entry at `index`; reject: hint's term
  Index index;    // kApp: the entry before `entries`; responses: what is acknowledged
  std::vector<Entry> entries;
  Index commit;
  Snapshot snapshot;  // kSnap only
  bool reject = false;
  Index reject_hint;
  std::string context;  // ReadIndex round, or "CampaignTransfer" in a vote

  bool operator==(const Message&) const = default;
};

}  // namespace etcd::raft
