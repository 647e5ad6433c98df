#include "server/node/entries.h"

#include <etcdserverpb/raft_internal.pb.h>

namespace etcd::node {
namespace {

etcdserverpb::InternalRaftRequest WithHeader(RequestId id) {
  etcdserverpb::InternalRaftRequest request;
  request.mutable_header()->set_id(id.value());
  return request;
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

std::string EncodeRaiseAlarm(RequestId id, MemberId member, std::int32_t type) {
  auto request = WithHeader(id);
  request.mutable_alarm()->set_action(etcdserverpb::AlarmRequest::ACTIVATE);
  request.mutable_alarm()->set_memberid(member.value());
  request.mutable_alarm()->set_alarm(static_cast<etcdserverpb::AlarmType>(type));
  return request.SerializeAsString();
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
