#include "tests/simulation/model.h"

#include <algorithm>
#include <vector>

namespace etcd::simulation {

using etcdserverpb::Compare;
using etcdserverpb::RequestOp;
using mvccpb::KeyValue;

namespace {

void ClearHeaders(etcdserverpb::TxnResponse& response) {
  response.clear_header();
  for (etcdserverpb::ResponseOp& op : *response.mutable_responses()) {
    if (op.has_response_put()) op.mutable_response_put()->clear_header();
    if (op.has_response_range()) op.mutable_response_range()->clear_header();
    if (op.has_response_delete_range()) op.mutable_response_delete_range()->clear_header();
    if (op.has_response_txn()) ClearHeaders(*op.mutable_response_txn());
  }
}

}  // namespace

etcdserverpb::TxnResponse Model::Run(const etcdserverpb::TxnRequest& request) {
  Decide(request);
  return Execute(request);
}

void Model::Decide(const etcdserverpb::TxnRequest& request) {
  const bool holds = std::all_of(request.compare().begin(), request.compare().end(),
                                 [this](const Compare& compare) { return Holds(compare); });
  decided_.push_back(holds);
  for (const RequestOp& op : holds ? request.success() : request.failure()) {
    if (op.has_request_txn()) Decide(op.request_txn());
  }
}

etcdserverpb::TxnResponse Model::Execute(const etcdserverpb::TxnRequest& request) {
  etcdserverpb::TxnResponse out;
  out.set_succeeded(decided_.front());
  decided_.pop_front();
  for (const RequestOp& op : out.succeeded() ? request.success() : request.failure()) {
    etcdserverpb::ResponseOp& response = *out.add_responses();
    if (op.has_request_put()) {
      *response.mutable_response_put() = Put(op.request_put());
    } else if (op.has_request_delete_range()) {
      *response.mutable_response_delete_range() = Delete(op.request_delete_range());
    } else if (op.has_request_txn()) {
      *response.mutable_response_txn() = Execute(op.request_txn());
    } else {
      *response.mutable_response_range() = Range(op.request_range());
    }
  }
  return out;
}

bool Model::Holds(const Compare& compare) const {
  const KeyValue kv = Find(compare.key()).value_or(KeyValue());
  // A key that does not exist has no value to compare (v3-api.md 3.3).
  if (compare.target() == Compare::VALUE && kv.create_revision() == 0) return false;
  int order = 0;
  const auto three_way = [](auto a, auto b) { return a < b ? -1 : a > b ? 1 : 0; };
  switch (compare.target()) {
    case Compare::VERSION:
      order = three_way(kv.version(), compare.version());
      break;
    case Compare::CREATE:
      order = three_way(kv.create_revision(), compare.create_revision());
      break;
    case Compare::MOD:
      order = three_way(kv.mod_revision(), compare.mod_revision());
      break;
    case Compare::LEASE:
      order = three_way(kv.lease(), compare.lease());
      break;
    default:
      order = three_way(kv.value(), compare.value());
      break;
  }
  switch (compare.result()) {
    case Compare::EQUAL:
      return order == 0;
    case Compare::GREATER:
      return order > 0;
    case Compare::LESS:
      return order < 0;
    default:
      return order != 0;
  }
}

etcdserverpb::PutResponse Model::Put(const etcdserverpb::PutRequest& request) {
  const std::optional<KeyValue> before = Find(request.key());
  KeyValue kv;
  kv.set_key(request.key());
  kv.set_value(request.ignore_value() && before ? before->value() : request.value());
  kv.set_lease(request.ignore_lease() && before ? before->lease() : request.lease());
  kv.set_create_revision(before ? before->create_revision() : base_ + 1);
  kv.set_mod_revision(base_ + 1);
  kv.set_version(before ? before->version() + 1 : 1);
  changes_[request.key()] = kv;
  etcdserverpb::PutResponse out;
  if (request.prev_kv() && before) *out.mutable_prev_kv() = *before;
  return out;
}

etcdserverpb::DeleteRangeResponse Model::Delete(const etcdserverpb::DeleteRangeRequest& request) {
  etcdserverpb::DeleteRangeResponse out;
  for (const auto& [key, kv] : Select(request.key(), request.range_end(), 0)) {
    changes_[key] = std::nullopt;
    out.set_deleted(out.deleted() + 1);
    if (request.prev_kv()) *out.add_prev_kvs() = kv;
  }
  return out;
}

etcdserverpb::RangeResponse Model::Range(const etcdserverpb::RangeRequest& request) const {
  const auto selected = Select(request.key(), request.range_end(), request.revision());
  etcdserverpb::RangeResponse out;
  out.set_count(static_cast<std::int64_t>(selected.size()));
  if (request.count_only()) return out;
  std::vector<const KeyValue*> kvs;
  for (const auto& [key, kv] : selected) kvs.push_back(&kv);
  if (request.sort_order() == etcdserverpb::RangeRequest::DESCEND) {
    std::reverse(kvs.begin(), kvs.end());
  }
  for (const KeyValue* kv : kvs) {
    if (request.limit() > 0 && out.kvs_size() == request.limit()) {
      out.set_more(true);
      break;
    }
    *out.add_kvs() = *kv;
    if (request.keys_only()) out.mutable_kvs(out.kvs_size() - 1)->clear_value();
  }
  return out;
}

std::map<std::string, KeyValue> Model::Select(const std::string& key, const std::string& end,
                                              std::int64_t revision) const {
  std::map<std::string, KeyValue> out;
  const std::int64_t at = revision > 0 ? revision : base_;
  for (const KeyValue* kv : ledger_.RangeAt(key, end, at)) out[kv->key()] = *kv;
  if (revision > 0) return out;  // history does not show what this transaction does
  for (const auto& [changed, kv] : changes_) {
    if (!InRange(changed, key, end)) continue;
    if (kv) {
      out[changed] = *kv;
    } else {
      out.erase(changed);
    }
  }
  return out;
}

std::optional<KeyValue> Model::Find(const std::string& key) const {
  const auto found = Select(key, "", 0);
  return found.empty() ? std::nullopt : std::optional(found.begin()->second);
}

bool Matches(const Ledger::Record& record, std::int64_t revision, const Model::Changes& changes) {
  if (record.changes.size() != changes.size()) return false;
  for (const Ledger::Change& change : record.changes) {
    const auto found = changes.find(change.key);
    if (found == changes.end() || change.deleted == found->second.has_value()) return false;
    if (change.deleted) continue;
    if (change.kv.mod_revision() != revision) return false;
    if (change.kv.SerializeAsString() != found->second->SerializeAsString()) return false;
  }
  return true;
}

std::string Strip(etcdserverpb::RangeResponse response) {
  response.clear_header();
  return response.ShortDebugString();
}

std::string Strip(etcdserverpb::TxnResponse response) {
  ClearHeaders(response);
  return response.ShortDebugString();
}

}  // namespace etcd::simulation
