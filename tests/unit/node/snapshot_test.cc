// Members that are so far behind that they need a snapshot: sent, received, installed, and a crash
// at every step of it.
#include <algorithm>
#include <etcdserverpb/raft_internal.pb.h>

#include <gtest/gtest.h>

#include "server/base/check.h"
#include "server/base/status.h"
#include "server/image/export.h"
#include "server/storage/engine/buckets.h"
#include "tests/support/sim_cluster.h"
#include "tests/unit/node/lagging.h"

namespace etcd::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::DiskOp;
using testing::SimCluster;

TEST(Snapshot, BringsAMemberUpToDateThatTheLogDoesNotReach) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Lagging away(seed);
    away.Return();
    away.ExpectCaughtUp();
    EXPECT_GE(away.cluster.network.snapshots_delivered(), 1U);
    // It takes part again: forwards, applies, and comes back from its own disk.
    ASSERT_TRUE(away.cluster[away.lagging].Put("after", "1").status.ok());
    away.cluster.Crash(away.lagging, seed);
    away.Return();
    away.ExpectCaughtUp();
    EXPECT_EQ(away.cluster[away.lagging].Get("after"), "1");
  }
}

TEST(Snapshot, ThatBreaksOffIsSentAgain) {
  Lagging away(1);
  away.cluster.network.snapshot_fails_after = 4096;
  away.Return();
  away.cluster.scheduler.RunFor(seconds(3));
  EXPECT_EQ(away.cluster.network.snapshots_delivered(), 0U);
  away.cluster.network.snapshot_fails_after.reset();
  away.ExpectCaughtUp();
}

// Everybody could read and write there what the others protect.
TEST(Snapshot, WithAuthenticationIsInstalledOnlyWhereItWasImported) {
  Lagging away(4);
  const auto enable = [&](std::size_t i) {
    engine::WriteBatch batch;
    batch.Put(engine::Family::kMeta, engine::MetaKey(engine::kBucketAuth, "authEnabled"), "\x01");
    ASSERT_TRUE(away.cluster[i].engine.Write(batch).ok());
  };
  for (std::size_t i = 0; i < 3; ++i) {
    if (i != away.lagging) enable(i);
  }
  away.Return();
  ASSERT_TRUE(away.cluster.WaitFor([&] { return away.cluster[away.lagging].fatal().has_value(); }));
  EXPECT_NE(away.cluster[away.lagging].fatal()->find("authentication"), std::string::npos);
  EXPECT_EQ(away.cluster.network.snapshots_delivered(), 0U);
  EXPECT_NE(away.cluster[away.lagging].Get(Key(50)), "new");
  away.cluster.Kill(away.lagging);
  enable(away.lagging);
  away.Return();
  away.ExpectCaughtUp();
  EXPECT_GE(away.cluster.network.snapshots_delivered(), 1U);
}

// Nothing of the log that the receiver needs next goes away while it is being served.
TEST(Snapshot, UnderWayHoldsTheLogBack) {
  Lagging away(2);
  away.cluster.network.faults.delay_min = milliseconds(20);
  away.cluster.network.faults.delay_max = milliseconds(40);
  away.Return();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(away.cluster[away.other].Put(Key(i % 60), "new").status.ok());
  }
  away.ExpectCaughtUp();
  EXPECT_EQ(away.cluster.network.snapshots_delivered(), 1U);
}

// The process dies, with the power or without, at the n-th operation of its disk after it came
// back, for every n until it has caught up.
// How the process ends; after the last one a start finds a disk that syncs nothing, and then the
// power is cut.
enum class Death { kKill, kPowerCut, kKillThenPowerCut };

class SnapshotCrash : public ::testing::TestWithParam<Death> {};

TEST_P(SnapshotCrash, AtEveryStepOfAnInstallationIsRepairedByAStart) {
  const Death death = GetParam();
  for (int crash_at = 0; crash_at < 1000; ++crash_at) {
    Lagging away(3);
    testing::SimDisk& disk = away.cluster[away.lagging].disk;
    int operations = 0;
    bool crashed = false;
    away.Return();
    disk.SetFaultHook([&](DiskOp, const std::string&) {
      crashed = crashed || operations++ == crash_at;
      return crashed ? absl::InternalError("the process is dead") : absl::OkStatus();
    });
    const auto caught_up = [&] {
      return away.cluster[away.lagging].Get(Key(59)) == "new" &&
             away.cluster[away.lagging]->status().applied ==
                 away.cluster[away.other]->status().applied;
    };
    away.cluster.WaitFor([&] { return crashed || caught_up(); });
    const bool done = !crashed;
    if (death == Death::kPowerCut) {
      away.cluster.Crash(away.lagging, static_cast<std::uint64_t>(crash_at));
    } else {
      away.cluster.Kill(away.lagging);
    }
    if (death == Death::kKillThenPowerCut) {
      disk.SetFaultHook([&](DiskOp op, const std::string&) {
        return op == DiskOp::kSync ? absl::InternalError("the disk is gone") : absl::OkStatus();
      });
      EXPECT_FALSE(away.cluster.Open(away.lagging).ok());
      // All that was never synced is gone: what that start put into the engine must not rest on it.
      away.cluster.Kill(away.lagging);
      disk.CrashLosingAll();
      away.cluster[away.lagging].engine.CrashToLastFlush();
    }
    const absl::Status opened = away.cluster.Open(away.lagging);
    ASSERT_TRUE(opened.ok()) << opened << " after operation " << crash_at;
    away.ExpectCaughtUp();
    ASSERT_FALSE(::testing::Test::HasFailure()) << "after operation " << crash_at;
    if (!done) continue;
    EXPECT_GT(crash_at, 10);
    return;
  }
  FAIL() << "the installation never ends";
}

INSTANTIATE_TEST_SUITE_P(Deaths, SnapshotCrash,
                         ::testing::Values(Death::kKill, Death::kPowerCut,
                                           Death::kKillThenPowerCut));

// etcd issue 18055: two snapshots shortly one after the other.
TEST(Snapshot, Bug18055AnotherOneFollowsAtOnce) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Lagging away(seed);
    away.Return();
    ASSERT_TRUE(
        away.cluster.WaitFor([&] { return away.cluster.network.snapshots_delivered() > 0; }));
    away.cluster.network.Partition({away.lagging});
    for (int i = 0; i < 60; ++i) {
      ASSERT_TRUE(away.cluster[away.other].Put(Key(i), "new").status.ok());
    }
    // Long enough for the leader to let go of the log.
    away.cluster.scheduler.RunFor(seconds(31));
    for (int i = 0; i < 60; ++i) {
      ASSERT_TRUE(away.cluster[away.other].Put(Key(i), "new").status.ok());
    }
    away.cluster.network.Heal();
    away.ExpectCaughtUp();
    away.cluster.Crash(away.lagging, seed);
    away.Return();
    away.ExpectCaughtUp();
    EXPECT_GE(away.cluster.network.snapshots_delivered(), 2U);
  }
}

// What a leader sends of its state as it is now, by hand: when it arrives is up to the test.
struct Sent {
  Sent(testing::SimMember& from, MemberId to) {
    const Status status = from->status();
    message.type = raft::MessageType::kSnap;
    message.from = from->member_id();
    message.to = to;
    message.term = status.term;
    for (const MemberInfo& member : from->Members()) {
      message.snapshot.metadata.conf_state.voters.push_back(member.id);
    }
    message.snapshot.metadata.index = status.applied;
    message.snapshot.metadata.term = status.term;
    message.snapshot.data = "{}";
    auto exported = image::ExportImage(from.engine.PinView());
    CHECK_OK(exported.status());
    database = *std::move(exported);
  }

  // All of it, down to the disk of `member`, before anything else happens there.
  void ArriveAt(testing::SimMember& member) {
    const auto sink = member->ReceiveSnapshot(message);
    ASSERT_TRUE(sink.ok()) << sink.status();
    std::string buffer(4096, '\0');
    while (true) {
      const absl::StatusOr<std::size_t> size = database->Read(buffer);
      ASSERT_TRUE(size.ok()) << size.status();
      if (*size == 0) break;
      ASSERT_TRUE((*sink)->Write({buffer.data(), *size}).ok());
    }
    ASSERT_TRUE((*sink)->Finish().ok());
  }

  Index index() const { return message.snapshot.metadata.index; }

  raft::Message message;
  std::unique_ptr<ports::SnapshotSource> database;
};

// etcd issue 18055 in its own form: the database of the next one is on the disk already when what
// is left of the first one is tidied up.
TEST(Snapshot, Bug18055TheNextOneArrivesBeforeTheFirstIsTidiedUp) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Lagging away(seed);
    testing::SimMember& leader = away.cluster[away.cluster.AwaitLeader()];
    away.cluster.network.Partition({away.lagging});
    away.Return();
    testing::SimMember& member = away.cluster[away.lagging];
    const auto ends = [&](Index index) {
      return away.cluster.WaitFor(
          [&] { return member.fatal().has_value() || member->status().applied == index; });
    };
    Sent first(leader, member->member_id());
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(leader.Put(Key(i), "new").status.ok());
    Sent second(leader, member->member_id());
    ASSERT_LT(first.index(), second.index());
    first.ArriveAt(member);
    ASSERT_TRUE(ends(first.index()));
    second.ArriveAt(member);
    EXPECT_TRUE(ends(second.index()));
    ASSERT_EQ(member.fatal().value_or(""), "") << seed;
    away.cluster.network.Heal();
    away.ExpectCaughtUp();
  }
}

// etcd issue 13933: the index that came with the snapshot is the one that counts afterwards.
TEST(Snapshot, Bug13933ItsIndexSurvivesACrashRightAfterIt) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Lagging away(seed);
    away.Return();
    const auto before = away.cluster[away.lagging]->status().applied;
    ASSERT_TRUE(away.cluster.WaitFor([&] {
      return away.cluster[away.lagging]->status().applied > before + 20;  // in one step
    }));
    away.cluster.Crash(away.lagging, seed);
    away.Return();
    EXPECT_GT(away.cluster[away.lagging]->status().applied, before + 20);
    away.ExpectCaughtUp();
  }
}

// Whether a transaction may read an old revision is decided when it is applied, so a member that
// got a compaction by a snapshot must know of it there too.
TEST(Snapshot, BringsTheCompactRevisionAndTheCurrentOne) {
  Lagging away(4);
  const auto run = [&](const std::function<void(etcdserverpb::InternalRaftRequest&)>& fill) {
    return away.cluster[away.other].Run(fill).status;
  };
  ASSERT_TRUE(run([](auto& request) { request.mutable_compaction()->set_revision(30); }).ok());
  away.Return();
  ASSERT_TRUE(away.cluster.AwaitConverged());
  ASSERT_GE(away.cluster.network.snapshots_delivered(), 1U);
  const std::string key = engine::MetaKey(engine::kBucketMeta, engine::kMetaCurrentRevision);
  EXPECT_EQ(away.cluster[away.lagging].engine.Get(engine::Family::kMeta, key)->value_or(""),
            away.cluster[away.other].engine.Get(engine::Family::kMeta, key)->value_or(""));

  const absl::Status refused = run([](auto& request) {
    auto& txn = *request.mutable_txn();
    txn.add_success()->mutable_request_put()->set_key("new");
    auto& range = *txn.add_success()->mutable_request_range();
    range.set_key(Key(0));
    range.set_revision(20);
  });
  EXPECT_EQ(ErrcOf(refused), Errc::kCompacted) << refused;
  ASSERT_TRUE(away.cluster.AwaitConverged());
  EXPECT_TRUE(away.cluster.CommonHash().has_value());
}

// Leases are part of what is installed, with the keys that hang on them.
TEST(Snapshot, BringsLeasesAndTheirKeys) {
  SimCluster cluster(5, 3, SmallLogs);
  ASSERT_TRUE(cluster.Boot());
  const std::size_t leader = cluster.AwaitLeader();
  const std::size_t lagging = (leader + 1) % 3;
  cluster.Kill(lagging);
  ASSERT_TRUE(cluster[leader]
                  .Run([](etcdserverpb::InternalRaftRequest& request) {
                    request.mutable_lease_grant()->set_id(7);
                    request.mutable_lease_grant()->set_ttl(1000);
                  })
                  .status.ok());
  ASSERT_TRUE(cluster[leader].Put("leased", "1", 7).status.ok());
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(cluster[leader].Put(Key(i), "new").status.ok());
  ASSERT_TRUE(cluster.Open(lagging).ok());
  ASSERT_TRUE(cluster.AwaitConverged());
  EXPECT_EQ(cluster.network.snapshots_delivered(), 1U);
  EXPECT_EQ(cluster[lagging]->lessor().KeysOf(LeaseId(7)), std::vector<std::string>{"leased"});
  ASSERT_TRUE(cluster[lagging]
                  .Run([](etcdserverpb::InternalRaftRequest& request) {
                    request.mutable_lease_revoke()->set_id(7);
                  })
                  .status.ok());
  ASSERT_TRUE(cluster.AwaitConverged());
  EXPECT_EQ(cluster[lagging].Get("leased"), "");
  EXPECT_TRUE(cluster.CommonHash().has_value());
}

std::size_t SnapFiles(testing::SimDisk& disk) {
  const auto names = disk.List("/data/member/snap");
  CHECK_OK(names.status());
  return static_cast<std::size_t>(std::count_if(
      names->begin(), names->end(), [](const auto& name) { return name.ends_with(".snap"); }));
}

// The older version that is started next must not find in the log what it does not know.
TEST(Snapshot, IsTakenAtOnceWhenTheClusterVersionGoesDown) {
  SimCluster cluster(6, 3);
  ASSERT_TRUE(cluster.Boot());
  ASSERT_EQ(cluster[0]->ClusterVersion(), "3.6.0");
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(SnapFiles(cluster[i].disk), 0U);
  ASSERT_TRUE(cluster[0]
                  .Run([](etcdserverpb::InternalRaftRequest& request) {
                    request.mutable_downgrade_info_set()->set_enabled(true);
                    request.mutable_downgrade_info_set()->set_ver("3.5.0");
                  })
                  .status.ok());
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(cluster.WaitFor([&] { return cluster[i]->ClusterVersion() == "3.5.0"; }));
    EXPECT_TRUE(cluster.WaitFor([&] { return SnapFiles(cluster[i].disk) == 1; })) << i;
  }
  cluster.scheduler.RunFor(seconds(10));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(SnapFiles(cluster[i].disk), 1U);
}

// etcd issues 19557, 20995, as members of 3.4 and 3.5 do it: a member that their backend still has,
// or still calls a learner, is what the v2 store says.
TEST(Snapshot, Bug19557OfAnOldClusterBringsTheMembersOfItsV2Store) {
  for (const bool is_old : {true, false}) {
    Lagging away(7, is_old ? "3.5.99" : "3.6.16");
    testing::SimMember& sender = away.cluster[away.cluster.AwaitLeader()];
    engine::WriteBatch batch;
    batch.Put(engine::Family::kMeta, engine::MetaKey(engine::kBucketMembers, "77"),
              R"({"id":119,"peerURLs":["http://zombie:1"],"name":"z"})");
    ASSERT_TRUE(sender.engine.Write(batch).ok());
    away.Return();
    ASSERT_TRUE(away.cluster.AwaitConverged());
    ASSERT_GE(away.cluster.network.snapshots_delivered(), 1U);
    EXPECT_EQ(away.cluster[away.lagging]->Members().size(), is_old ? 3U : 4U);
    for (const MemberInfo& member : away.cluster[away.lagging]->Members()) {
      EXPECT_FALSE(member.name.empty());
    }
  }
}

std::size_t Records(testing::SimMember& member) {
  std::size_t count = 0;
  const auto it = member.engine.Scan(engine::Family::kKey, "", "");
  for (; it->Valid(); it->Next()) ++count;
  return count;
}

apply::Result Compact(testing::SimMember& member, std::int64_t revision) {
  return member.Run([&](etcdserverpb::InternalRaftRequest& request) {
    request.mutable_compaction()->set_revision(revision);
  });
}

// etcd issues 20271, 20553, 20650: what is done to the data while a snapshot takes its place. Here
// a defragmentation does nothing; a compaction goes on where a start finds it.
TEST(Snapshot, Bug20271ACompactionUnderWayTouchesNothingOfWhatIsInstalled) {
  constexpr std::int64_t kFirst = 61;  // compacted by the member itself, a record at a time
  constexpr std::int64_t kSecond = 100;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SimCluster cluster(seed, 3, [](MemberOptions& options) {
      SmallLogs(options);
      options.store.compaction_batch_limit = 1;
    });
    ASSERT_TRUE(cluster.Boot());
    const std::size_t lagging = (cluster.AwaitLeader() + 1) % 3;
    const std::size_t other = (lagging + 1) % 3;
    for (int i = 0; i < 80; ++i) ASSERT_TRUE(cluster[other].Put(Key(i % 4), "old").status.ok());
    ASSERT_TRUE(Compact(cluster[other], kFirst).status.ok());
    ASSERT_TRUE(cluster.WaitFor(
        [&] { return cluster[lagging]->store().compact_revision() == Revision(kFirst); }));
    cluster.Kill(lagging);
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(cluster[other].Put(Key(i), "new").status.ok());
    ASSERT_TRUE(Compact(cluster[other], kSecond).status.ok());
    ASSERT_TRUE(cluster.Open(lagging).ok());
    const std::size_t before = Records(cluster[lagging]);
    ASSERT_TRUE(cluster.WaitFor([&] { return cluster.network.snapshots_delivered() > 0; }));
    // The compaction goes on, and is not at its end.
    EXPECT_LT(Records(cluster[lagging]), before) << seed;
    EXPECT_GT(Records(cluster[lagging]), 80U - kFirst + 10) << seed;
    ASSERT_TRUE(cluster.AwaitConverged());
    cluster.scheduler.RunFor(seconds(5));  // all that is left of any compaction
    EXPECT_TRUE(cluster.CommonHash().has_value()) << seed;
    for (int i = 0; i < 40; ++i) EXPECT_EQ(cluster[lagging].Get(Key(i)), "new") << i;
    EXPECT_EQ(cluster[lagging]->store().compact_revision(), Revision(kSecond));
    EXPECT_EQ(Records(cluster[lagging]), Records(cluster[other])) << seed;
  }
}

}  // namespace
}  // namespace etcd::node
