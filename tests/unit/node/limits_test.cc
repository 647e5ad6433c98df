// Full disks, quotas, time: what the member refuses, what it does by itself, and when.
#include <etcdserverpb/raft_internal.pb.h>
#include <iterator>
#include <limits>

#include <gtest/gtest.h>

#include "server/node/auto_compactor.h"
#include "tests/support/sim_cluster.h"
#include "tests/support/sim_member.h"

namespace etcd::node {
namespace {

using etcdserverpb::InternalRaftRequest;
using std::chrono::seconds;
using testing::SimMember;

void FillPut(InternalRaftRequest& request) {
  request.mutable_put()->set_key("a");
  request.mutable_put()->set_value("1");
}

// ---- Full disk

TEST(FullDisk, OfTheLogRefusesWritesServesReadsAndRecovers) {
  MemberOptions options = SimMember::DefaultOptions();
  options.wal_segment_bytes = 16 << 10;
  SimMember member(1, options);
  ASSERT_TRUE(member.Boot().ok());
  ASSERT_TRUE(member.Put("a", "1").status.ok());
  member.disk.SetCapacity(member.disk.used_bytes());
  // The segments that are there fill up; then writes are refused, not lost.
  const std::string big(4000, 'x');
  int accepted = 0;
  apply::Result result;
  for (int i = 0; i < 50; ++i) {
    result = member.Put("k" + std::to_string(i), big);
    if (!result.status.ok()) break;
    ++accepted;
  }
  EXPECT_TRUE(ErrcOf(result.status) == Errc::kNoSpace || ErrcOf(result.status) == Errc::kTimeout)
      << result.status;
  member.scheduler.RunFor(seconds(2));
  EXPECT_EQ(ErrcOf(member.Put("b", "1").status), Errc::kNoSpace);
  EXPECT_EQ(member.Get("a"), "1");
  absl::Status read = absl::UnknownError("not called");
  member->ReadIndex([&](absl::Status status) { read = status; });
  EXPECT_TRUE(read.ok()) << read;
  EXPECT_FALSE(member.fatal().has_value());

  member.disk.SetCapacity(UINT64_MAX);
  const auto start = member.scheduler.clock().Now();
  while (!member.Put("b", "1").status.ok()) {
    member.scheduler.RunFor(std::chrono::milliseconds(100));
    ASSERT_LT(member.scheduler.clock().Now() - start, seconds(10)) << "there is room again";
  }
  member.Kill();
  ASSERT_TRUE(member.Boot().ok());
  for (int i = 0; i < accepted; ++i) EXPECT_EQ(member.Get("k" + std::to_string(i)), big);
}

TEST(FullDisk, OfTheBackendRefusesWritesServesReadsAndRecovers) {
  SimMember member(2);
  ASSERT_TRUE(member.Boot().ok());
  ASSERT_TRUE(member.Put("a", "1").status.ok());
  const auto pending = member.Propose([](InternalRaftRequest& request) {
    request.mutable_put()->set_key("b");
    request.mutable_put()->set_value("1");
  });
  member.engine.SetFull(true);  // before the entry is applied
  member.scheduler.RunFor(seconds(1));
  EXPECT_FALSE(pending->result.has_value());
  EXPECT_EQ(ErrcOf(member.Put("c", "1").status), Errc::kNoSpace);
  EXPECT_EQ(member.Get("a"), "1");
  EXPECT_EQ(member.Get("b"), "");
  member.engine.SetFull(false);
  ASSERT_TRUE(member.WaitFor([&] { return pending->result.has_value(); }));
  EXPECT_TRUE(pending->result->status.ok());
  EXPECT_EQ(member.Get("b"), "1");
  EXPECT_TRUE(member.Put("c", "1").status.ok());
}

TEST(FullDisk, DoesNotHinderAStop) {
  SimMember member(3);
  ASSERT_TRUE(member.Boot().ok());
  const auto pending = member.Propose(FillPut);
  member.engine.SetFull(true);
  member.scheduler.RunFor(seconds(1));
  member.Stop();
  EXPECT_EQ(ErrcOf(pending->result->status), Errc::kStopped);
  member.engine.SetFull(false);
  ASSERT_TRUE(member.Boot().ok());
  EXPECT_EQ(member.Get("a"), "1");  // it was in the log
}

// ---- Limits

TEST(Limits, ARequestThatIsTooLargeIsRefused) {
  MemberOptions options = SimMember::DefaultOptions();
  options.request_bytes_max = 100;
  SimMember member(4, options);
  ASSERT_TRUE(member.Boot().ok());
  EXPECT_EQ(ErrcOf(member.Put("a", std::string(100, 'x')).status), Errc::kRequestTooLarge);
}

TEST(Limits, ABacklogOfApplyIsRefused) {
  MemberOptions options = SimMember::DefaultOptions();
  options.apply_backlog_max = 10;
  SimMember member(5, options);
  ASSERT_TRUE(member.Boot().ok());
  const auto stuck = member.Propose(FillPut);
  member.engine.SetFull(true);
  std::vector<std::shared_ptr<SimMember::Pending>> queued;
  for (int i = 0; i < 11; ++i) queued.push_back(member.Propose(FillPut));
  member.scheduler.RunFor(std::chrono::milliseconds(50));  // committed, not applied
  const auto refused = member.Propose(FillPut);
  ASSERT_TRUE(refused->result.has_value());
  EXPECT_TRUE(ErrcOf(refused->result->status) == Errc::kTooManyRequests ||
              ErrcOf(refused->result->status) == Errc::kNoSpace);
  member.engine.SetFull(false);
  ASSERT_TRUE(member.WaitFor([&] { return queued.back()->result.has_value(); }));
  EXPECT_TRUE(member.Put("b", "1").status.ok());
}

TEST(Limits, BeyondTheQuotaTheAlarmIsRaisedAndCanBeCleared) {
  MemberOptions options = SimMember::DefaultOptions();
  options.quota_bytes = 20'000;
  SimMember member(6, options);
  ASSERT_TRUE(member.Boot().ok());
  EXPECT_FALSE(member->AdmitByQuota(30'000));
  ASSERT_TRUE(member.WaitFor([&] { return member->HasAlarm(AlarmType::kNoSpace); }));
  ASSERT_EQ(member->Alarms().size(), 1U);
  EXPECT_EQ(member->Alarms()[0].member, member->member_id());
  EXPECT_EQ(ErrcOf(member.Put("a", "1").status), Errc::kNoSpace);
  const MemberId id = member->member_id();
  const apply::Result cleared = member.Run([&](InternalRaftRequest& request) {
    request.mutable_alarm()->set_action(etcdserverpb::AlarmRequest::DEACTIVATE);
    request.mutable_alarm()->set_memberid(id.value());
    request.mutable_alarm()->set_alarm(etcdserverpb::NOSPACE);
  });
  EXPECT_TRUE(cleared.status.ok());
  EXPECT_TRUE(member.Put("a", "1").status.ok());
}

// The check before the log may let through more than fits, and another member's says nothing about
// this one's backend.
TEST(Limits, AppliedBeyondTheQuotaTheAlarmIsRaisedAndOutlivesARestart) {
  MemberOptions options = SimMember::DefaultOptions();
  options.quota_bytes = 20'000;
  SimMember member(21, options);
  ASSERT_TRUE(member.Boot().ok());
  const std::string big(30'000, 'x');
  EXPECT_EQ(ErrcOf(member.Put("a", big).status), Errc::kNoSpace);
  EXPECT_EQ(member.Get("a"), big) << "every member carries it out";
  ASSERT_TRUE(member.WaitFor([&] { return member->HasAlarm(AlarmType::kNoSpace); }));
  EXPECT_EQ(ErrcOf(member.Put("b", "1").status), Errc::kNoSpace);
  EXPECT_EQ(member.Get("b"), "");
  ASSERT_TRUE(member.engine.Flush().ok());  // so that the log does not raise it once more
  member.Crash(21);
  ASSERT_TRUE(member.Boot().ok());
  EXPECT_TRUE(member->HasAlarm(AlarmType::kNoSpace));
  EXPECT_EQ(ErrcOf(member.Put("b", "1").status), Errc::kNoSpace);
}

TEST(Limits, TheQuotaIsMeasuredAgainstWhatTheBackendHoldsNow) {
  MemberOptions options = SimMember::DefaultOptions();
  options.quota_bytes = 40'000;
  SimMember member(22, options);
  ASSERT_TRUE(member.Boot().ok());
  EXPECT_TRUE(member->AdmitByQuota(25'000));
  ASSERT_TRUE(member.Put("a", std::string(20'000, 'x')).status.ok());
  EXPECT_FALSE(member->AdmitByQuota(25'000));
  member.scheduler.RunFor(seconds(1));
  EXPECT_FALSE(member->AdmitByQuota(25'000));
  member.Run([](InternalRaftRequest& request) { request.mutable_delete_range()->set_key("a"); });
  member.Run([](InternalRaftRequest& request) {
    request.mutable_compaction()->set_revision(3);
    request.mutable_compaction()->set_physical(true);
  });
  member.scheduler.RunFor(seconds(1));
  EXPECT_TRUE(member->AdmitByQuota(25'000));
}

// ---- Without a leader

MemberOptions OneOfThree() {
  MemberOptions options = SimMember::DefaultOptions();
  options.initial_cluster = {{"n1", {"http://127.0.0.1:2380"}},
                             {"n2", {"http://127.0.0.1:2390"}},
                             {"n3", {"http://127.0.0.1:2400"}}};
  return options;
}

TEST(NoLeader, ProposalsEndAtTheRequestTimeout) {
  SimMember member(7, OneOfThree());
  ASSERT_TRUE(member.Open().ok());
  const auto start = member.scheduler.clock().Now();
  const apply::Result result = member.Run(FillPut);
  EXPECT_EQ(ErrcOf(result.status), Errc::kContextDeadlineExceeded);
  const auto took = member.scheduler.clock().Now() - start;
  EXPECT_GE(took, seconds(7));
  EXPECT_LT(took, seconds(8));
}

TEST(NoLeader, ReadsEndAtTheRequestTimeout) {
  SimMember member(8, OneOfThree());
  ASSERT_TRUE(member.Open().ok());
  absl::Status read = absl::UnknownError("not called");
  member->ReadIndex([&](absl::Status status) { read = status; });
  member.scheduler.RunFor(seconds(8));
  EXPECT_EQ(ErrcOf(read), Errc::kTimeout);
}

TEST(NoLeader, AStopAnswersWhatWaits) {
  SimMember member(9, OneOfThree());
  ASSERT_TRUE(member.Open().ok());
  const auto pending = member.Propose(FillPut);
  member.scheduler.RunFor(seconds(1));
  member.Stop();
  EXPECT_EQ(ErrcOf(pending->result->status), Errc::kStopped);
}

TEST(Start, ServesProposalsThatCameBeforeTheElection) {
  SimMember member(10);
  ASSERT_TRUE(member.Open().ok());
  EXPECT_TRUE(member.Run(FillPut).status.ok());
}

// ---- Leases

std::int64_t Grant(SimMember& member, std::int64_t id, std::int64_t ttl) {
  const apply::Result result = member.Run([&](InternalRaftRequest& request) {
    request.mutable_lease_grant()->set_id(id);
    request.mutable_lease_grant()->set_ttl(ttl);
  });
  EXPECT_TRUE(result.status.ok()) << result.status;
  return id;
}

TEST(Lease, ExpiresThroughTheLogAndTakesItsKeys) {
  SimMember member(11);
  ASSERT_TRUE(member.Boot().ok());
  Grant(member, 5, 10);
  ASSERT_TRUE(member.Put("a", "1", 5).status.ok());
  const auto applied = member->status().applied;
  member.scheduler.RunFor(seconds(9));
  EXPECT_EQ(member.Get("a"), "1");
  ASSERT_TRUE(member.WaitFor([&] { return member.Get("a").empty(); }));
  EXPECT_EQ(member->status().applied, applied + 1);  // one LeaseRevoke entry
  member.Kill();
  ASSERT_TRUE(member.Boot().ok());
  EXPECT_TRUE(member->lessor().Leases().empty());
}

TEST(Lease, LivesOnAfterARestartWithItsFullTime) {
  SimMember member(12);
  ASSERT_TRUE(member.Boot().ok());
  Grant(member, 5, 10);
  ASSERT_TRUE(member.Put("a", "1", 5).status.ok());
  member.scheduler.RunFor(seconds(8));
  member.Kill();
  ASSERT_TRUE(member.Boot().ok());
  // And an election timeout, for what clients could not renew while nobody led.
  member.scheduler.RunFor(std::chrono::milliseconds(10'900));
  EXPECT_EQ(member.Get("a"), "1");
  ASSERT_TRUE(member.WaitFor([&] { return member.Get("a").empty(); }));
}

// etcd issue 14239: an id is 64 bits; the log, the backend and memory must agree on every one.
TEST(Lease, Bug14239ExtremeIdsMeanTheSameAfterARestart) {
  constexpr std::int64_t kIds[] = {-1, std::numeric_limits<std::int64_t>::min(),
                                   std::numeric_limits<std::int64_t>::max()};
  for (const bool replayed : {false, true}) {
    SimMember member(19);
    ASSERT_TRUE(member.Boot().ok());
    for (const std::int64_t id : kIds) {
      Grant(member, id, 1000);
      ASSERT_TRUE(member.Put("k" + std::to_string(id), "1", id).status.ok());
    }
    member.Kill();
    if (replayed) member.engine.CrashToLastFlush();
    ASSERT_TRUE(member.Boot().ok());
    EXPECT_EQ(member->lessor().Leases().size(), std::size(kIds));
    for (const std::int64_t id : kIds) {
      const std::string key = "k" + std::to_string(id);
      const auto info = member->lessor().TimeToLive(LeaseId(id), /*with_keys=*/true);
      ASSERT_TRUE(info.ok()) << info.status() << ", lease " << id;
      EXPECT_EQ(info->keys, std::vector<std::string>{key});
      const apply::Result revoked = member.Run(
          [&](InternalRaftRequest& request) { request.mutable_lease_revoke()->set_id(id); });
      EXPECT_TRUE(revoked.status.ok()) << revoked.status << ", lease " << id;
      EXPECT_EQ(member.Get(key), "");
    }
    member.Kill();
    ASSERT_TRUE(member.Boot().ok());
    EXPECT_TRUE(member->lessor().Leases().empty());
  }
}

// etcd issue 15247: a clock of another term must not revoke anything.
TEST(Lease, AStaleClockRevokesNothing) {
  SimMember member(17);
  ASSERT_TRUE(member.Boot().ok());
  Grant(member, 5, 100);
  auto* sink = dynamic_cast<lease::ExpireSink*>(&*member);
  ASSERT_NE(sink, nullptr);
  const Term term = member->status().term;
  absl::Status status;
  sink->ProposeRevoke(LeaseId(5), term - 1, [&](absl::Status s) { status = s; });
  ASSERT_TRUE(member.WaitFor([&] { return !status.ok(); }));
  EXPECT_EQ(ErrcOf(status), Errc::kNotLeader);
  EXPECT_TRUE(member->lessor().Lookup(LeaseId(5)).has_value());
  sink->ProposeRevoke(LeaseId(5), term, [&](absl::Status s) { status = s; });
  ASSERT_TRUE(member.WaitFor([&] { return !member->lessor().Lookup(LeaseId(5)).has_value(); }));
}

// ---- Snapshots

TEST(Snapshots, AreTakenAndOldSegmentsGo) {
  MemberOptions options = SimMember::DefaultOptions();
  options.snapshot_count = 50;
  options.catchup_entries = 10;
  options.wal_segment_bytes = 4096;
  options.max_wals = 2;
  options.max_snapshots = 2;
  SimMember member(13, options);
  ASSERT_TRUE(member.Boot().ok());
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(member.Put("a", std::to_string(i)).status.ok());
  member.scheduler.RunFor(seconds(1));
  EXPECT_EQ(member.disk.List(options.snap_dir)->size(), 2U);
  EXPECT_LE(member.disk.List(options.wal_dir)->size(), 6U);
  member.Kill();
  member.disk.CrashLosingAll();
  member.engine.CrashToLastFlush();
  ASSERT_TRUE(member.Boot().ok());
  EXPECT_EQ(member.Get("a"), "499");
  EXPECT_EQ(member->Members()[0].name, "n1");
}

TEST(Snapshots, AreAllKeptWhenTheLimitIsZero) {
  MemberOptions options = SimMember::DefaultOptions();
  options.snapshot_count = 5;
  options.catchup_entries = 2;
  options.wal_segment_bytes = 512;
  options.max_wals = 0;
  options.max_snapshots = 0;
  SimMember member(18, options);
  ASSERT_TRUE(member.Boot().ok());
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(member.Put("a", std::to_string(i)).status.ok());
  member.scheduler.RunFor(seconds(1));
  EXPECT_GE(member.disk.List(options.snap_dir)->size(), 6U);
  EXPECT_TRUE(member.disk.Exists(options.wal_dir + "/0000000000000000-0000000000000000.wal"));
}

// ---- Auto compaction

TEST(AutoCompaction, PeriodicCompactsToTheRevisionOfAPeriodAgo) {
  MemberOptions options = SimMember::DefaultOptions();
  options.auto_compaction = AutoCompaction::kPeriodic;
  options.compaction_period = seconds(10);
  SimMember member(14, options);
  ASSERT_TRUE(member.Boot().ok());
  ASSERT_TRUE(member.Put("a", "1").status.ok());
  member.scheduler.RunFor(seconds(9));
  EXPECT_EQ(member->store().compact_revision(), Revision(-1));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(member.Put("a", "2").status.ok());
  // At 10 s to the revision of the start, at 20 s to that of 10 s.
  ASSERT_TRUE(member.WaitFor([&] { return member->store().compact_revision() > Revision(0); }));
  EXPECT_LE(member->store().compact_revision(), Revision(2));
  member.scheduler.RunFor(seconds(12));
  EXPECT_EQ(member->store().compact_revision(), Revision(7));
}

TEST(AutoCompaction, RevisionKeepsThatMany) {
  MemberOptions options = SimMember::DefaultOptions();
  options.auto_compaction = AutoCompaction::kRevision;
  options.compaction_retention = 3;
  SimMember member(15, options);
  ASSERT_TRUE(member.Boot().ok());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(member.Put("a", "1").status.ok());
  member.scheduler.RunFor(std::chrono::minutes(4));
  EXPECT_EQ(member->store().compact_revision(), Revision(-1));
  member.scheduler.RunFor(std::chrono::minutes(2));
  EXPECT_EQ(member->store().compact_revision(), Revision(8));
}

TEST(AutoCompactor, DoesNothingOnAFollower) {
  MemberOptions options;
  options.auto_compaction = AutoCompaction::kPeriodic;
  options.compaction_period = seconds(10);
  const base::Clock::Monotonic start{std::chrono::hours(1)};
  AutoCompactor compactor(options, start);
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(compactor.Poll(start + seconds(i), Revision(i + 1), false).has_value());
  }
  // Samples went on: the first as leader is the revision of 10 s before.
  EXPECT_EQ(compactor.Poll(start + seconds(20), Revision(21), true), Revision(11));
}

TEST(PhysicalCompaction, IsAnsweredWhenTheRecordsAreGone) {
  SimMember member(16);
  ASSERT_TRUE(member.Boot().ok());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(member.Put("a", "1").status.ok());
  const apply::Result result = member.Run([](InternalRaftRequest& request) {
    request.mutable_compaction()->set_revision(10);
    request.mutable_compaction()->set_physical(true);
  });
  EXPECT_TRUE(result.status.ok());
  int records = 0;
  const auto it = member.engine.Scan(engine::Family::kKey, "", "");
  for (; it->Valid(); it->Next()) ++records;
  EXPECT_EQ(records, 2);
}

TEST(PhysicalCompaction, AStopAnswersWhoWaitsForIt) {
  SimMember member(20);
  ASSERT_TRUE(member.Boot().ok());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(member.Put("a", "1").status.ok());
  auto reader = member->store().Range({.range = {"a", ""}, .revision = Revision(5)});
  ASSERT_TRUE(reader.ok());
  const auto pending = member.Propose([](InternalRaftRequest& request) {
    request.mutable_compaction()->set_revision(10);
    request.mutable_compaction()->set_physical(true);
  });
  member.scheduler.RunFor(seconds(1));
  EXPECT_EQ(member->store().compact_revision(), Revision(10));
  EXPECT_FALSE(pending->result.has_value()) << "the reader's records are still there";
  bool stopped = false;
  member->Stop([&] { stopped = true; });
  ASSERT_TRUE(member.WaitFor([&] { return stopped; }));
  ASSERT_TRUE(pending->result.has_value());
  EXPECT_EQ(ErrcOf(pending->result->status), Errc::kStopped);
  reader = absl::UnknownError("gone");
}

// ---- Memory

// While the others follow no more, a leader's log grows with all that its clients write.
TEST(Limits, WhatNoMajorityHasYetIsBounded) {
  testing::SimCluster cluster(30, 3, [](MemberOptions& o) { o.queued_bytes_max = 2'500; });
  ASSERT_TRUE(cluster.Boot());
  SimMember& leader = cluster[cluster.AwaitLeader()];
  ASSERT_TRUE(cluster.AwaitConverged());
  cluster.network.filter = [](const raft::Message& m) {
    return m.type != raft::MessageType::kAppResp;
  };
  const auto fill = [](InternalRaftRequest& request) {
    FillPut(request);
    request.mutable_put()->set_value(std::string(8000, 'x'));
  };
  const auto first = leader.Propose(fill);
  cluster.scheduler.RunFor(std::chrono::milliseconds(20));
  EXPECT_EQ(ErrcOf(leader.Put("b", std::string(8000, 'x')).status), Errc::kTooManyRequests);
  EXPECT_FALSE(first->result.has_value());
  cluster.network.filter = nullptr;
  ASSERT_TRUE(cluster.WaitFor([&] { return first->result.has_value(); }));
  EXPECT_TRUE(first->result->status.ok()) << first->result->status;
  EXPECT_EQ(leader.Get("b"), "");
  EXPECT_TRUE(leader.Put("c", std::string(8000, 'x')).status.ok());
}

}  // namespace
}  // namespace etcd::node
