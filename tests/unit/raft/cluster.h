#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/raft/test_member.h"

namespace etcd::raft {

// The safety properties of figure 3 of the paper, and what etcd promises on top, checked against
// everything that ever happened. A violation is recorded, not thrown: see violations().
class Invariants {
 public:
  void OnMessageSent(const Message& m);
  // After any event at `member`; `all` to look at the disks of the others.
  void Check(TestMember& member, const std::map<MemberId, std::unique_ptr<TestMember>>& all);
  void OnCrash(MemberId id);

  // The highest index that any member knows to be committed: a read that starts now must see it.
  Index committed() const { return Index(committed_.size()); }
  void OnReadStarted(MemberId id, const std::string& context);
  std::size_t reads_answered() const { return reads_answered_; }
  std::size_t leaders_seen() const { return leaders_.size(); }
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  struct Seen {  // of one life of a member
    Term term;
    Index committed;
    Index applied;
    std::size_t applied_entries = 0;
    std::size_t reads = 0;
  };
  struct Committed {
    Entry entry;
    Term by;  // term of the member that knew it first
  };

  void CheckLeader(const TestMember& member);
  void CheckCommits(const TestMember& member, Index from,
                    const std::map<MemberId, std::unique_ptr<TestMember>>& all);
  void CheckOnQuorumOfDisks(const TestMember& member, Index index,
                            const std::map<MemberId, std::unique_ptr<TestMember>>& all);
  void CheckEntry(const Entry& entry, Term previous);
  void Violated(const std::string& what);

  std::map<Term, MemberId> leaders_;
  std::map<std::pair<Index, Term>, std::pair<Payload, Term>> entries_;  // -> data, previous term
  std::vector<Committed> committed_;                                    // index 1 at position 0
  std::map<Index, std::uint64_t> hashes_;
  std::map<std::pair<MemberId, Term>, MemberId> votes_;
  std::map<MemberId, Seen> seen_;
  std::map<std::pair<MemberId, std::string>, Index> reads_;  // -> lowest index allowed
  std::size_t reads_answered_ = 0;
  std::vector<std::string> violations_;
};

struct ClusterOptions {
  Config config;  // id is filled in
  std::uint64_t voters = 3;
  std::uint64_t learners = 0;
  std::uint64_t seed = 1;
};

// Members 1..n and an in-memory network that loses, reorders and repeats only what a test tells
// it to.
class Cluster {
 public:
  explicit Cluster(const ClusterOptions& options);

  TestMember& operator[](std::uint64_t id) { return *members_.at(MemberId(id)); }
  Core& core(std::uint64_t id) { return (*this)[id].core(); }
  const std::map<MemberId, std::unique_ptr<TestMember>>& members() const { return members_; }
  // A new, empty member that waits to be added.
  TestMember& Join(std::uint64_t id);

  // ---- Network ----
  std::vector<Message> flying;  // oldest first
  // Moves what members sent into `flying`; messages over cut links are lost.
  void Collect();
  void Deliver(std::size_t position);
  void Drop(std::size_t position);
  std::function<void(const Message&)> on_delivery;  // called before each, may be empty
  void Cut(std::uint64_t from, std::uint64_t to) { cut_.insert({MemberId(from), MemberId(to)}); }
  void Isolate(std::uint64_t id);
  void Heal() { cut_.clear(); }

  // ---- Time ----
  // All members work and all messages arrive until nothing is left to do.
  void Settle();
  void Tick(int ticks);  // every member, with Settle after each tick
  void Elect(std::uint64_t id);
  // Ticks until there is a leader among the members not isolated; 0 if none comes.
  std::uint64_t WaitForLeader();
  std::uint64_t leader() const;  // of the highest term; 0: none

  // ---- Checks ----
  Invariants& invariants() { return invariants_; }
  void Check(TestMember& member) { invariants_.Check(member, members_); }
  bool Read(std::uint64_t id, const std::string& context);
  void CrashNoted(const TestMember& member) { invariants_.OnCrash(member.id()); }

 private:
  bool IsCut(MemberId from, MemberId to) const { return cut_.contains({from, to}); }
  void Lose(const Message& m);

  ClusterOptions options_;
  std::map<MemberId, std::unique_ptr<TestMember>> members_;
  std::set<std::pair<MemberId, MemberId>> cut_;
  Invariants invariants_;
};

}  // namespace etcd::raft
