#include <etcdserverpb/rpc.pb.h>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "server/base/errc.h"
#include "server/base/status.h"
#include "tests/unit/api/v3/api_fixture.h"

namespace etcd::api::v3 {
namespace {

using etcdserverpb::LeaseGrantRequest;
using etcdserverpb::LeaseGrantResponse;
using etcdserverpb::LeaseKeepAliveRequest;
using etcdserverpb::LeaseKeepAliveResponse;
using etcdserverpb::LeaseLeasesResponse;
using etcdserverpb::LeaseRevokeRequest;
using etcdserverpb::LeaseTimeToLiveRequest;
using etcdserverpb::LeaseTimeToLiveResponse;
using testing::Api;

constexpr char kGrant[] = "/etcdserverpb.Lease/LeaseGrant";
constexpr char kRevoke[] = "/etcdserverpb.Lease/LeaseRevoke";
constexpr char kTimeToLive[] = "/etcdserverpb.Lease/LeaseTimeToLive";
constexpr char kKeepAlive[] = "/etcdserverpb.Lease/LeaseKeepAlive";

LeaseGrantRequest Grant(std::int64_t id, std::int64_t ttl) {
  LeaseGrantRequest grant;
  grant.set_id(id);
  grant.set_ttl(ttl);
  return grant;
}
std::string KeepAlive(std::int64_t id) {
  LeaseKeepAliveRequest request;
  request.set_id(id);
  return request.SerializeAsString();
}

TEST(LeaseGrant, RaisesTheTtlToTheMinimumAndKeepsNegativeIds) {
  Api api;
  const auto response = api.Call<LeaseGrantResponse>(kGrant, Grant(-5, 0));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->id(), -5);
  EXPECT_EQ(response->ttl(), 2);
  EXPECT_EQ(response->header().revision(), 1);
  EXPECT_NE(response->header().member_id(), 0U);
}

TEST(LeaseGrant, IdZeroGetsAUniquePositiveOne) {
  Api api;
  const auto first = api.Call<LeaseGrantResponse>(kGrant, Grant(0, 10));
  const auto second = api.Call<LeaseGrantResponse>(kGrant, Grant(0, 10));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_GT(first->id(), 0);
  EXPECT_GT(second->id(), 0);
  EXPECT_NE(first->id(), second->id());
}

TEST(LeaseGrant, ErrorsHaveEtcdsTexts) {
  Api api;
  ASSERT_TRUE(api.StatusOf(kGrant, Grant(1, 10)).ok());
  absl::Status status = api.StatusOf(kGrant, Grant(1, 10));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::MessageOf(status), "etcdserver: lease already exists");
  status = api.StatusOf(kGrant, Grant(2, 9'000'000'001));
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(base::MessageOf(status), "etcdserver: too large lease TTL");
  api.node.quota_costs.clear();
  api.node.quota_answer = false;
  EXPECT_EQ(ErrcOf(api.StatusOf(kGrant, Grant(3, 10))), Errc::kNoSpace);
  EXPECT_EQ(api.node.quota_costs, std::vector<std::uint64_t>{64});
}

TEST(LeaseRevoke, DeletesItsKeysAtOneRevision) {
  Api api;
  LeaseRevokeRequest revoke;
  revoke.set_id(7);
  const absl::Status status = api.StatusOf(kRevoke, revoke);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(base::MessageOf(status), "etcdserver: requested lease not found");
  ASSERT_TRUE(api.StatusOf(kGrant, Grant(7, 10)).ok());
  ASSERT_TRUE(api.member.Put("a", "1", 7).status.ok());
  ASSERT_TRUE(api.member.Put("b", "1", 7).status.ok());
  const auto response = api.Call<etcdserverpb::LeaseRevokeResponse>(kRevoke, revoke);
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->header().revision(), 4);
  EXPECT_EQ(api.member.Get("a"), "");
}

TEST(LeaseTimeToLive, TellsTtlsAndKeys) {
  Api api;
  ASSERT_TRUE(api.StatusOf(kGrant, Grant(7, 10)).ok());
  ASSERT_TRUE(api.member.Put("a", "1", 7).status.ok());
  api.member.scheduler.RunFor(std::chrono::milliseconds(2500));
  LeaseTimeToLiveRequest request;
  request.set_id(7);
  auto response = api.Call<LeaseTimeToLiveResponse>(kTimeToLive, request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->id(), 7);
  EXPECT_EQ(response->ttl(), 7);
  EXPECT_EQ(response->grantedttl(), 10);
  EXPECT_EQ(response->keys_size(), 0);
  EXPECT_EQ(response->header().revision(), 2);
  request.set_keys(true);
  response = api.Call<LeaseTimeToLiveResponse>(kTimeToLive, request);
  ASSERT_TRUE(response.ok());
  ASSERT_EQ(response->keys_size(), 1);
  EXPECT_EQ(response->keys(0), "a");
}

TEST(LeaseTimeToLive, UnknownLeaseIsMinusOne) {
  Api api;
  LeaseTimeToLiveRequest request;
  request.set_id(7);
  const auto response = api.Call<LeaseTimeToLiveResponse>(kTimeToLive, request);
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->id(), 7);
  EXPECT_EQ(response->ttl(), -1);
  EXPECT_EQ(response->grantedttl(), 0);
}

TEST(LeaseTimeToLive, WithoutALeaderFailsAfterTheRequestTimeout) {
  Api api;
  node::Status lost;
  lost.term = Term(2);
  api.node.shown_status = lost;
  const auto start = api.member.scheduler.clock().Now();
  EXPECT_EQ(ErrcOf(api.StatusOf(kTimeToLive, LeaseTimeToLiveRequest())), Errc::kNoLeader);
  EXPECT_GE(api.member.scheduler.clock().Now() - start, std::chrono::seconds(7));
  EXPECT_LT(api.member.scheduler.clock().Now() - start, std::chrono::seconds(8));
}

TEST(LeaseLeases, ListsThem) {
  Api api;
  ASSERT_TRUE(api.StatusOf(kGrant, Grant(7, 100)).ok());
  ASSERT_TRUE(api.StatusOf(kGrant, Grant(8, 10)).ok());
  const auto response = api.Call<LeaseLeasesResponse>("/etcdserverpb.Lease/LeaseLeases",
                                                      etcdserverpb::LeaseLeasesRequest());
  ASSERT_TRUE(response.ok());
  ASSERT_EQ(response->leases_size(), 2);
  EXPECT_EQ(response->leases(0).id(), 8);  // by remaining time
  EXPECT_NE(response->header().cluster_id(), 0U);
}

TEST(LeaseKeepAlive, OneAnswerPerRequestInOrder) {
  Api api;
  ASSERT_TRUE(api.StatusOf(kGrant, Grant(7, 10)).ok());
  const Api::Stream stream = api.Open(kKeepAlive);
  for (const std::int64_t id : {7, 99, 0, 7}) stream.handler->OnMessage(KeepAlive(id));
  ASSERT_TRUE(api.WaitFor(stream, 4));
  const std::int64_t ids[] = {7, 99, 0, 7};
  for (std::size_t i = 0; i < 4; ++i) {
    const auto response = stream.Parse<LeaseKeepAliveResponse>(i);
    EXPECT_EQ(response.id(), ids[i]);
    EXPECT_EQ(response.ttl(), ids[i] == 7 ? 10 : 0);
    EXPECT_EQ(response.header().revision(), 1);
  }
  EXPECT_FALSE(stream.sink->end.has_value());
}

// Its lease may have been granted through another member after the read index (simulation, seed
// 23000416: "gone" was the answer).
TEST(LeaseKeepAlive, ARequestIsNotConfirmedByAnEarlierReadIndex) {
  Api api;
  ASSERT_TRUE(api.StatusOf(kGrant, Grant(7, 10)).ok());
  const Api::Stream stream = api.Open(kKeepAlive);
  const int before = api.node.read_indexes;
  api.node.before_read_index = [&] {
    if (api.node.read_indexes == before + 1) stream.handler->OnMessage(KeepAlive(7));
  };
  stream.handler->OnMessage(KeepAlive(7));
  ASSERT_TRUE(api.WaitFor(stream, 2));
  EXPECT_EQ(api.node.read_indexes, before + 2);
}

TEST(LeaseKeepAlive, ManyQueuedRequestsDoNotNest) {
  Api api;
  ASSERT_TRUE(api.StatusOf(kGrant, Grant(7, 10)).ok());
  node::Status lost;
  api.node.shown_status = lost;  // they queue until there is a leader
  const Api::Stream stream = api.Open(kKeepAlive);
  for (int i = 0; i < 60'000; ++i) stream.handler->OnMessage(KeepAlive(7));
  api.node.shown_status.reset();
  ASSERT_TRUE(api.WaitFor(stream, 60'000));
}

// etcd issue 18439: a confirmation of leadership for each renewal was too slow.
TEST(LeaseKeepAlive, Bug18439RenewalsThatWaitShareOneConfirmation) {
  Api api;
  ASSERT_TRUE(api.StatusOf(kGrant, Grant(7, 10)).ok());
  api.node.shown_status = node::Status();  // they queue until there is a leader
  const Api::Stream stream = api.Open(kKeepAlive);
  for (int i = 0; i < 1000; ++i) stream.handler->OnMessage(KeepAlive(7));
  api.Settle();
  api.node.shown_status.reset();
  api.node.read_indexes = 0;
  ASSERT_TRUE(api.WaitFor(stream, 1000));
  EXPECT_LE(api.node.read_indexes, 2);  // the first had been asked for alone
}

TEST(LeaseKeepAlive, RenewalKeepsTheLease) {
  Api api;
  ASSERT_TRUE(api.StatusOf(kGrant, Grant(7, 4)).ok());
  const Api::Stream stream = api.Open(kKeepAlive);
  for (std::size_t i = 0; i < 5; ++i) {
    api.member.scheduler.RunFor(std::chrono::seconds(3));
    stream.handler->OnMessage(KeepAlive(7));
    ASSERT_TRUE(api.WaitFor(stream, i + 1));
    EXPECT_EQ(stream.Parse<LeaseKeepAliveResponse>(i).ttl(), 4);
  }
}

TEST(LeaseKeepAlive, EndsAfterTheLastAnswerOfAHalfClosedStream) {
  Api api;
  const Api::Stream stream = api.Open(kKeepAlive);
  stream.handler->OnMessage(KeepAlive(1));
  stream.handler->OnHalfClose();
  ASSERT_TRUE(api.member.WaitFor([&] { return stream.sink->end.has_value(); }));
  EXPECT_TRUE(stream.sink->end->ok());
  EXPECT_EQ(stream.sink->messages.size(), 1U);
}

TEST(LeaseKeepAlive, WithoutALeaderEndsWithNoLeader) {
  Api api;
  api.node.shown_status = node::Status();
  const Api::Stream stream = api.Open(kKeepAlive);
  stream.handler->OnMessage(KeepAlive(1));
  ASSERT_TRUE(api.member.WaitFor([&] { return stream.sink->end.has_value(); }));
  EXPECT_EQ(ErrcOf(*stream.sink->end), Errc::kNoLeader);
}

// etcd issue 20615: a read index that another leader answered confirms nothing here.
TEST(LeaseKeepAlive, LeadershipLostDuringTheConfirmationRenewsNothing) {
  Api api;
  ASSERT_TRUE(api.StatusOf(kGrant, Grant(7, 10)).ok());
  api.node.before_read_index = [&] {
    node::Status deposed = api.member->status();
    deposed.term = deposed.term + 1;
    deposed.leader = MemberId(1);
    api.node.shown_status = deposed;
  };
  const Api::Stream stream = api.Open(kKeepAlive);
  stream.handler->OnMessage(KeepAlive(7));
  api.member.scheduler.RunFor(std::chrono::seconds(1));
  EXPECT_TRUE(stream.sink->messages.empty());
  api.node.before_read_index = nullptr;
  api.node.shown_status.reset();  // it leads again
  EXPECT_TRUE(api.WaitFor(stream, 1));
}

TEST(LeaseKeepAlive, ClientThatDoesNotReadIsCutOff) {
  Api api;
  const Api::Stream stream = api.Open(kKeepAlive);
  stream.sink->pending = 5 << 20;
  stream.handler->OnMessage(KeepAlive(1));
  ASSERT_TRUE(stream.sink->end.has_value());
  EXPECT_EQ(ErrcOf(*stream.sink->end), Errc::kTooManyRequests);
}

}  // namespace
}  // namespace etcd::api::v3
