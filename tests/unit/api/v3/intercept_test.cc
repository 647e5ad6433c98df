#include <etcdserverpb/rpc.pb.h>

#include <gtest/gtest.h>

#include "server/base/errc.h"
#include "server/base/status.h"
#include "tests/unit/api/v3/api_fixture.h"

namespace etcd::api::v3 {
namespace {

using etcdserverpb::RangeRequest;
using testing::Api;

constexpr char kRange[] = "/etcdserverpb.KV/Range";

RangeRequest Get(bool serializable) {
  RangeRequest range;
  range.set_key("a");
  range.set_serializable(serializable);
  return range;
}

node::Status StatusWith(std::uint64_t leader, bool is_learner) {
  node::Status status;
  status.term = Term(2);
  status.leader = MemberId(leader);
  status.is_learner = is_learner;
  return status;
}
node::Status Learner() { return StatusWith(9, true); }
node::Status WithoutLeader() { return StatusWith(0, false); }

TEST(Intercept, LearnerServesStatusAndSerializableRangesOnly) {
  Api api;
  api.node.shown_status = Learner();
  EXPECT_TRUE(api.StatusOf(kRange, Get(true)).ok());
  const absl::Status refused = api.StatusOf(kRange, Get(false));
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::MessageOf(refused), "etcdserver: rpc not supported for learner");
  EXPECT_TRUE(api.StatusOf("/etcdserverpb.Maintenance/Status", etcdserverpb::StatusRequest()).ok());
  for (const char* path :
       {"/etcdserverpb.KV/Txn", "/etcdserverpb.Cluster/MemberList", "/grpc.health.v1.Health/Check",
        "/etcdserverpb.Maintenance/Alarm", "/etcdserverpb.Maintenance/HashKV",
        "/etcdserverpb.Maintenance/Defragment", "/etcdserverpb.Lease/LeaseLeases"}) {
    EXPECT_EQ(ErrcOf(api.CallBytes(path, "").status()), Errc::kNotSupportedForLearner) << path;
  }
}

TEST(Intercept, LearnerRefusesStreams) {
  Api api;
  api.node.shown_status = Learner();
  for (const char* path : {"/etcdserverpb.Watch/Watch", "/etcdserverpb.KV/RangeStream",
                           "/etcdserverpb.Lease/LeaseKeepAlive"}) {
    const Api::Stream stream = api.Open(path);
    stream.handler->OnMessage(Get(true).SerializeAsString());
    ASSERT_TRUE(stream.sink->end.has_value()) << path;
    EXPECT_EQ(ErrcOf(*stream.sink->end), Errc::kNotSupportedForLearner) << path;
  }
}

TEST(Intercept, ClientApiVersionMustBeUtf8) {
  Api api;
  api.metadata.Add("client-api-version", "3.\xff");
  const absl::Status status = api.StatusOf(kRange, Get(true));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::MessageOf(status), "etcdserver: invalid client api version");
}

TEST(Intercept, LearnerComesBeforeVersionAndVersionBeforeLeader) {
  Api api;
  api.metadata.Add("client-api-version", "\xff");
  api.metadata.Add("hasleader", "true");
  api.node.shown_status = Learner();
  EXPECT_EQ(ErrcOf(api.StatusOf(kRange, Get(false))), Errc::kNotSupportedForLearner);
  api.node.shown_status = WithoutLeader();
  EXPECT_EQ(ErrcOf(api.StatusOf(kRange, Get(false))), Errc::kInvalidClientApiVersion);
}

TEST(Intercept, HasLeaderFailsWithoutALeader) {
  Api api;
  api.node.shown_status = WithoutLeader();
  EXPECT_TRUE(api.StatusOf(kRange, Get(true)).ok());
  api.metadata.Add("hasleader", "true");
  const absl::Status status = api.StatusOf(kRange, Get(true));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(base::MessageOf(status), "etcdserver: no leader");
}

TEST(Intercept, HasLeaderLooksAtTheFirstExactValueOnly) {
  Api api;
  api.node.shown_status = WithoutLeader();
  api.metadata.Add("hasleader", "True");
  api.metadata.Add("hasleader", "true");
  EXPECT_TRUE(api.StatusOf(kRange, Get(true)).ok());
}

TEST(Intercept, GuardedStreamEndsAfterThreeChecksWithoutALeader) {
  Api api;
  Api::Stream free = api.Open("/etcdserverpb.Watch/Watch");
  api.metadata.Add("hasleader", "true");
  Api::Stream guarded = api.Open("/etcdserverpb.Watch/Watch");
  api.node.shown_status = WithoutLeader();
  api.member.scheduler.RunFor(std::chrono::milliseconds(2500));
  EXPECT_FALSE(guarded.sink->end.has_value());
  api.member.scheduler.RunFor(std::chrono::milliseconds(1000));
  ASSERT_TRUE(guarded.sink->end.has_value());
  EXPECT_EQ(ErrcOf(*guarded.sink->end), Errc::kNoLeader);
  EXPECT_FALSE(free.sink->end.has_value());
}

TEST(Intercept, GuardedStreamSurvivesAShortLoss) {
  Api api;
  api.metadata.Add("hasleader", "true");
  Api::Stream stream = api.Open("/etcdserverpb.Watch/Watch");
  for (int i = 0; i < 3; ++i) {
    api.node.shown_status = WithoutLeader();
    api.member.scheduler.RunFor(std::chrono::milliseconds(2100));
    api.node.shown_status.reset();
    api.member.scheduler.RunFor(std::chrono::milliseconds(1100));
  }
  EXPECT_FALSE(stream.sink->end.has_value());
}

TEST(Unimplemented, MethodsToComeAnswerLikeUnknownOnes) {
  Api api;
  const absl::Status status = api.CallBytes("/etcdserverpb.Auth/UserAdd", "").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(base::MessageOf(status), "unknown method UserAdd for service etcdserverpb.Auth");
  const Api::Stream stream = api.Open("/v3electionpb.Election/Observe");
  ASSERT_TRUE(stream.sink->end.has_value());
  EXPECT_EQ(base::MessageOf(*stream.sink->end),
            "unknown method Observe for service v3electionpb.Election");
}

TEST(MethodTable, HoldsEveryMethodOfThePublishedServices) {
  Api api;
  const auto& file = *RangeRequest::descriptor()->file();
  for (int i = 0; i < file.service_count(); ++i) {
    for (int j = 0; j < file.service(i)->method_count(); ++j) {
      const auto& method = *file.service(i)->method(j);
      const base::MethodEntry* entry =
          api.table->Find("/" + file.service(i)->full_name() + "/" + method.name());
      ASSERT_NE(entry, nullptr) << method.full_name();
      EXPECT_EQ(entry->stream != nullptr, method.server_streaming()) << method.full_name();
    }
  }
}

}  // namespace
}  // namespace etcd::api::v3
