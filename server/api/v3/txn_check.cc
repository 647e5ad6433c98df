#include "server/api/v3/txn_check.h"

#include <algorithm>
#include <etcdserverpb/rpc.pb.h>
#include <map>
#include <string_view>

#include <absl/container/flat_hash_set.h>
#include <google/protobuf/repeated_ptr_field.h>

#include "server/api/v3/request.h"
#include "server/base/status.h"

namespace etcd::api::v3 {
namespace {

using etcdserverpb::RequestOp;
using etcdserverpb::TxnRequest;
using Ops = google::protobuf::RepeatedPtrField<RequestOp>;

absl::Status CheckTxnShape(const TxnRequest& txn, std::int64_t budget);

absl::Status CheckOp(const RequestOp& op, std::int64_t budget) {
  switch (op.request_case()) {
    case RequestOp::kRequestRange: {
      RangeArgs args;
      args.query.key = op.request_range().key();
      args.sort_order = op.request_range().sort_order();
      args.sort_target = op.request_range().sort_target();
      return CheckRange(args);
    }
    case RequestOp::kRequestPut: {
      const auto& put = op.request_put();
      return CheckPut({.key = put.key(),
                       .value = put.value(),
                       .lease = put.lease(),
                       .ignore_value = put.ignore_value(),
                       .ignore_lease = put.ignore_lease()});
    }
    case RequestOp::kRequestDeleteRange:
      if (op.request_delete_range().key().empty()) return Error(Errc::kEmptyKey);
      return absl::OkStatus();
    case RequestOp::kRequestTxn:
      return CheckTxnShape(op.request_txn(), budget);
    case RequestOp::REQUEST_NOT_SET:
      break;
  }
  return Error(Errc::kKeyNotFound);
}

// Nested transactions get what the outer one leaves; siblings do not share.
absl::Status CheckTxnShape(const TxnRequest& txn, std::int64_t budget) {
  const std::int64_t ops = std::max({txn.compare_size(), txn.success_size(), txn.failure_size()});
  if (ops > budget) return Error(Errc::kTooManyOps);
  for (const auto& compare : txn.compare()) {
    if (compare.key().empty()) return Error(Errc::kEmptyKey);
  }
  for (const Ops* branch : {&txn.success(), &txn.failure()}) {
    for (const RequestOp& op : *branch) RETURN_IF_ERROR(CheckOp(op, budget - ops));
  }
  return absl::OkStatus();
}

// Disjoint deleted intervals [begin, end).
class Intervals {
 public:
  // The end is taken as it stands: a delete from a key on (end "\0") makes an inverted interval,
  // which never conflicts. That hole is etcd's and clients may live in it.
  void Add(std::string_view begin, std::string_view end) {
    if (begin >= end) return;
    auto next = intervals_.lower_bound(begin);
    if (next != intervals_.begin() && std::prev(next)->second >= begin) --next;
    while (next != intervals_.end() && next->first <= end) {
      begin = std::min(begin, next->first);
      end = std::max(end, next->second);
      next = intervals_.erase(next);
    }
    intervals_[begin] = end;
  }
  // One key: kept apart, since its end (key + "\0") would need memory of its own.
  void AddKey(std::string_view key) { keys_.insert(key); }
  void AddAll(const Intervals& other) {
    for (const auto& [begin, end] : other.intervals_) Add(begin, end);
    keys_.insert(other.keys_.begin(), other.keys_.end());
  }
  bool Contains(std::string_view key) const {
    if (keys_.contains(key)) return true;
    const auto after = intervals_.upper_bound(key);
    return after != intervals_.begin() && key < std::prev(after)->second;
  }

 private:
  std::map<std::string_view, std::string_view> intervals_;
  absl::flat_hash_set<std::string_view> keys_;
};

struct Writes {
  absl::flat_hash_set<std::string_view> puts;
  Intervals deletes;
};

absl::StatusOr<Writes> CollectWrites(const Ops& ops);

absl::Status MergeNested(const TxnRequest& nested, Writes& into) {
  ASSIGN_OR_RETURN(const Writes then, CollectWrites(nested.success()));
  ASSIGN_OR_RETURN(const Writes otherwise, CollectWrites(nested.failure()));
  for (const std::string_view key : then.puts) {
    if (into.deletes.Contains(key) || !into.puts.insert(key).second) {
      return Error(Errc::kDuplicateKey);
    }
  }
  for (const std::string_view key : otherwise.puts) {
    // Only one branch runs: a key that both of them put is no conflict.
    if (into.deletes.Contains(key)) return Error(Errc::kDuplicateKey);
    if (!into.puts.insert(key).second && !then.puts.contains(key)) {
      return Error(Errc::kDuplicateKey);
    }
  }
  into.deletes.AddAll(then.deletes);
  into.deletes.AddAll(otherwise.deletes);
  return absl::OkStatus();
}

// The keys that a branch writes, or kDuplicateKey when two operations of it would write one key
// (deletes may overlap each other).
absl::StatusOr<Writes> CollectWrites(const Ops& ops) {
  Writes writes;
  for (const RequestOp& op : ops) {
    if (!op.has_request_delete_range()) continue;
    const auto& range = op.request_delete_range();
    if (range.range_end().empty()) {
      writes.deletes.AddKey(range.key());
    } else {
      writes.deletes.Add(range.key(), range.range_end());
    }
  }
  for (const RequestOp& op : ops) {
    if (op.has_request_txn()) RETURN_IF_ERROR(MergeNested(op.request_txn(), writes));
  }
  for (const RequestOp& op : ops) {
    if (!op.has_request_put()) continue;
    const std::string_view key = op.request_put().key();
    if (writes.deletes.Contains(key) || !writes.puts.insert(key).second) {
      return Error(Errc::kDuplicateKey);
    }
  }
  return writes;
}

bool AllRanges(const TxnRequest& txn, bool serializable_only) {
  for (const Ops* branch : {&txn.success(), &txn.failure()}) {
    for (const RequestOp& op : *branch) {
      if (!op.has_request_range()) return false;
      if (serializable_only && !op.request_range().serializable()) return false;
    }
  }
  return true;
}

}  // namespace

absl::Status CheckTxn(const TxnRequest& txn, std::int64_t ops_max) {
  RETURN_IF_ERROR(CheckTxnShape(txn, ops_max));
  RETURN_IF_ERROR(CollectWrites(txn.success()).status());
  return CollectWrites(txn.failure()).status();
}

bool IsReadOnly(const TxnRequest& txn) { return AllRanges(txn, false); }
bool IsSerializable(const TxnRequest& txn) { return AllRanges(txn, true); }

}  // namespace etcd::api::v3
