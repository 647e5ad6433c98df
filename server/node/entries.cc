#include "server/node/entries.h"

#include <etcdserverpb/raft_internal.pb.h>

#include "server/base/bytes.h"

namespace etcd::node {
namespace {

etcdserverpb::InternalRaftRequest WithHeader(RequestId id) {
  etcdserverpb::InternalRaftRequest request;
  request.mutable_header()->set_id(id.value());
  return request;
}

std::string EncodeAlarmChange(RequestId id, etcdserverpb::AlarmRequest::AlarmAction action,
                              MemberId member, std::int32_t type) {
  auto request = WithHeader(id);
  request.mutable_alarm()->set_action(action);
  request.mutable_alarm()->set_memberid(member.value());
  request.mutable_alarm()->set_alarm(static_cast<etcdserverpb::AlarmType>(type));
  return request.SerializeAsString();
}

}  // namespace

std::string EncodeMemberAttributes(RequestId id, MemberId member, std::string_view name,
                                   const std::vector<std::string>& client_urls) {
  auto request = WithHeader(id);
  auto* set = request.mutable_cluster_member_attr_set();
  set->set_member_id(member.value());
  set->mutable_member_attributes()->set_name(std::string(name));
  for (const std::string& url : client_urls) {
    set->mutable_member_attributes()->add_client_urls(url);
  }
  return request.SerializeAsString();
}

std::string EncodeClusterVersion(RequestId id, std::string_view version) {
  auto request = WithHeader(id);
  request.mutable_cluster_version_set()->set_ver(std::string(version));
  return request.SerializeAsString();
}

std::string EncodeDowngradeCancel(RequestId id) {
  auto request = WithHeader(id);
  request.mutable_downgrade_info_set();
  return request.SerializeAsString();
}

std::string LegacyAttributesPath(MemberId member) {
  return "/0/members/" + base::FormatHex(member.value()) + "/attributes";
}

// Request: 1 ID, 2 Method, 3 Path, 4 Val; Go writes these other fields even when they are empty:
//   5 Dir, 6 PrevValue, 7 PrevIndex, 9 Expiration, 10 Wait, 11 Since, 12 Recursive, 13 Sorted,
//   14 Quorum, 15 Time, 16 Stream
std::string EncodeLegacyPut(RequestId id, std::string_view path, std::string_view value) {
  constexpr std::string_view kEmptyFields(
      "\x28\x00\x32\x00\x38\x00\x48\x00\x50\x00\x58\x00"
      "\x60\x00\x68\x00\x70\x00\x78\x00\x80\x01\x00",
      23);
  std::string out;
  base::AppendVarintField(out, 1, id.value());
  base::AppendBytesField(out, 2, "PUT");
  base::AppendBytesField(out, 3, path);
  base::AppendBytesField(out, 4, value);
  return out.append(kEmptyFields);
}

std::string EncodeRaiseAlarm(RequestId id, MemberId member, std::int32_t type) {
  return EncodeAlarmChange(id, etcdserverpb::AlarmRequest::ACTIVATE, member, type);
}

std::string EncodeDisarmAlarm(RequestId id, MemberId member, std::int32_t type) {
  return EncodeAlarmChange(id, etcdserverpb::AlarmRequest::DEACTIVATE, member, type);
}

std::string EncodeLeaseRevoke(RequestId id, LeaseId lease) {
  auto request = WithHeader(id);
  request.mutable_lease_revoke()->set_id(lease.value());
  return request.SerializeAsString();
}

std::string EncodeLeaseCheckpoint(RequestId id,
                                  const std::vector<lease::LeaseCheckpoint>& checkpoints) {
  auto request = WithHeader(id);
  for (const lease::LeaseCheckpoint& checkpoint : checkpoints) {
    auto* item = request.mutable_lease_checkpoint()->add_checkpoints();
    item->set_id(checkpoint.id.value());
    item->set_remaining_ttl(checkpoint.remaining_ttl_seconds);
  }
  return request.SerializeAsString();
}

std::string EncodeCompaction(RequestId id, Revision revision) {
  auto request = WithHeader(id);
  request.mutable_compaction()->set_revision(revision.value());
  return request.SerializeAsString();
}

}  // namespace etcd::node
