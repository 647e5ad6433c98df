#pragma once

#include <algorithm>
#include <cstdint>
#include <etcdserverpb/rpc.pb.h>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/ledger.h"
#include "tests/simulation/world.h"

namespace etcd::simulation {

// What clients asked for and were told, checked against the ledger as it happens: linearizability
// by revision. Revisions order the writes, so no search is needed.
class History {
 public:
  // What was certain when an operation began.
  struct Begun {
    Nanos at{0};
    std::int64_t revision = 1;    // some client has seen it
    std::int64_t compacted = -1;  // acknowledged
  };
  struct Write {
    std::uint64_t id = 0;
    etcdserverpb::TxnRequest request;
    Begun begun;
  };

  History(World& world, Ledger& ledger) : world_(world), ledger_(ledger) {}

  Begun Begin() const { return {world_.now(), seen_, compacted_}; }
  // A client has learned of this revision: later linearizable operations may not fall behind.
  void Saw(std::int64_t revision) { seen_ = std::max(seen_, revision); }

  // Acknowledged. `response` as a transaction's.
  void CheckWrite(const Write& write, const etcdserverpb::TxnResponse& response);
  // It may have happened, once, at any time from then on.
  void OutcomeUnknown(Write write);

  void CheckRange(const Begun& begun, const etcdserverpb::RangeRequest& request,
                  const etcdserverpb::RangeResponse& response);
  // A read at `revision` was refused.
  void CheckCompacted(std::int64_t revision);
  void CheckFuture(const Begun& begun, std::int64_t revision);

  void CheckCompaction(std::int64_t revision);
  void CheckHash(std::int64_t asked, const etcdserverpb::HashKVResponse& response);

  // At the end: every revision was acknowledged, or can be explained by a write whose outcome its
  // client never learned, or by the end of a lease.
  void CheckUnclaimed();

  std::int64_t seen() const { return seen_; }
  std::int64_t compacted() const { return compacted_; }
  std::uint64_t checked() const { return checked_; }

 private:
  void Fail(std::string what) { world_.Fail("history: " + std::move(what)); }
  void Register(const etcdserverpb::TxnRequest& request, std::size_t number);
  // Numbers of the unknown writes that are worth trying.
  std::set<std::size_t> MayHaveWritten(const Ledger::Record& record) const;
  std::vector<std::size_t> Candidates(const Ledger::Record& record, std::int64_t revision) const;
  bool Explain(std::int64_t revision, std::set<std::size_t>& tried);
  bool IsEndOfLease(const Ledger::Record& record, std::int64_t revision) const;

  World& world_;
  Ledger& ledger_;
  std::int64_t seen_ = 1;
  std::int64_t compacted_ = -1;
  std::uint64_t checked_ = 0;
  std::vector<Write> unknown_;
  // Numbers in unknown_, by what they would store; those that delete, or store what was there.
  std::map<std::string, std::set<std::size_t>> by_value_;
  std::set<std::size_t> deleting_;
  std::set<std::size_t> keeping_;
  std::map<std::int64_t, std::vector<std::size_t>> candidates_;  // per unclaimed revision
  std::map<std::size_t, std::int64_t> explains_;                 // number in unknown_ -> revision
  // (hash revision, compact revision) -> hash
  std::map<std::pair<std::int64_t, std::int64_t>, std::uint32_t> hashes_;
};

}  // namespace etcd::simulation
