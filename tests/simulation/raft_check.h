#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "server/raft/types.h"
#include "tests/simulation/wal_scan.h"
#include "tests/simulation/world.h"

namespace etcd::simulation {

// Raft's promises (paper figure 3), judged by what members say to each other, by what they apply
// and by what is found on their disks when they die. Knows nothing of the core.
class RaftCheck {
 public:
  explicit RaftCheck(World& world) : world_(world) {}

  // `message.from` hands it to the network.
  void OnSend(const raft::Message& message);
  // A member's state after this entry was written to its backend.
  void OnApplied(Index index, Term term);
  // What a member that has just died finds in its log when it comes back.
  void OnDeath(MemberId member, const WalContents& wal);
  // Its disk is gone for good.
  void Forget(MemberId member);

  // Of the highest term in which somebody led; 0: none so far.
  MemberId leader() const { return leaders_.empty() ? MemberId() : leaders_.rbegin()->second; }
  Term term() const { return term_max_; }

 private:
  struct SeenEntry {
    std::size_t hash;
    Term term_before;
  };
  struct Applied {
    Term term;
    Term known_at;  // every later leader has the entry
  };
  struct Acknowledged {
    Term term;
    Index index;
  };

  void CountRare(const raft::Message& m);
  void CheckTerm(const raft::Message& m);
  void CheckLeader(const raft::Message& m);
  void CheckCommit(const raft::Message& m);
  void CheckEntries(const raft::Message& m);
  void CheckVote(const raft::Message& m);
  void Fail(std::string what);

  World& world_;
  Term term_max_;
  std::map<Term, MemberId> leaders_;
  std::map<std::pair<MemberId, Term>, MemberId> votes_;
  std::map<MemberId, Term> terms_;   // the last that each has spoken in
  std::map<Term, Index> committed_;  // the last that the leader of a term has told
  std::map<std::pair<Index, Term>, SeenEntry> entries_;
  std::map<Index, Applied> applied_;
  std::map<MemberId, Acknowledged> acknowledged_;
};

}  // namespace etcd::simulation
