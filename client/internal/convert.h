#pragma once

#include <etcdserverpb/rpc.pb.h>
#include <string>
#include <vector>

#include "client/types.h"

// Between the messages of etcd's API and the client's own values.
namespace etcd::client::internal {

etcdserverpb::RangeRequest ToProto(const RangeRequest& request);
etcdserverpb::PutRequest ToProto(const PutRequest& request);
etcdserverpb::DeleteRangeRequest ToProto(const DeleteRequest& request);
etcdserverpb::TxnRequest ToProto(const TxnRequest& request);

ResponseHeader FromProto(const etcdserverpb::ResponseHeader& header);
// Take the strings out of the message.
RangeResponse FromProto(etcdserverpb::RangeResponse& response);
PutResponse FromProto(etcdserverpb::PutResponse& response);
DeleteResponse FromProto(etcdserverpb::DeleteRangeResponse& response);
TxnResponse FromProto(etcdserverpb::TxnResponse& response);
StatusResponse FromProto(const etcdserverpb::StatusResponse& response);
HashKvResponse FromProto(const etcdserverpb::HashKVResponse& response);
AlarmsResponse FromProto(const etcdserverpb::AlarmResponse& response);
Member FromProto(const etcdserverpb::Member& member);

std::vector<Member> MembersOf(
    const google::protobuf::RepeatedPtrField<etcdserverpb::Member>& members);

}  // namespace etcd::client::internal
