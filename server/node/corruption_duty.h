#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/functional/any_invocable.h>

#include "server/node/hash_source.h"
#include "server/node/shared.h"
#include "server/storage/mvcc/store.h"

namespace etcd::node {

// The leader's comparisons of all members' data (server-surface.md 3.6): of their heads, and of the
// compactions that they have hashed. Members that differ get the CORRUPT alarm. Both clocks run on
// every member, and only the leader acts on them. Owner: the raft thread.
class CorruptionDuty {
 public:
  using Propose = absl::AnyInvocable<void(absl::AnyInvocable<std::string(RequestId)>, ProposeDone)>;
  using ReadIndex = absl::AnyInvocable<void(ReadDone)>;

  // Both may be called as long as this lives; their answers come on any thread.
  CorruptionDuty(Shared& shared, Propose propose, ReadIndex read_index);

  void OnTick();

 private:
  struct HeadRound;
  struct CompactionRound;

  void HaltWhenCorrupt();
  void CheckHeads();
  void AskForHead(const std::shared_ptr<HeadRound>& round);
  void EndHeads(const std::shared_ptr<HeadRound>& round, const absl::Status& status);
  void CheckCompactions();
  void CheckCompaction(const std::shared_ptr<CompactionRound>& round);
  void EndCompactions(std::size_t checked);

  void Raise(MemberId member);
  bool is_leader() const { return shared_.leader.load() == shared_.id.value(); }

  Shared& shared_;
  HashSource hashes_;
  Propose propose_;
  ReadIndex read_index_;
  base::Clock::Monotonic next_heads_;
  base::Clock::Monotonic next_compactions_;
  bool comparing_heads_ = false;
  bool comparing_compactions_ = false;
  Revision checked_;  // newest compaction in which all members agreed
};

}  // namespace etcd::node
