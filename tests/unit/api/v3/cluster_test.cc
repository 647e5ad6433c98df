// etcdserverpb.Cluster, and of Maintenance what is about the cluster, on a member that is alone.
#include <etcdserverpb/rpc.pb.h>

#include <gtest/gtest.h>

#include "server/api/v3/downgrade.h"
#include "server/base/status.h"
#include "tests/unit/api/v3/api_fixture.h"

namespace etcd::api::v3 {
namespace {

using testing::Api;

constexpr char kAdd[] = "/etcdserverpb.Cluster/MemberAdd";

etcdserverpb::MemberAddRequest AddOf(std::initializer_list<const char*> urls,
                                     bool learner = false) {
  etcdserverpb::MemberAddRequest request;
  for (const char* url : urls) request.add_peerurls(url);
  request.set_islearner(learner);
  return request;
}

TEST(ClusterService, AnswersAnAddWithTheMemberAndTheList) {
  Api api;
  const auto added =
      api.Call<etcdserverpb::MemberAddResponse>(kAdd, AddOf({"http://b:2", "http://a:1"}, true));
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(added->members_size(), 2);
  EXPECT_NE(added->member().id(), 0U);
  EXPECT_TRUE(added->member().islearner());
  EXPECT_EQ(added->member().name(), "");
  ASSERT_EQ(added->member().peerurls_size(), 2);
  EXPECT_EQ(added->member().peerurls(0), "http://a:1") << "ascending";
  EXPECT_NE(added->header().cluster_id(), 0U);
  EXPECT_EQ(added->header().revision(), 0);
}

TEST(ClusterService, RefusesUrlsThatNobodyCouldReach) {
  Api api;
  for (const char* url : {"", "http://a:1/", "http://a:1/x", "a:1", "http://a", "ftp://a:1"}) {
    EXPECT_EQ(ErrcOf(api.StatusOf(kAdd, AddOf({url}))), Errc::kMemberBadUrls) << url;
  }
  EXPECT_EQ(ErrcOf(api.StatusOf(kAdd, AddOf({}))), Errc::kMemberBadUrls);
  // etcd dies of this one.
  etcdserverpb::MemberUpdateRequest update;
  update.set_id(api.member->member_id().value());
  update.add_peerurls("http://a:1/path");
  EXPECT_EQ(ErrcOf(api.StatusOf("/etcdserverpb.Cluster/MemberUpdate", update)),
            Errc::kMemberBadUrls);
}

TEST(ClusterService, UpdatesAndRemoves) {
  Api api;
  const auto added = api.Call<etcdserverpb::MemberAddResponse>(kAdd, AddOf({"http://a:1"}, true));
  ASSERT_TRUE(added.ok()) << added.status();
  etcdserverpb::MemberUpdateRequest update;
  update.set_id(added->member().id());
  update.add_peerurls("http://c:3");
  const auto updated =
      api.Call<etcdserverpb::MemberUpdateResponse>("/etcdserverpb.Cluster/MemberUpdate", update);
  ASSERT_TRUE(updated.ok()) << updated.status();
  bool found = false;
  for (const auto& member : updated->members()) {
    if (member.id() != added->member().id()) continue;
    found = member.peerurls(0) == "http://c:3" && member.islearner();
  }
  EXPECT_TRUE(found) << "an update changes the URLs only (etcd issue 21736)";
  etcdserverpb::MemberRemoveRequest remove;
  remove.set_id(added->member().id());
  const auto left =
      api.Call<etcdserverpb::MemberRemoveResponse>("/etcdserverpb.Cluster/MemberRemove", remove);
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_EQ(left->members_size(), 1);
  EXPECT_EQ(ErrcOf(api.StatusOf("/etcdserverpb.Cluster/MemberRemove", remove)),
            Errc::kMemberNotFound);
}

TEST(ClusterService, PromotesNobodyWhoIsNoLearnerInSync) {
  Api api;
  constexpr char kPromote[] = "/etcdserverpb.Cluster/MemberPromote";
  etcdserverpb::MemberPromoteRequest request;
  request.set_id(1);
  EXPECT_EQ(ErrcOf(api.StatusOf(kPromote, request)), Errc::kMemberNotFound);
  request.set_id(api.member->member_id().value());
  EXPECT_EQ(ErrcOf(api.StatusOf(kPromote, request)), Errc::kMemberNotLearner);
}

TEST(MoveLeader, ToItselfSucceedsAndToAStrangerDoesNot) {
  Api api;
  constexpr char kMove[] = "/etcdserverpb.Maintenance/MoveLeader";
  etcdserverpb::MoveLeaderRequest request;
  request.set_targetid(7);
  EXPECT_EQ(ErrcOf(api.StatusOf(kMove, request)), Errc::kBadLeaderTransferee);
  request.set_targetid(api.member->member_id().value());
  const auto moved = api.CallBytes(kMove, request.SerializeAsString());
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(*moved, "") << "no header";
}

class DowngradeTest : public ::testing::Test {
 protected:
  DowngradeTest() {
    EXPECT_TRUE(api.member.WaitFor([&] { return api.member->ClusterVersion() == "3.6.0"; }));
  }
  // The version of the answer, or the text of the error.
  std::string Ask(etcdserverpb::DowngradeRequest::DowngradeAction action,
                  const std::string& version) {
    etcdserverpb::DowngradeRequest request;
    request.set_action(action);
    request.set_version(version);
    const auto answer =
        api.Call<etcdserverpb::DowngradeResponse>("/etcdserverpb.Maintenance/Downgrade", request);
    return answer.ok() ? answer->version() : std::string(base::MessageOf(answer.status()));
  }
  Api api;
};

TEST_F(DowngradeTest, GoesOneMinorDownOnly) {
  using Request = etcdserverpb::DowngradeRequest;
  EXPECT_EQ(Ask(Request::VALIDATE, "3.5"), "3.6");
  EXPECT_EQ(Ask(Request::VALIDATE, "3.5.9"), "3.6");
  for (const char* bad : {"3.4", "3.6", "3.7", "2.5"}) {
    EXPECT_EQ(Ask(Request::VALIDATE, bad), "etcdserver: invalid downgrade target version") << bad;
  }
  for (const char* bad : {"", "v3.5", "3", "3.5.1.2", "3.x"}) {
    EXPECT_EQ(Ask(Request::ENABLE, bad), "etcdserver: wrong downgrade target version format")
        << bad;
  }
}

TEST_F(DowngradeTest, LowersTheClusterVersionUntilItIsCanceled) {
  using Request = etcdserverpb::DowngradeRequest;
  EXPECT_EQ(Ask(Request::ENABLE, "3.5"), "3.6");
  EXPECT_EQ(Ask(Request::VALIDATE, "3.5"), "etcdserver: cluster has a downgrade job in progress");
  ASSERT_TRUE(api.member.WaitFor([&] { return api.member->ClusterVersion() == "3.5.0"; }));
  EXPECT_EQ(api.member->StorageVersion(), "3.5.0");
  EXPECT_EQ(api.member->ReportedVersion(), "3.5.99");
  EXPECT_TRUE(api.member->Downgrade().enabled);
  EXPECT_EQ(Ask(Request::CANCEL, ""), "3.5");
  EXPECT_FALSE(api.member->Downgrade().enabled);
  // All of it is ours and nothing holds the version any more.
  ASSERT_TRUE(api.member.WaitFor([&] { return api.member->ClusterVersion() == "3.6.0"; }));
}

}  // namespace
}  // namespace etcd::api::v3
