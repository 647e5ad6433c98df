#pragma once

#include <cstdint>
#include <deque>
#include <etcdserverpb/rpc.pb.h>
#include <map>
#include <optional>
#include <string>

#include "tests/simulation/ledger.h"

namespace etcd::simulation {

// What etcd's API promises for one transaction, in as few lines as possible: the ledger's state at
// a revision, and the transaction's own writes over it. A single put or delete is a transaction of
// one operation.
class Model {
 public:
  // Key -> its new state; nullopt: deleted.
  using Changes = std::map<std::string, std::optional<mvccpb::KeyValue>>;

  // The state at `base`; writes get revision base + 1.
  Model(const Ledger& ledger, std::int64_t base) : ledger_(ledger), base_(base) {}

  // Once. Nested transactions too: all compares see the state before the whole.
  etcdserverpb::TxnResponse Run(const etcdserverpb::TxnRequest& request);
  const Changes& changes() const { return changes_; }

  // Of a range at `base` or at an older revision.
  etcdserverpb::RangeResponse Range(const etcdserverpb::RangeRequest& request) const;

 private:
  // Which branches run, in the order in which they are met; consumed by Execute.
  void Decide(const etcdserverpb::TxnRequest& request);
  etcdserverpb::TxnResponse Execute(const etcdserverpb::TxnRequest& request);
  bool Holds(const etcdserverpb::Compare& compare) const;
  etcdserverpb::PutResponse Put(const etcdserverpb::PutRequest& request);
  etcdserverpb::DeleteRangeResponse Delete(const etcdserverpb::DeleteRangeRequest& request);
  // At `revision`; 0: now, with this transaction's writes.
  std::map<std::string, mvccpb::KeyValue> Select(const std::string& key, const std::string& end,
                                                 std::int64_t revision) const;
  std::optional<mvccpb::KeyValue> Find(const std::string& key) const;

  const Ledger& ledger_;
  const std::int64_t base_;
  std::deque<bool> decided_;
  Changes changes_;
};

// True when the record says exactly this.
bool Matches(const Ledger::Record& record, std::int64_t revision, const Model::Changes& changes);

// Responses as text without headers, which are compared on their own.
std::string Strip(etcdserverpb::TxnResponse response);
std::string Strip(etcdserverpb::RangeResponse response);

}  // namespace etcd::simulation
