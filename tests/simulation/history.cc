#include "tests/simulation/history.h"

#include <algorithm>

#include <fmt/format.h>

#include "tests/simulation/model.h"

namespace etcd::simulation {

void History::CheckWrite(const Write& write, const etcdserverpb::TxnResponse& response) {
  ++checked_;
  const std::int64_t revision = response.header().revision();
  const std::string told = Strip(response);
  if (ledger_.Has(revision)) {
    Model model(ledger_, revision - 1);
    const std::string expected = Strip(model.Run(write.request));
    if (!model.changes().empty() && told == expected &&
        Matches(ledger_.At(revision), revision, model.changes())) {
      if (ledger_.At(revision).claimed) {
        Fail(fmt::format("two writes were acknowledged with revision {}", revision));
      }
      if (revision <= write.begun.revision) {
        Fail(fmt::format("a write of revision {} began after {} was seen", revision,
                         write.begun.revision));
      }
      ledger_.At(revision).claimed = true;
      return Saw(revision);
    }
  }
  if (revision > ledger_.head()) {
    return Fail(fmt::format("write {}: acknowledged with revision {}, the store is at {}", write.id,
                            revision, ledger_.head()));
  }
  // Nothing was changed: it shows the state at the revision.
  Model model(ledger_, revision);
  const std::string expected = Strip(model.Run(write.request));
  if (!model.changes().empty() || told != expected) {
    return Fail(fmt::format("write {} at revision {}: {} answered {}, expected {} or its revision",
                            write.id, revision, write.request.ShortDebugString(), told, expected));
  }
  if (revision < write.begun.revision) {
    return Fail(fmt::format("a stale read: revision {} after {}", revision, write.begun.revision));
  }
  Saw(revision);
}

void History::CheckRange(const Begun& begun, const etcdserverpb::RangeRequest& request,
                         const etcdserverpb::RangeResponse& response) {
  ++checked_;
  const std::int64_t revision = response.header().revision();
  if (revision > ledger_.head() || request.revision() > revision) {
    return Fail(fmt::format("a read at {} answers with revision {}, the store is at {}",
                            request.revision(), revision, ledger_.head()));
  }
  if (!request.serializable() && revision < begun.revision) {
    return Fail(fmt::format("a stale read: revision {} after {}", revision, begun.revision));
  }
  if (!request.serializable() && request.revision() > 0 && request.revision() < begun.compacted) {
    return Fail(
        fmt::format("a read at {} succeeds, {} is compacted", request.revision(), begun.compacted));
  }
  const std::string expected = Strip(Model(ledger_, revision).Range(request));
  if (const std::string told = Strip(response); told != expected) {
    return Fail(fmt::format("read {} at revision {}: got {}, expected {}",
                            request.ShortDebugString(), revision, told, expected));
  }
  if (!request.serializable()) Saw(revision);
}

void History::CheckCompacted(std::int64_t revision) {
  ++checked_;
  if (revision >= ledger_.compacted()) {
    Fail(fmt::format("revision {} is refused as compacted, only {} is", revision,
                     ledger_.compacted()));
  }
}

void History::CheckFuture(const Begun& begun, std::int64_t revision) {
  ++checked_;
  if (revision <= begun.revision) {
    Fail(fmt::format("revision {} is refused as future, {} was seen", revision, begun.revision));
  }
}

void History::CheckCompaction(std::int64_t revision) {
  ++checked_;
  if (ledger_.compacted() < revision) {
    return Fail(fmt::format("a compaction to {} is acknowledged, the store says {}", revision,
                            ledger_.compacted()));
  }
  compacted_ = std::max(compacted_, revision);
  Saw(revision);
}

void History::CheckHash(std::int64_t asked, const etcdserverpb::HashKVResponse& response) {
  ++checked_;
  const std::int64_t at = response.hash_revision();
  if (asked > 0 && at != asked) Fail(fmt::format("HashKV at {} answers for {}", asked, at));
  // Not refused below a compaction when an earlier one had computed it (v3-api.md 7.5).
  // Where nothing lives, etcd's algorithm makes a difference between a hash that was computed and
  // one that a compaction left behind (v3-api.md 7.5): "keep nothing" counts as "keep all".
  if (ledger_.RangeAt("", std::string_view("\0", 1), at).empty()) return;
  const auto [known, is_new] =
      hashes_.emplace(std::pair(at, response.compact_revision()), response.hash());
  if (!is_new) world_.Count("hash compared");
  if (!is_new && known->second != response.hash()) {
    Fail(fmt::format("HashKV at {} (compacted {}): {:08x}, before {:08x}", at,
                     response.compact_revision(), response.hash(), known->second));
  }
}

// ---- The end

void History::CheckUnclaimed() {
  for (std::int64_t revision = 2; revision <= ledger_.head(); ++revision) {
    const Ledger::Record& record = ledger_.At(revision);
    if (record.claimed) continue;
    world_.Count("write of unknown outcome happened");
    if (IsEndOfLease(record, revision)) continue;
    candidates_[revision] = Candidates(record, revision);
    std::set<std::size_t> tried;
    if (Explain(revision, tried)) continue;
    const Ledger::Change& first = record.changes.front();
    return Fail(fmt::format("nobody can have written revision {} ({} {} {})", revision,
                            first.deleted ? "delete" : "put", first.key,
                            first.kv.value().substr(0, 40)));
  }
}

void History::OutcomeUnknown(Write write) {
  Register(write.request, unknown_.size());
  unknown_.push_back(std::move(write));
}

void History::Register(const etcdserverpb::TxnRequest& request, std::size_t number) {
  for (const auto* branch : {&request.success(), &request.failure()}) {
    for (const etcdserverpb::RequestOp& op : *branch) {
      if (op.has_request_txn()) Register(op.request_txn(), number);
      if (op.has_request_delete_range()) deleting_.insert(number);
      if (!op.has_request_put()) continue;
      if (op.request_put().ignore_value()) {
        keeping_.insert(number);
      } else {
        by_value_[op.request_put().value()].insert(number);
      }
    }
  }
}

// A run may have thousands of unknown writes; running the model for all of them takes minutes.
std::set<std::size_t> History::MayHaveWritten(const Ledger::Record& record) const {
  std::set<std::size_t> out = keeping_;
  const auto put = std::find_if(record.changes.begin(), record.changes.end(),
                                [](const Ledger::Change& change) { return !change.deleted; });
  if (put == record.changes.end()) {
    out.insert(deleting_.begin(), deleting_.end());
  } else if (const auto same = by_value_.find(put->kv.value()); same != by_value_.end()) {
    out.insert(same->second.begin(), same->second.end());
  }
  return out;
}

// Writes of unknown outcome that would have had this effect at this revision.
std::vector<std::size_t> History::Candidates(const Ledger::Record& record,
                                             std::int64_t revision) const {
  std::vector<std::size_t> out;
  for (const std::size_t i : MayHaveWritten(record)) {
    if (unknown_[i].begun.at > record.at || unknown_[i].begun.revision >= revision) continue;
    Model model(ledger_, revision - 1);
    model.Run(unknown_[i].request);
    if (Matches(record, revision, model.changes())) out.push_back(i);
  }
  return out;
}

// Each write explains at most one revision. Deletes may fit several: an augmenting path moves one
// that was taken to another revision that it fits.
bool History::Explain(std::int64_t revision, std::set<std::size_t>& tried) {
  for (const std::size_t write : candidates_[revision]) {
    if (!tried.insert(write).second) continue;
    const auto taken = explains_.find(write);
    if (taken != explains_.end() && !Explain(taken->second, tried)) continue;
    explains_[write] = revision;
    return true;
  }
  return false;
}

bool History::IsEndOfLease(const Ledger::Record& record, std::int64_t revision) const {
  std::vector<std::string> deleted;
  for (const Ledger::Change& change : record.changes) {
    if (!change.deleted) return false;
    deleted.push_back(change.key);
  }
  return std::any_of(
      record.leases_removed.begin(), record.leases_removed.end(),
      [&](std::int64_t lease) { return ledger_.KeysOfLease(lease, revision - 1) == deleted; });
}

}  // namespace etcd::simulation
