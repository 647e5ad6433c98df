#include "server/node/member.h"

#include <etcdserverpb/raft_internal.pb.h>

#include <gtest/gtest.h>

#include "tests/support/sim_member.h"

namespace etcd::node {
namespace {

using testing::SimMember;

TEST(Member, BootstrapsAClusterOfOneAndServesAtOnce) {
  SimMember member(1);
  const auto start = member.scheduler.clock().Now();
  ASSERT_TRUE(member.Boot().ok());
  // Neither an election timeout nor a tick was waited for.
  EXPECT_LT(member.scheduler.clock().Now() - start, member.options.heartbeat_interval);
  EXPECT_EQ(member->status().leader, member->member_id());
  EXPECT_EQ(member->status().term, Term(2));
  ASSERT_EQ(member->Members().size(), 1U);
  EXPECT_EQ(member->Members()[0].name, "n1");
  EXPECT_EQ(member->Members()[0].client_urls, member.options.client_urls);
}

TEST(Member, AnswersAPutWithItsRevision) {
  SimMember member(2);
  ASSERT_TRUE(member.Boot().ok());
  const apply::Result result = member.Put("a", "1");
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.revision, Revision(2));
  EXPECT_EQ(member.Get("a"), "1");
  EXPECT_EQ(member.Put("a", "2").revision, Revision(3));
}

TEST(Member, HasItsDataAfterAKill) {
  SimMember member(3);
  ASSERT_TRUE(member.Boot().ok());
  const MemberId id = member->member_id();
  ASSERT_TRUE(member.Put("a", "1").status.ok());
  member.Kill();
  ASSERT_TRUE(member.Boot().ok());
  EXPECT_EQ(member.Get("a"), "1");
  EXPECT_EQ(member->member_id(), id);
  EXPECT_EQ(member->store().current_revision(), Revision(2));
}

TEST(Member, ReplaysTheLogWhenTheBackendLostEverything) {
  SimMember member(4);
  ASSERT_TRUE(member.Boot().ok());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(member.Put("k" + std::to_string(i), "v").status.ok());
  member.Kill();
  member.disk.CrashLosingAll();
  member.engine.CrashToLastFlush();
  ASSERT_TRUE(member.Boot().ok());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(member.Get("k" + std::to_string(i)), "v");
  EXPECT_EQ(member->store().current_revision(), Revision(21));
}

TEST(Member, StopsCleanlyAndStartsAgain) {
  SimMember member(5);
  ASSERT_TRUE(member.Boot().ok());
  ASSERT_TRUE(member.Put("a", "1").status.ok());
  member.Stop();
  ASSERT_TRUE(member.Boot().ok());
  EXPECT_EQ(member.Get("a"), "1");
}

TEST(Member, AgreesOnTheClusterVersion) {
  SimMember member(6);
  ASSERT_TRUE(member.Boot().ok());
  ASSERT_TRUE(member.WaitFor([&] { return member->ClusterVersion() == "3.6.0"; }));
  EXPECT_EQ(member->StorageVersion(), "3.6.0");
}

}  // namespace
}  // namespace etcd::node
