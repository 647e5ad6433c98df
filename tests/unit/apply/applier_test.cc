#include "server/apply/applier.h"

#include "server/base/bytes.h"
#include "server/membership/member.h"
#include "server/storage/engine/buckets.h"
#include "tests/unit/apply/apply_fixture.h"

namespace etcd::apply {
namespace {

using etcdserverpb::AlarmRequest;
using etcdserverpb::AlarmResponse;

class ApplierTest : public ApplyTest {
 protected:
  static Request AlarmOf(AlarmRequest::AlarmAction action, std::uint64_t member, int type) {
    Request request;
    request.mutable_alarm()->set_action(action);
    request.mutable_alarm()->set_memberid(member);
    request.mutable_alarm()->set_alarm(static_cast<etcdserverpb::AlarmType>(type));
    return request;
  }
  static Request Grant(std::int64_t id, std::int64_t ttl) {
    Request request;
    request.mutable_lease_grant()->set_id(id);
    request.mutable_lease_grant()->set_ttl(ttl);
    return request;
  }
  std::uint64_t StoredIndex() {
    const auto bytes = engine_.Get(engine::Family::kMeta,
                                   engine::MetaKey(engine::kBucketMeta, "consistent_index"));
    return base::LoadBigEndian64((*bytes)->data());
  }
};

// etcd issue 13766: the effects of an entry and its index are one batch of the engine, wherever a
// crash cuts.
TEST_F(ApplierTest, EffectsAndIndexAreNeverApart) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    engine::MemEngine engine;
    {
      Replica replica(engine);
      for (int i = 0; i < 10; ++i) replica.Put("k" + std::to_string(i), "v");
    }
    engine.Crash(seed);
    Replica after(engine);
    const std::uint64_t index = after.applier().consistent_index().value();
    EXPECT_EQ(after.revision().value(), static_cast<std::int64_t>(index) + 1) << "seed " << seed;
    for (std::uint64_t i = 0; i < 10; ++i) {
      EXPECT_EQ(after.Get("k" + std::to_string(i)), i < index ? "v" : "");
    }
  }
}

TEST_F(ApplierTest, SkipsEntriesThatTheStateHolds) {
  Request put;
  put.mutable_put()->set_key("a");
  put.mutable_put()->set_value("1");
  const raft::Entry entry = replica_.Next(put);
  replica_.ApplyAll({entry});
  replica_.ApplyAll({entry});
  EXPECT_EQ(replica_.revision(), Revision(2));
}

// etcd issues 14382 and 14429: an operation that changes nothing still advances the index.
TEST_F(ApplierTest, EveryKindOfEntryAdvancesTheIndex) {
  std::vector<Request> requests(16);
  requests[0].mutable_put()->set_key("a");
  requests[1].mutable_range()->set_key("a");
  requests[2].mutable_delete_range()->set_key("none");
  requests[3].mutable_txn();
  requests[4].mutable_compaction()->set_revision(100);
  requests[5] = Grant(0, 10);
  requests[6].mutable_lease_revoke()->set_id(99);
  requests[7] = AlarmOf(AlarmRequest::GET, 0, 0);
  requests[8].mutable_lease_checkpoint();
  requests[9].mutable_auth_status();
  requests[10].mutable_auth_user_list();
  requests[11].mutable_cluster_version_set()->set_ver("3.6.0");
  requests[12].mutable_cluster_member_attr_set()->set_member_id(1);
  requests[13].mutable_downgrade_info_set();
  requests[14].mutable_downgrade_version_test();
  requests[15].mutable_authenticate();
  std::uint64_t index = 0;
  for (const Request& request : requests) {
    replica_.Run(request);
    EXPECT_EQ(StoredIndex(), ++index) << request.ShortDebugString();
  }
  replica_.ApplyAll({{Term(3), Index(++index), raft::EntryType::kNormal, {}}});
  EXPECT_EQ(StoredIndex(), index);
  raft::ConfChange refused;
  refused.type = raft::ConfChangeType::kRemoveNode;
  refused.node_id = MemberId(12345);
  replica_.ApplyAll(
      {{Term(3), Index(++index), raft::EntryType::kConfChange, raftcodec::Encode(refused)}});
  EXPECT_EQ(StoredIndex(), index);
}

// As Go's leaders append it: their decoder looks at no text.
TEST_F(ApplierTest, TextOfAnEntryMayBeAnything) {
  std::string name;
  base::AppendBytesField(name, 1, "caf\xe9");
  std::uint64_t index = 0;
  for (const std::uint32_t operation : {1012, 1102, 1202}) {
    std::string entry;
    base::AppendMessageField(entry, operation, name);
    ++index;
    replica_.ApplyAll({{Term(1), Index(index), raft::EntryType::kNormal, entry}});
    EXPECT_EQ(StoredIndex(), index) << operation;
  }
}

TEST_F(ApplierTest, AnUnknownOperationIsFatal) {
  BatchOutcome out;
  replica_.applier().Begin();
  // Field 9999, empty message.
  std::string unknown;
  base::AppendMessageField(unknown, 9999, "");
  EXPECT_FALSE(
      replica_.applier().Apply({Term(1), Index(1), raft::EntryType::kNormal, unknown}, out).ok());
}

// Members that have authentication carry it out: whoever skips it answers, and hands on in
// snapshots, what the others do not have.
TEST_F(ApplierTest, WhatNeedsAuthenticationIsFatal) {
  std::vector<Request> requests(12);
  requests[0].mutable_auth_enable();
  requests[1].mutable_auth_disable();
  requests[2].mutable_auth_user_add();
  requests[3].mutable_auth_user_delete();
  requests[4].mutable_auth_user_change_password();
  requests[5].mutable_auth_user_grant_role();
  requests[6].mutable_auth_user_revoke_role();
  requests[7].mutable_auth_role_add();
  requests[8].mutable_auth_role_delete();
  requests[9].mutable_auth_role_grant_permission();
  requests[10].mutable_auth_role_revoke_permission();
  requests[11].mutable_put()->set_key("k");
  requests[11].mutable_header()->set_username("somebody");
  for (const Request& request : requests) {
    engine::MemEngine engine;
    Replica replica(engine);
    BatchOutcome out;
    replica.applier().Begin();
    const absl::Status status = replica.applier().Apply(
        {Term(1), Index(1), raft::EntryType::kNormal, request.SerializeAsString()}, out);
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << request.ShortDebugString();
    EXPECT_TRUE(out.outcomes.empty());
  }
}

// ---- Alarms

TEST_F(ApplierTest, NoSpaceRefusesOnlyWhatCosts) {
  replica_.Put("a", "1");
  replica_.Run(AlarmOf(AlarmRequest::ACTIVATE, 7, kAlarmNoSpace));
  EXPECT_EQ(ErrcOf(replica_.Put("b", "1").status), Errc::kNoSpace);
  EXPECT_EQ(ErrcOf(replica_.Run(Grant(1, 10)).status), Errc::kNoSpace);
  Request txn;
  txn.mutable_txn()->add_failure()->mutable_request_put()->set_key("x");
  EXPECT_EQ(ErrcOf(replica_.Run(txn).status), Errc::kNoSpace);
  Request deletes;
  deletes.mutable_txn()->add_success()->mutable_request_delete_range()->set_key("a");
  EXPECT_TRUE(replica_.Run(deletes).status.ok());
  Request compact;
  compact.mutable_compaction()->set_revision(3);
  EXPECT_TRUE(replica_.Run(compact).status.ok());
  const auto disarmed =
      BodyOf<AlarmResponse>(replica_.Run(AlarmOf(AlarmRequest::DEACTIVATE, 7, kAlarmNoSpace)));
  EXPECT_EQ(disarmed.alarms_size(), 1);
  EXPECT_TRUE(replica_.Put("b", "1").status.ok());
}

TEST_F(ApplierTest, CorruptRefusesEverythingAboutKeys) {
  replica_.Run(AlarmOf(AlarmRequest::ACTIVATE, 7, kAlarmCorrupt));
  EXPECT_EQ(ErrcOf(replica_.Put("b", "1").status), Errc::kCorrupt);
  Request compact;
  compact.mutable_compaction()->set_revision(100);
  EXPECT_EQ(ErrcOf(replica_.Run(compact).status), Errc::kCorrupt);
  Request revoke;
  revoke.mutable_lease_revoke()->set_id(1);
  EXPECT_EQ(ErrcOf(replica_.Run(revoke).status), Errc::kCorrupt);
  EXPECT_TRUE(replica_.Run(AlarmOf(AlarmRequest::GET, 0, 0)).status.ok());
}

TEST_F(ApplierTest, AlarmsSurviveARestart) {
  replica_.Run(AlarmOf(AlarmRequest::ACTIVATE, 7, kAlarmNoSpace));
  replica_.Run(AlarmOf(AlarmRequest::ACTIVATE, 8, 7));  // a type that nobody knows
  Replica again(engine_);
  again.StartAt(again.applier().consistent_index());
  const auto listed = BodyOf<AlarmResponse>(again.Run(AlarmOf(AlarmRequest::GET, 0, 0)));
  ASSERT_EQ(listed.alarms_size(), 2);
  EXPECT_EQ(listed.alarms(0).memberid(), 7U);
  EXPECT_EQ(static_cast<int>(listed.alarms(1).alarm()), 7);
  EXPECT_EQ(ErrcOf(again.Put("b", "1").status), Errc::kNoSpace);
}

TEST_F(ApplierTest, AlarmEdgesAreDefined) {
  EXPECT_EQ(
      BodyOf<AlarmResponse>(replica_.Run(AlarmOf(AlarmRequest::ACTIVATE, 7, 0))).alarms_size(), 0);
  EXPECT_EQ(
      BodyOf<AlarmResponse>(replica_.Run(AlarmOf(AlarmRequest::DEACTIVATE, 7, 1))).alarms_size(),
      0);
  Request unknown = AlarmOf(static_cast<AlarmRequest::AlarmAction>(9), 7, 1);
  EXPECT_FALSE(replica_.Run(unknown).status.ok());
}

// ---- Quota

TEST_F(ApplierTest, BeyondTheQuotaIsCarriedOutAndAnsweredWithNoSpace) {
  engine::MemEngine engine;
  Replica small(engine, /*quota_bytes=*/300);
  EXPECT_TRUE(small.Put("a", "1").status.ok());  // 258 < 300, then the batch counts
  Request put;
  put.mutable_put()->set_key("b");
  put.mutable_put()->set_value("2");
  const BatchOutcome out = small.ApplyAll({small.Next(put)});
  EXPECT_EQ(ErrcOf(out.outcomes.at(0).result.status), Errc::kNoSpace);
  EXPECT_TRUE(out.over_quota);
  EXPECT_EQ(small.Get("b"), "2");
}

// ---- Leases

TEST_F(ApplierTest, RevokeDeletesTheKeysAtOneRevision) {
  replica_.Run(Grant(5, 100));
  replica_.Put("b", "1", 5);
  replica_.Put("a", "1", 5);
  replica_.Put("c", "1");
  Request revoke;
  revoke.mutable_lease_revoke()->set_id(5);
  EXPECT_TRUE(replica_.Run(revoke).status.ok());
  EXPECT_EQ(replica_.revision(), Revision(5));
  EXPECT_EQ(replica_.Get("a"), "");
  EXPECT_EQ(replica_.Get("c"), "1");
  EXPECT_EQ(ErrcOf(replica_.Run(revoke).status), Errc::kLeaseNotFound);
}

TEST_F(ApplierTest, RevokeWithoutKeysKeepsTheRevision) {
  replica_.Run(Grant(5, 100));
  Request revoke;
  revoke.mutable_lease_revoke()->set_id(5);
  replica_.Run(revoke);
  EXPECT_EQ(replica_.revision(), Revision(1));
}

TEST_F(ApplierTest, ADeletedOrOverwrittenKeyLeavesItsLease) {
  replica_.Run(Grant(5, 100));
  replica_.Put("a", "1", 5);
  replica_.Put("b", "1", 5);
  replica_.Put("a", "2");
  Request remove;
  remove.mutable_delete_range()->set_key("b");
  replica_.Run(remove);
  EXPECT_TRUE(replica_.lessor().KeysOf(LeaseId(5)).empty());
}

TEST_F(ApplierTest, GrantAnswersTheTtlInForce) {
  const auto response = BodyOf<etcdserverpb::LeaseGrantResponse>(replica_.Run(Grant(-3, 0)));
  EXPECT_EQ(response.id(), -3);
  EXPECT_EQ(response.ttl(), 2);
}

// ---- Cluster

TEST_F(ApplierTest, MembershipFollowsTheLog) {
  membership::Member member{MemberId(1), {"http://a"}, false, "n1", {}};
  raft::ConfChange add{.id = 9,
                       .type = raft::ConfChangeType::kAddNode,
                       .node_id = MemberId(1),
                       .context = membership::EncodeMember(member)};
  const raft::Entry entry{Term(1), Index(1), raft::EntryType::kConfChange, raftcodec::Encode(add)};
  const BatchOutcome out = replica_.ApplyAll({entry});
  ASSERT_EQ(out.conf_changes.size(), 1U);
  EXPECT_EQ(out.conf_changes[0].node_id, MemberId(1));
  replica_.StartAt(Index(1));
  Request attributes;
  auto* set = attributes.mutable_cluster_member_attr_set();
  set->set_member_id(1);
  set->mutable_member_attributes()->set_name("new");
  set->mutable_member_attributes()->add_client_urls("http://c");
  replica_.Run(attributes);
  Replica again(engine_);
  const auto view = again.cluster().view();
  ASSERT_NE(view->Find(MemberId(1)), nullptr);
  EXPECT_EQ(view->Find(MemberId(1))->name, "new");
  EXPECT_EQ(again.cluster().conf_state().voters, std::vector{MemberId(1)});
}

TEST_F(ApplierTest, ARefusedChangeReachesRaftAsNone) {
  raft::ConfChange remove{
      .id = 9, .type = raft::ConfChangeType::kRemoveNode, .node_id = MemberId(5), .context = ""};
  const BatchOutcome out = replica_.ApplyAll(
      {{Term(1), Index(1), raft::EntryType::kConfChange, raftcodec::Encode(remove)}});
  EXPECT_EQ(out.conf_changes.at(0).node_id, MemberId());
  EXPECT_EQ(ErrcOf(out.outcomes.at(0).result.status), Errc::kMemberNotFound);
}

TEST_F(ApplierTest, LegacyFormsOfPublishAndVersionAreUnderstood) {
  membership::Member member{MemberId(0x1a), {"http://a"}, false, "", {}};
  raft::ConfChange add{.id = 0,
                       .type = raft::ConfChangeType::kAddNode,
                       .node_id = member.id,
                       .context = membership::EncodeMember(member)};
  const auto legacy = [](std::string_view path, std::string_view value, std::string_view method) {
    std::string out;
    base::AppendVarintField(out, 1, 77);
    base::AppendBytesField(out, 2, method);
    base::AppendBytesField(out, 3, path);
    base::AppendBytesField(out, 4, value);
    out += std::string("\x28\x00\x32\x00\x38\x00\x48\x00", 8);
    return out;
  };
  std::string wrapped;
  base::AppendMessageField(wrapped, 2, legacy("/0/version", "3.5.0", "PUT"));
  const BatchOutcome out = replica_.ApplyAll(
      {{Term(1), Index(1), raft::EntryType::kConfChange, raftcodec::Encode(add)},
       {Term(1), Index(2), raft::EntryType::kNormal,
        legacy("/0/members/1a/attributes", R"({"name":"old","clientURLs":["http://c"]})", "PUT")},
       {Term(1), Index(3), raft::EntryType::kNormal, legacy("", "", "QGET")},
       {Term(1), Index(4), raft::EntryType::kNormal, legacy("/0/version", "3.4.0", "PUT")},
       {Term(1), Index(5), raft::EntryType::kNormal, wrapped}});
  EXPECT_EQ(replica_.cluster().view()->Find(MemberId(0x1a))->name, "old");
  EXPECT_EQ(replica_.cluster().view()->cluster_version, "3.5.0");
  EXPECT_EQ(out.outcomes.size(), 4U);
}

// The capture in raft-peer-storage.md 11.2.
TEST_F(ApplierTest, UnderstandsACapturedPut) {
  const std::string bytes(
      "\x22\x0a\x0a\x03"
      "foo"
      "\x12\x03"
      "bar"
      "\xa2\x06\x0b\x08\x84\xf0\xcb\x80\xd5\xbf\xa8\xdb\xf5\x01",
      26);
  const BatchOutcome out =
      replica_.ApplyAll({{Term(2), Index(1), raft::EntryType::kNormal, bytes}});
  EXPECT_EQ(replica_.Get("foo"), "bar");
  EXPECT_TRUE(out.outcomes.at(0).id);
}

TEST_F(ApplierTest, StorageVersionFollowsTheClusterVersion) {
  Request version;
  version.mutable_cluster_version_set()->set_ver("3.6.0");
  replica_.Run(version);
  const std::string key = engine::MetaKey(engine::kBucketMeta, engine::kMetaStorageVersion);
  EXPECT_EQ(**engine_.Get(engine::Family::kMeta, key), "3.6.0");
  version.mutable_cluster_version_set()->set_ver("3.5.0");
  replica_.Run(version);
  EXPECT_FALSE(engine_.Get(engine::Family::kMeta, key)->has_value());
}

}  // namespace
}  // namespace etcd::apply
