#include "server/node/member.h"

#include <etcdserverpb/raft_internal.pb.h>

#include <gtest/gtest.h>

#include "server/apply/legacy_request.h"
#include "server/wal/wal.h"
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

// A 3.4 stops for good at an entry of the newer form: one that goes on from this log, or joins.
TEST(Member, AloneInAClusterOf34PublishesAs34Does) {
  MemberOptions options = SimMember::DefaultOptions();
  options.hold_cluster_version = true;
  SimMember member(7, options);
  ASSERT_TRUE(member.Boot().ok());
  ASSERT_TRUE(member.WaitFor([&] { return member->ClusterVersion() == "3.6.0"; }));
  ASSERT_TRUE(member
                  .Run([](etcdserverpb::InternalRaftRequest& request) {
                    request.mutable_cluster_version_set()->set_ver("3.4.0");
                  })
                  .status.ok());
  member.Stop();
  ASSERT_TRUE(member.Boot().ok());
  EXPECT_EQ(member->ClusterVersion(), "3.4.0");
  member.Stop();
  const auto log = wal::ReadAll(member.disk, options.wal_dir, Index(0), Term(0));
  ASSERT_TRUE(log.ok()) << log.status();
  int newer = 0;
  int older = 0;
  for (const raft::Entry& entry : log->entries) {
    if (entry.type != raft::EntryType::kNormal || entry.data.empty()) continue;
    if (apply::ParseLegacyRequest(entry.data)) {
      ++older;
      continue;
    }
    etcdserverpb::InternalRaftRequest request;
    const std::string_view bytes = entry.data;
    ASSERT_TRUE(request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    if (request.has_cluster_member_attr_set()) ++newer;
  }
  EXPECT_EQ(newer, 1);  // before there was a version
  EXPECT_EQ(older, 1);
}

}  // namespace
}  // namespace etcd::node
