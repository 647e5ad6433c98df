// What alarms refuse and what they let through, and what counts against the quota.
#include <etcdserverpb/raft_internal.pb.h>
#include <functional>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "server/base/status.h"
#include "tests/support/sim_cluster.h"
#include "tests/support/sim_member.h"

namespace etcd::node {
namespace {

using etcdserverpb::InternalRaftRequest;
using testing::SimCluster;
using testing::SimMember;
using Fill = std::function<void(InternalRaftRequest&)>;

Fill Alarm(etcdserverpb::AlarmRequest::AlarmAction action, etcdserverpb::AlarmType type,
           MemberId member) {
  return [=](InternalRaftRequest& request) {
    request.mutable_alarm()->set_action(action);
    request.mutable_alarm()->set_alarm(type);
    request.mutable_alarm()->set_memberid(member.value());
  };
}

const std::map<std::string, Fill>& TakeSpace() {
  static const auto* out = new std::map<std::string, Fill>{
      {"put", [](InternalRaftRequest& r) { r.mutable_put()->set_key("k"); }},
      {"txn with a put",
       [](InternalRaftRequest& r) {
         r.mutable_txn()->add_success()->mutable_request_put()->set_key("k");
       }},
      {"grant", [](InternalRaftRequest& r) {
         r.mutable_lease_grant()->set_id(77);
         r.mutable_lease_grant()->set_ttl(100);
       }}};
  return *out;
}

const std::map<std::string, Fill>& TakeNone() {
  static const auto* out = new std::map<std::string, Fill>{
      {"range", [](InternalRaftRequest& r) { r.mutable_range()->set_key("k"); }},
      {"delete", [](InternalRaftRequest& r) { r.mutable_delete_range()->set_key("k"); }},
      {"txn that deletes",
       [](InternalRaftRequest& r) {
         r.mutable_txn()->add_success()->mutable_request_delete_range()->set_key("k");
       }},
      {"empty txn", [](InternalRaftRequest& r) { r.mutable_txn(); }},
      {"compaction", [](InternalRaftRequest& r) { r.mutable_compaction()->set_revision(1); }},
      {"revoke", [](InternalRaftRequest& r) { r.mutable_lease_revoke()->set_id(5); }}};
  return *out;
}

class Alarms : public ::testing::Test {
 protected:
  Alarms() : member(1) {
    EXPECT_TRUE(member.Boot().ok());
    EXPECT_TRUE(member.Put("k", "v").status.ok());
    EXPECT_TRUE(member
                    .Run([](InternalRaftRequest& r) {
                      r.mutable_lease_grant()->set_id(5);
                      r.mutable_lease_grant()->set_ttl(1000);
                    })
                    .status.ok());
  }
  void Raise(etcdserverpb::AlarmType type) {
    // Of any member: it holds for all.
    EXPECT_TRUE(
        member.Run(Alarm(etcdserverpb::AlarmRequest::ACTIVATE, type, MemberId(99))).status.ok());
  }

  SimMember member;
};

// A full cluster must be able to make room (kubernetes issue 94029).
TEST_F(Alarms, NoSpaceRefusesOnlyWhatTakesSpace) {
  Raise(etcdserverpb::NOSPACE);
  for (const auto& [name, fill] : TakeSpace()) {
    EXPECT_EQ(ErrcOf(member.Run(fill).status), Errc::kNoSpace) << name;
  }
  EXPECT_FALSE(member->lessor().Lookup(LeaseId(77)).has_value());
  for (const auto& [name, fill] : TakeNone()) {
    EXPECT_TRUE(member.Run(fill).status.ok()) << name;
  }
}

TEST_F(Alarms, CorruptRefusesEverythingThatTouchesKeys) {
  Raise(etcdserverpb::CORRUPT);
  for (const auto* kinds : {&TakeSpace(), &TakeNone()}) {
    for (const auto& [name, fill] : *kinds) {
      EXPECT_EQ(ErrcOf(member.Run(fill).status), Errc::kCorrupt) << name;
    }
  }
  EXPECT_TRUE(member->lessor().Lookup(LeaseId(5)).has_value());
  const Fill clear =
      Alarm(etcdserverpb::AlarmRequest::DEACTIVATE, etcdserverpb::CORRUPT, MemberId(99));
  EXPECT_TRUE(member.Run(clear).status.ok());
  EXPECT_TRUE(member.Put("k", "v").status.ok());
}

TEST_F(Alarms, AreOfOneMemberAndOneKind) {
  Raise(etcdserverpb::NOSPACE);
  const auto clear = [&](etcdserverpb::AlarmType type, std::uint64_t of) {
    EXPECT_TRUE(
        member.Run(Alarm(etcdserverpb::AlarmRequest::DEACTIVATE, type, MemberId(of))).status.ok());
  };
  clear(etcdserverpb::NOSPACE, 98);
  clear(etcdserverpb::CORRUPT, 99);
  EXPECT_TRUE(member->HasAlarm(AlarmType::kNoSpace));
  clear(etcdserverpb::NOSPACE, 99);
  EXPECT_TRUE(member->Alarms().empty());
  EXPECT_TRUE(member.Put("k", "v").status.ok());
}

// Whatever takes space is charged, and carried out all the same.
TEST(QuotaOfAMember, CountsPutsTransactionsAndLeases) {
  for (const auto& [name, fill] : TakeSpace()) {
    MemberOptions options = SimMember::DefaultOptions();
    options.quota_bytes = 20'000;
    SimMember member(2, options);
    ASSERT_TRUE(member.Boot().ok());
    EXPECT_EQ(ErrcOf(member.Put("big", std::string(30'000, 'x')).status), Errc::kNoSpace);
    ASSERT_TRUE(member.WaitFor([&] { return member->HasAlarm(AlarmType::kNoSpace); }));
    const auto clear =
        Alarm(etcdserverpb::AlarmRequest::DEACTIVATE, etcdserverpb::NOSPACE, member->member_id());
    ASSERT_TRUE(member.Run(clear).status.ok());
    EXPECT_EQ(ErrcOf(member.Run(fill).status), Errc::kNoSpace) << name;
    EXPECT_TRUE(member.WaitFor([&] { return member->HasAlarm(AlarmType::kNoSpace); })) << name;
    for (const auto& [free, free_fill] : TakeNone()) {
      if (free == "revoke") continue;  // no such lease here
      EXPECT_TRUE(member.Run(free_fill).status.ok()) << free;
    }
  }
}

// The one whose backend is full speaks for all.
TEST(QuotaOfACluster, OneFullMemberStopsTheWritesOfAll) {
  SimCluster cluster(3, 3);
  cluster[1].options.quota_bytes = 20'000;
  ASSERT_TRUE(cluster.Boot());
  const apply::Result first = cluster[0].Put("big", std::string(30'000, 'x'));
  EXPECT_TRUE(first.status.ok()) << first.status;  // it fits where it was asked for
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(cluster.WaitFor([&] { return cluster[i]->HasAlarm(AlarmType::kNoSpace); }));
    ASSERT_EQ(cluster[i]->Alarms().size(), 1U);
    EXPECT_EQ(cluster[i]->Alarms()[0].member, cluster[1]->member_id());
    EXPECT_EQ(ErrcOf(cluster[i].Put("k", "v").status), Errc::kNoSpace);
  }
  ASSERT_TRUE(cluster.AwaitConverged());
  EXPECT_TRUE(cluster.CommonHash().has_value());
}

}  // namespace
}  // namespace etcd::node
