#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "server/base/random.h"
#include "server/raft/core.h"

namespace etcd::raft {

// What survives a crash of a test member.
struct Disk {
  HardState hard_state;
  Index synced_commit;  // hard_state.commit as of the last write that was synced
  Snapshot snapshot;
  std::vector<Entry> entries;  // snapshot.index + 1 and on

  Index last_index() const { return snapshot.metadata.index + entries.size(); }
  Term term_at(Index index) const;  // 0: not there; the snapshot covers all below its index
  bool Covers(Index index, Term term) const;
  void Write(const Ready& ready);
  void WriteEntry(const Entry& entry);
};

// A replicated state machine that remembers everything as one hash.
struct StateMachine {
  Index applied;
  Term applied_term;
  ConfState conf;
  std::uint64_t hash = 1;
  std::vector<std::string> data;  // of the ordinary entries, since the last snapshot

  void Apply(const Entry& entry);
  std::string Save() const;
  void Load(const Snapshot& snapshot);
};

// Configuration changes travel as "add 4", "learner 4", "remove 4".
ConfChange ParseConfChange(std::string_view text);

// One member with its driver in the smallest form that keeps the contract of ready.h, each step
// callable on its own: a test decides when a write is done and when the process dies.
class TestMember {
 public:
  // A founder (bootstrap entries for `voters` and `learners`) or, with no voters, one that joins.
  TestMember(Config config, std::uint64_t seed, const std::vector<MemberId>& voters,
             const std::vector<MemberId>& learners);

  bool alive() const { return core_ != nullptr; }
  Core& core() { return *core_; }
  const Core& core() const { return *core_; }
  MemberId id() const { return config_.id; }
  const Disk& disk() const { return disk_; }
  const StateMachine& machine() const { return machine_; }

  // Step 1 of a Ready. False: there was none.
  bool Take();
  const Ready& last_taken() const { return taken_.back(); }
  // Steps 2 and 3 of the oldest Ready that is not written.
  bool Persist();
  // Step 4 for one entry or snapshot.
  bool Apply();
  void RunAll();  // everything above until nothing is left

  // The process dies; `written` of the Readys under way (and `torn` entries of the next) reached
  // the disk without being reported, the unsynced commit index did or did not.
  void Crash(std::size_t written, std::size_t torn, bool keep_commit);
  void Restart();
  std::size_t writes_under_way() const { return taken_.size(); }
  // The state machine as it is becomes durable.
  void Checkpoint() {
    // A snapshot that is on disk and not installed yet is ahead.
    if (machine_.applied > durable_machine_.applied) durable_machine_ = machine_;
  }
  // A snapshot on disk at the applied index; `keep` entries before it stay in the core's memory.
  void TakeSnapshot(std::uint64_t keep);
  // What the driver puts into a kSnap of the core.
  Snapshot CurrentSnapshot() const;

  std::vector<Message> outbox;     // messages that left this member
  std::vector<ReadState> reads;    // answered reads (step 5: index already applied)
  std::vector<Entry> applied_log;  // in this life and earlier ones, in order of applying

 private:
  struct ApplyItem {
    Entry entry;
    Snapshot snapshot;  // set: install this instead
  };

  InitialState Load() const;
  void SendAll(std::vector<Message>& messages);

  Config config_;
  base::SeededRandom random_;
  Disk disk_;
  StateMachine machine_;
  StateMachine durable_machine_;
  std::unique_ptr<Core> core_;
  std::deque<Ready> taken_;  // not written yet
  std::deque<ApplyItem> apply_queue_;
  std::vector<ReadState> waiting_reads_;
};

}  // namespace etcd::raft
