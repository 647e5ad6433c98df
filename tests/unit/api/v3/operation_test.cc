// Cluster, Maintenance and Health.
#include <etcdserverpb/rpc.pb.h>
#include <string>

#include <grpc/health/v1/health.pb.h>
#include <gtest/gtest.h>

#include "server/base/errc.h"
#include "server/base/status.h"
#include "tests/unit/api/v3/api_fixture.h"

namespace etcd::api::v3 {
namespace {

using etcdserverpb::AlarmRequest;
using etcdserverpb::AlarmResponse;
using etcdserverpb::HashKVRequest;
using etcdserverpb::HashKVResponse;
using etcdserverpb::MemberListRequest;
using etcdserverpb::MemberListResponse;
using etcdserverpb::StatusRequest;
using etcdserverpb::StatusResponse;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using testing::Api;

constexpr char kStatus[] = "/etcdserverpb.Maintenance/Status";
constexpr char kAlarm[] = "/etcdserverpb.Maintenance/Alarm";
constexpr char kHashKv[] = "/etcdserverpb.Maintenance/HashKV";

TEST(MemberList, HasNoRevisionInItsHeader) {
  Api api;
  MemberListRequest request;
  auto response = api.Call<MemberListResponse>("/etcdserverpb.Cluster/MemberList", request);
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(api.node.read_indexes, 0);
  EXPECT_EQ(response->header().revision(), 0);
  EXPECT_NE(response->header().raft_term(), 0U);
  ASSERT_EQ(response->members_size(), 1);
  EXPECT_EQ(response->members(0).id(), api.node.member_id().value());
  EXPECT_EQ(response->members(0).name(), "n1");
  EXPECT_EQ(response->members(0).peerurls(0), "http://127.0.0.1:2380");
  EXPECT_EQ(response->members(0).clienturls(0), "http://127.0.0.1:2379");
  request.set_linearizable(true);
  EXPECT_TRUE(api.StatusOf("/etcdserverpb.Cluster/MemberList", request).ok());
  EXPECT_EQ(api.node.read_indexes, 1);
}

TEST(Status, TellsTheMembersState) {
  Api api;
  ASSERT_TRUE(api.member.WaitFor([&] { return api.node.StorageVersion() == "3.6.0"; }));
  ASSERT_TRUE(api.member.Put("a", "1").status.ok());
  const auto response = api.Call<StatusResponse>(kStatus, StatusRequest());
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->version(), "3.6.16");
  EXPECT_EQ(response->header().revision(), 2);
  EXPECT_EQ(response->leader(), api.node.member_id().value());
  EXPECT_GT(response->raftindex(), 0U);
  EXPECT_EQ(response->raftappliedindex(), response->raftindex());
  EXPECT_EQ(response->raftterm(), api.node.status().term.value());
  EXPECT_EQ(response->storageversion(), "3.6.0");
  EXPECT_EQ(response->dbsizequota(), std::int64_t{2} << 30);
  EXPECT_TRUE(response->has_downgradeinfo());
  EXPECT_EQ(response->errors_size(), 0);
  EXPECT_FALSE(response->islearner());
}

TEST(Status, ErrorsNameTheMissingLeaderAndAlarms) {
  Api api;
  AlarmRequest raise;
  raise.set_action(AlarmRequest::ACTIVATE);
  raise.set_memberid(7);
  raise.set_alarm(etcdserverpb::NOSPACE);
  ASSERT_TRUE(api.StatusOf(kAlarm, raise).ok());
  raise.set_memberid(0);
  raise.set_alarm(static_cast<etcdserverpb::AlarmType>(9));
  ASSERT_TRUE(api.StatusOf(kAlarm, raise).ok());
  api.node.shown_status = node::Status();
  const auto response = api.Call<StatusResponse>(kStatus, StatusRequest());
  ASSERT_TRUE(response.ok());
  const std::vector<std::string> errors(response->errors().begin(), response->errors().end());
  EXPECT_EQ(errors.size(), 3U);
  EXPECT_EQ(errors[0], "etcdserver: no leader");
  EXPECT_NE(std::find(errors.begin(), errors.end(), "memberID:7 alarm:NOSPACE "), errors.end());
  EXPECT_NE(std::find(errors.begin(), errors.end(), "alarm:9 "), errors.end());
}

TEST(Alarm, GetsActivatesAndDeactivates) {
  Api api;
  AlarmRequest request;
  request.set_action(AlarmRequest::ACTIVATE);
  request.set_memberid(7);
  request.set_alarm(etcdserverpb::CORRUPT);
  auto response = api.Call<AlarmResponse>(kAlarm, request);
  ASSERT_TRUE(response.ok());
  ASSERT_EQ(response->alarms_size(), 1);
  EXPECT_EQ(response->header().revision(), 1);
  response = api.Call<AlarmResponse>(kAlarm, AlarmRequest());
  ASSERT_TRUE(response.ok());
  ASSERT_EQ(response->alarms_size(), 1);
  EXPECT_EQ(response->alarms(0).memberid(), 7U);

  etcdserverpb::PutRequest put;
  put.set_key("a");
  const absl::Status corrupt = api.StatusOf("/etcdserverpb.KV/Put", put);
  EXPECT_EQ(corrupt.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(base::MessageOf(corrupt), "etcdserver: corrupt cluster");
  etcdserverpb::RangeRequest range;
  range.set_key("a");
  EXPECT_TRUE(api.StatusOf("/etcdserverpb.KV/Range", range).ok());

  request.set_action(AlarmRequest::DEACTIVATE);
  ASSERT_TRUE(api.StatusOf(kAlarm, request).ok());
  EXPECT_TRUE(api.StatusOf("/etcdserverpb.KV/Put", put).ok());
}

TEST(Alarm, NoSpaceStopsWhatNeedsSpace) {
  Api api;
  AlarmRequest request;
  request.set_action(AlarmRequest::ACTIVATE);
  request.set_alarm(etcdserverpb::NOSPACE);
  ASSERT_TRUE(api.StatusOf(kAlarm, request).ok());
  etcdserverpb::PutRequest put;
  put.set_key("a");
  EXPECT_EQ(ErrcOf(api.StatusOf("/etcdserverpb.KV/Put", put)), Errc::kNoSpace);
  etcdserverpb::LeaseGrantRequest grant;
  EXPECT_EQ(ErrcOf(api.StatusOf("/etcdserverpb.Lease/LeaseGrant", grant)), Errc::kNoSpace);
  etcdserverpb::DeleteRangeRequest remove;
  remove.set_key("a");
  EXPECT_TRUE(api.StatusOf("/etcdserverpb.KV/DeleteRange", remove).ok());
}

TEST(Alarm, UndefinedActionNeverReachesTheLog) {
  Api api;
  AlarmRequest request;
  request.set_action(static_cast<AlarmRequest::AlarmAction>(5));
  EXPECT_EQ(ErrcOf(api.StatusOf(kAlarm, request)), Errc::kUnknownMethod);
  EXPECT_TRUE(api.node.proposed.empty());
}

TEST(Defragment, AnswersAnEmptyMessage) {
  Api api;
  const auto bytes = api.CallBytes("/etcdserverpb.Maintenance/Defragment", "");
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(*bytes, "");
}

TEST(Hash, CoversMoreThanTheKeys) {
  Api api;
  const auto hash = [&api] {
    const auto response = api.Call<etcdserverpb::HashResponse>("/etcdserverpb.Maintenance/Hash",
                                                               etcdserverpb::HashRequest());
    EXPECT_TRUE(response.ok()) << response.status();
    return response.value_or(etcdserverpb::HashResponse());
  };
  const auto before = hash();
  EXPECT_EQ(before.header().revision(), 1);
  EXPECT_EQ(hash().hash(), before.hash());
  etcdserverpb::LeaseGrantRequest grant;
  grant.set_ttl(100);
  grant.set_id(7);
  const auto granted =
      api.Call<etcdserverpb::LeaseGrantResponse>("/etcdserverpb.Lease/LeaseGrant", grant);
  ASSERT_TRUE(granted.ok()) << granted.status();
  EXPECT_NE(hash().hash(), before.hash());
  EXPECT_EQ(hash().header().revision(), 1);
}

TEST(HashKv, GivesTheRecordedVectors) {
  Api api;
  HashKVRequest request;
  auto response = api.Call<HashKVResponse>(kHashKv, request);
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->hash(), 1084519789U);
  ASSERT_TRUE(api.member.Put("a", "1").status.ok());
  ASSERT_TRUE(api.member.Put("a", "2").status.ok());
  request.set_revision(2);
  response = api.Call<HashKVResponse>(kHashKv, request);
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->hash(), 2587454935U);
  EXPECT_EQ(response->hash_revision(), 2);
  EXPECT_EQ(response->compact_revision(), -1);
  EXPECT_EQ(response->header().revision(), 3);
  request.set_revision(4);
  EXPECT_EQ(ErrcOf(api.StatusOf(kHashKv, request)), Errc::kFutureRevision);
}

TEST(Health, TheServerServesAndNothingElseIsKnown) {
  Api api;
  HealthCheckRequest request;
  const auto response = api.Call<HealthCheckResponse>("/grpc.health.v1.Health/Check", request);
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->status(), HealthCheckResponse::SERVING);
  request.set_service("etcdserverpb.KV");
  const absl::Status status = api.StatusOf("/grpc.health.v1.Health/Check", request);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(base::MessageOf(status), "unknown service");
  const auto list = api.Call<grpc::health::v1::HealthListResponse>(
      "/grpc.health.v1.Health/List", grpc::health::v1::HealthListRequest());
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->statuses().size(), 1U);
  EXPECT_EQ(list->statuses().at("").status(), HealthCheckResponse::SERVING);
}

TEST(Health, WatchAnswersOnceAndStaysOpen) {
  Api api;
  HealthCheckRequest request;
  for (const bool known : {true, false}) {
    request.set_service(known ? "" : "x");
    const Api::Stream stream = api.Open("/grpc.health.v1.Health/Watch");
    stream.handler->OnMessage(request.SerializeAsString());
    stream.handler->OnHalfClose();
    ASSERT_EQ(stream.sink->messages.size(), 1U);
    EXPECT_EQ(stream.Parse<HealthCheckResponse>(0).status(),
              known ? HealthCheckResponse::SERVING : HealthCheckResponse::SERVICE_UNKNOWN);
    EXPECT_FALSE(stream.sink->end.has_value());
  }
}

// The way out of a full quota, over the wire: whatever gives space back is let through.
TEST(Alarm, NoSpaceLetsDeletesCompactionsAndRevokesThrough) {
  node::MemberOptions options = testing::SimMember::DefaultOptions();
  options.quota_bytes = 40'000;
  Api api(options);
  etcdserverpb::LeaseGrantRequest grant;
  grant.set_id(7);
  grant.set_ttl(1000);
  ASSERT_TRUE(api.StatusOf("/etcdserverpb.Lease/LeaseGrant", grant).ok());
  ASSERT_TRUE(api.member.Put("leased", "1", 7).status.ok());
  etcdserverpb::PutRequest put;
  put.set_key("a");
  put.set_value(std::string(5000, 'v'));
  absl::Status status;
  int puts = 0;
  while (status.ok() && ++puts < 50) status = api.StatusOf("/etcdserverpb.KV/Put", put);
  ASSERT_EQ(ErrcOf(status), Errc::kNoSpace);
  ASSERT_TRUE(api.member.WaitFor([&] { return api.node.HasAlarm(node::AlarmType::kNoSpace); }));
  put.set_value("small");
  EXPECT_EQ(ErrcOf(api.StatusOf("/etcdserverpb.KV/Put", put)), Errc::kNoSpace);

  etcdserverpb::RangeRequest range;
  range.set_key("a");
  EXPECT_TRUE(api.StatusOf("/etcdserverpb.KV/Range", range).ok());
  etcdserverpb::TxnRequest txn;
  txn.add_success()->mutable_request_delete_range()->set_key("a");
  EXPECT_TRUE(api.StatusOf("/etcdserverpb.KV/Txn", txn).ok());
  etcdserverpb::DeleteRangeRequest remove;
  remove.set_key("b");
  EXPECT_TRUE(api.StatusOf("/etcdserverpb.KV/DeleteRange", remove).ok());
  etcdserverpb::LeaseRevokeRequest revoke;
  revoke.set_id(7);
  EXPECT_TRUE(api.StatusOf("/etcdserverpb.Lease/LeaseRevoke", revoke).ok());
  EXPECT_EQ(api.member.Get("leased"), "");
  etcdserverpb::CompactionRequest compact;
  compact.set_revision(api.member->store().current_revision().value());
  compact.set_physical(true);
  EXPECT_TRUE(api.StatusOf("/etcdserverpb.KV/Compact", compact).ok());
  AlarmRequest disarm;
  disarm.set_action(AlarmRequest::DEACTIVATE);
  disarm.set_memberid(api.node.member_id().value());
  disarm.set_alarm(etcdserverpb::NOSPACE);
  EXPECT_TRUE(api.StatusOf(kAlarm, disarm).ok());
  EXPECT_TRUE(api.StatusOf("/etcdserverpb.KV/Put", put).ok());
}

}  // namespace
}  // namespace etcd::api::v3
