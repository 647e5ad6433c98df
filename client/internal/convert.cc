#include "client/internal/convert.h"

#include <cstddef>
#include <string_view>
#include <utility>

namespace etcd::client {

std::string PrefixEnd(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (end.empty()) return std::string(1, '\0');
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

RangeRequest RangeRequest::Key(std::string_view key) {
  RangeRequest request;
  request.key = key;
  return request;
}

RangeRequest RangeRequest::Prefix(std::string_view prefix) {
  RangeRequest request;
  // The server takes no empty key; the first possible one is a zero byte.
  request.key = prefix.empty() ? std::string(1, '\0') : std::string(prefix);
  request.range_end = PrefixEnd(prefix);
  return request;
}

namespace internal {
namespace {

using Strings = google::protobuf::RepeatedPtrField<std::string>;

std::vector<std::string> StringsOf(const Strings& strings) {
  return {strings.begin(), strings.end()};
}

KeyValue FromProto(mvccpb::KeyValue& kv) {
  KeyValue result;
  result.key = std::move(*kv.mutable_key());
  result.value = std::move(*kv.mutable_value());
  result.create_revision = Revision(kv.create_revision());
  result.mod_revision = Revision(kv.mod_revision());
  result.version = kv.version();
  result.lease = LeaseId(kv.lease());
  return result;
}

etcdserverpb::Compare CompareToProto(const Compare& compare) {
  etcdserverpb::Compare message;
  message.set_key(compare.key);
  message.set_range_end(compare.range_end);
  message.set_result(static_cast<etcdserverpb::Compare::CompareResult>(compare.result));
  message.set_target(static_cast<etcdserverpb::Compare::CompareTarget>(compare.target));
  switch (compare.target) {
    case Compare::Target::kVersion:
      message.set_version(compare.number);
      break;
    case Compare::Target::kCreateRevision:
      message.set_create_revision(compare.number);
      break;
    case Compare::Target::kModRevision:
      message.set_mod_revision(compare.number);
      break;
    case Compare::Target::kValue:
      message.set_value(compare.value);
      break;
    case Compare::Target::kLease:
      message.set_lease(compare.number);
      break;
  }
  return message;
}

etcdserverpb::RequestOp OpToProto(const Op& op) {
  etcdserverpb::RequestOp message;
  if (const auto* range = std::get_if<RangeRequest>(&op)) {
    *message.mutable_request_range() = ToProto(*range);
  } else if (const auto* put = std::get_if<PutRequest>(&op)) {
    *message.mutable_request_put() = ToProto(*put);
  } else {
    *message.mutable_request_delete_range() = ToProto(std::get<DeleteRequest>(op));
  }
  return message;
}

}  // namespace

etcdserverpb::RangeRequest ToProto(const RangeRequest& request) {
  etcdserverpb::RangeRequest message;
  message.set_key(request.key);
  message.set_range_end(request.range_end);
  message.set_limit(request.limit);
  message.set_revision(request.revision.value());
  message.set_sort_order(static_cast<etcdserverpb::RangeRequest::SortOrder>(request.sort_order));
  message.set_sort_target(static_cast<etcdserverpb::RangeRequest::SortTarget>(request.sort_target));
  message.set_serializable(request.serializable);
  message.set_keys_only(request.keys_only);
  message.set_count_only(request.count_only);
  return message;
}

etcdserverpb::PutRequest ToProto(const PutRequest& request) {
  etcdserverpb::PutRequest message;
  message.set_key(request.key);
  message.set_value(request.value);
  message.set_lease(request.lease.value());
  message.set_prev_kv(request.prev_kv);
  message.set_ignore_value(request.ignore_value);
  message.set_ignore_lease(request.ignore_lease);
  return message;
}

etcdserverpb::DeleteRangeRequest ToProto(const DeleteRequest& request) {
  etcdserverpb::DeleteRangeRequest message;
  message.set_key(request.key);
  message.set_range_end(request.range_end);
  message.set_prev_kv(request.prev_kv);
  return message;
}

etcdserverpb::TxnRequest ToProto(const TxnRequest& request) {
  etcdserverpb::TxnRequest message;
  for (const Compare& compare : request.compares) *message.add_compare() = CompareToProto(compare);
  for (const Op& op : request.success) *message.add_success() = OpToProto(op);
  for (const Op& op : request.failure) *message.add_failure() = OpToProto(op);
  return message;
}

ResponseHeader FromProto(const etcdserverpb::ResponseHeader& header) {
  return {ClusterId(header.cluster_id()), MemberId(header.member_id()), Revision(header.revision()),
          Term(header.raft_term())};
}

RangeResponse FromProto(etcdserverpb::RangeResponse& response) {
  RangeResponse result;
  result.header = FromProto(response.header());
  result.kvs.reserve(static_cast<std::size_t>(response.kvs_size()));
  for (mvccpb::KeyValue& kv : *response.mutable_kvs()) result.kvs.push_back(FromProto(kv));
  result.more = response.more();
  result.count = response.count();
  return result;
}

PutResponse FromProto(etcdserverpb::PutResponse& response) {
  PutResponse result;
  result.header = FromProto(response.header());
  result.has_prev_kv = response.has_prev_kv();
  if (result.has_prev_kv) result.prev_kv = FromProto(*response.mutable_prev_kv());
  return result;
}

DeleteResponse FromProto(etcdserverpb::DeleteRangeResponse& response) {
  DeleteResponse result;
  result.header = FromProto(response.header());
  result.deleted = response.deleted();
  for (mvccpb::KeyValue& kv : *response.mutable_prev_kvs()) {
    result.prev_kvs.push_back(FromProto(kv));
  }
  return result;
}

TxnResponse FromProto(etcdserverpb::TxnResponse& response) {
  TxnResponse result;
  result.header = FromProto(response.header());
  result.succeeded = response.succeeded();
  for (etcdserverpb::ResponseOp& op : *response.mutable_responses()) {
    if (op.has_response_range()) {
      result.responses.emplace_back(FromProto(*op.mutable_response_range()));
    } else if (op.has_response_put()) {
      result.responses.emplace_back(FromProto(*op.mutable_response_put()));
    } else {
      result.responses.emplace_back(FromProto(*op.mutable_response_delete_range()));
    }
  }
  return result;
}

StatusResponse FromProto(const etcdserverpb::StatusResponse& response) {
  StatusResponse result;
  result.header = FromProto(response.header());
  result.version = response.version();
  result.db_size_bytes = response.dbsize();
  result.db_size_in_use_bytes = response.dbsizeinuse();
  result.db_size_quota_bytes = response.dbsizequota();
  result.leader = MemberId(response.leader());
  result.raft_index = Index(response.raftindex());
  result.raft_applied_index = Index(response.raftappliedindex());
  result.raft_term = Term(response.raftterm());
  result.errors = StringsOf(response.errors());
  result.is_learner = response.islearner();
  result.storage_version = response.storageversion();
  result.downgrade_enabled = response.downgradeinfo().enabled();
  result.downgrade_target_version = response.downgradeinfo().targetversion();
  return result;
}

HashKvResponse FromProto(const etcdserverpb::HashKVResponse& response) {
  return {FromProto(response.header()), response.hash(), Revision(response.compact_revision()),
          Revision(response.hash_revision())};
}

AlarmsResponse FromProto(const etcdserverpb::AlarmResponse& response) {
  AlarmsResponse result;
  result.header = FromProto(response.header());
  for (const etcdserverpb::AlarmMember& alarm : response.alarms()) {
    result.alarms.push_back({MemberId(alarm.memberid()), static_cast<AlarmType>(alarm.alarm())});
  }
  return result;
}

Member FromProto(const etcdserverpb::Member& member) {
  return {MemberId(member.id()), member.name(), StringsOf(member.peerurls()),
          StringsOf(member.clienturls()), member.islearner()};
}

std::vector<Member> MembersOf(
    const google::protobuf::RepeatedPtrField<etcdserverpb::Member>& members) {
  std::vector<Member> result;
  for (const etcdserverpb::Member& member : members) result.push_back(FromProto(member));
  return result;
}

}  // namespace internal
}  // namespace etcd::client
