// What survives: a kill between any two steps, a power cut with un-synced bytes lost, an I/O error
// at any disk operation. The rule in all of them: what was acknowledged is there, nothing is there
// twice, and the member starts by itself.
#include <etcdserverpb/raft_internal.pb.h>

#include <gtest/gtest.h>

#include "tests/support/sim_member.h"

namespace etcd::node {
namespace {

using etcdserverpb::InternalRaftRequest;
using testing::DiskOp;
using testing::SimMember;

constexpr int kKeys = 40;

MemberOptions SmallOptions() {
  MemberOptions options = SimMember::DefaultOptions();
  options.snapshot_count = 4;  // several snapshots, WAL cuts and releases on the way
  options.catchup_entries = 2;
  options.wal_segment_bytes = 512;
  options.max_wals = 1;
  options.max_snapshots = 1;
  return options;
}

// Puts k0, k1, ... one after the other; each counts its own acknowledgement.
class Workload {
 public:
  explicit Workload(SimMember& member) : member_(member) {}

  void Start(int from) {
    if (from >= kKeys || !member_.is_running()) return;
    pending_.push_back(member_.Propose([&](InternalRaftRequest& request) {
      request.mutable_put()->set_key("k" + std::to_string(from));
      request.mutable_put()->set_value(std::to_string(from));
    }));
  }
  // Keeps one proposal in flight; true when all are acknowledged.
  bool Poll() {
    if (acknowledged_ == kKeys) return true;
    while (!pending_.empty() && pending_.back()->result.has_value()) {
      if (!pending_.back()->result->status.ok()) return true;
      if (++acknowledged_ == kKeys) return true;
      Start(acknowledged_);
      if (pending_.back()->result.has_value()) continue;
      return false;
    }
    return false;
  }
  int acknowledged() const { return acknowledged_; }

 private:
  SimMember& member_;
  std::vector<std::shared_ptr<SimMember::Pending>> pending_;
  int acknowledged_ = 0;
};

void ExpectIntact(SimMember& member, int acknowledged) {
  int present = 0;
  for (int i = 0; i < kKeys; ++i) {
    const std::string value = member.Get("k" + std::to_string(i));
    if (!value.empty()) {
      EXPECT_EQ(value, std::to_string(i));
      EXPECT_EQ(present, i) << "a hole before key " << i;
      ++present;
    }
  }
  EXPECT_GE(present, acknowledged) << "an acknowledged write is lost";
  EXPECT_LE(present, acknowledged + 1) << "one was in flight";
  // Each put made exactly one revision: none was applied twice.
  EXPECT_EQ(member->store().current_revision(), Revision(1 + present));
}

enum class Loss { kNothing, kUnsynced, kRandom };

// Runs until `steps` steps were made or the work is done. False when it was done before.
bool CrashAfter(std::uint64_t steps, std::uint64_t seed, Loss loss) {
  SimMember member(seed, SmallOptions());
  EXPECT_TRUE(member.Open().ok());
  Workload workload(member);
  bool started = false;
  bool finished = false;
  for (std::uint64_t i = 0; i < steps && !finished; ++i) {
    if (!started && member->status().leader) {
      workload.Start(0);
      started = true;
    }
    if (!member.scheduler.Step()) break;
    finished = started && workload.Poll();
  }
  member.Kill();
  if (loss == Loss::kUnsynced) {
    member.disk.CrashLosingAll();
    member.engine.CrashToLastFlush();
  } else if (loss == Loss::kRandom) {
    member.disk.Crash(seed * 7919 + steps);
    member.engine.Crash(seed * 104729 + steps);
  }
  const absl::Status booted = member.Boot();
  EXPECT_TRUE(booted.ok()) << booted << " after " << steps << " steps, seed " << seed;
  if (booted.ok()) ExpectIntact(member, workload.acknowledged());
  return !finished;
}

class CrashTest : public ::testing::TestWithParam<Loss> {};

TEST_P(CrashTest, AtEveryStepKeepsWhatWasAcknowledged) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    std::uint64_t steps = 1;
    while (CrashAfter(steps, seed, GetParam()) && !HasFailure()) ++steps;
    ASSERT_FALSE(HasFailure()) << "seed " << seed << ", " << steps << " steps";
    EXPECT_GT(steps, 40U);
  }
}

INSTANTIATE_TEST_SUITE_P(Losses, CrashTest,
                         ::testing::Values(Loss::kNothing, Loss::kUnsynced, Loss::kRandom));

// An I/O error at the n-th operation of the disk, for every n: the member asks for its end and
// acknowledges nothing more; after the power cut everything acknowledged is there.
TEST(DiskFault, AtEveryOperationLosesNothing) {
  for (int fail_at = 0; fail_at < 400; ++fail_at) {
    SimMember member(9, SmallOptions());
    ASSERT_TRUE(member.Boot().ok());
    int operations = 0;
    bool failed = false;
    member.disk.SetFaultHook([&](DiskOp op, const std::string&) {
      if (op != DiskOp::kWrite && op != DiskOp::kSync) return absl::OkStatus();
      failed = failed || operations++ == fail_at;
      return failed ? absl::InternalError("input/output error") : absl::OkStatus();
    });
    Workload workload(member);
    workload.Start(0);
    member.WaitFor([&] { return member.fatal().has_value() || workload.Poll(); });
    const int acknowledged = workload.acknowledged();
    const bool was_fatal = member.fatal().has_value();
    member.scheduler.RunFor(std::chrono::seconds(1));
    workload.Poll();
    if (was_fatal) {
      EXPECT_EQ(workload.acknowledged(), acknowledged) << "acknowledged after a failed write";
    }
    member.Kill();
    member.disk.SetFaultHook(nullptr);
    member.disk.Crash(static_cast<std::uint64_t>(fail_at));
    member.engine.CrashToLastFlush();
    const absl::Status booted = member.Boot();
    ASSERT_TRUE(booted.ok()) << booted << " failed operation " << fail_at;
    ExpectIntact(member, workload.acknowledged());
    ASSERT_FALSE(::testing::Test::HasFailure()) << "failed operation " << fail_at;
    if (!failed) {
      EXPECT_GT(fail_at, 20);
      return;
    }
  }
  FAIL() << "the work needs more than 400 operations";
}

TEST(DiskFault, AFailedFsyncEndsTheMemberAtOnce) {
  SimMember member(10);
  ASSERT_TRUE(member.Boot().ok());
  member.disk.SetFaultHook([&](DiskOp op, const std::string&) {
    return op == DiskOp::kSync ? absl::InternalError("input/output error") : absl::OkStatus();
  });
  const auto pending = member.Propose([](InternalRaftRequest& request) {
    request.mutable_put()->set_key("a");
    request.mutable_put()->set_value("1");
  });
  const auto start = member.scheduler.clock().Now();
  ASSERT_TRUE(member.WaitFor([&] { return member.fatal().has_value(); }));
  EXPECT_LT(member.scheduler.clock().Now() - start, std::chrono::seconds(1));
  EXPECT_FALSE(pending->result.has_value());
  EXPECT_EQ(member.Get("a"), "") << "visible without being durable";
  // Nothing is accepted or confirmed any more.
  EXPECT_EQ(ErrcOf(member.Put("b", "1").status), Errc::kStopped);
  absl::Status read;
  member->ReadIndex([&](absl::Status status) { read = status; });
  EXPECT_EQ(ErrcOf(read), Errc::kStopped);
}

// etcd issue 14370: with one member, commit and apply must not run ahead of the own fsync.
TEST(Durability, NothingIsVisibleBeforeItsFsync) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimMember member(seed);
    ASSERT_TRUE(member.Boot().ok());
    bool synced = false;
    bool visible_too_early = false;
    std::shared_ptr<SimMember::Pending> pending;
    member.disk.SetSyncHook([&](const std::string&) {
      visible_too_early =
          visible_too_early || (pending && pending->result.has_value()) || !member.Get("a").empty();
      synced = true;
    });
    pending = member.Propose([](InternalRaftRequest& request) {
      request.mutable_put()->set_key("a");
      request.mutable_put()->set_value("1");
    });
    ASSERT_TRUE(member.WaitFor([&] { return pending->result.has_value(); }));
    EXPECT_TRUE(synced);
    EXPECT_FALSE(visible_too_early);
    member.disk.SetSyncHook(nullptr);
  }
}

std::vector<InternalRaftRequest> OneOfEachKind() {
  std::vector<InternalRaftRequest> requests(14);
  requests[0].mutable_put()->set_key("a");
  requests[1].mutable_range()->set_key("a");
  requests[2].mutable_delete_range()->set_key("none");
  requests[3].mutable_txn();
  requests[4].mutable_compaction()->set_revision(0);
  requests[5].mutable_lease_grant()->set_id(4);
  requests[6].mutable_lease_revoke()->set_id(99);
  requests[7].mutable_alarm();
  requests[8].mutable_lease_checkpoint();
  requests[9].mutable_auth_status();
  requests[10].mutable_auth_user_list();
  requests[11].mutable_downgrade_info_set();
  requests[12].mutable_cluster_member_attr_set()->set_member_id(1);
  requests[13].mutable_cluster_version_set()->set_ver("3.6.0");
  return requests;
}

// etcd issues 14382 and 14429: an operation that did not advance the index let the log be cut off
// behind it. After any request, often enough for snapshots of the log to pass, the member starts.
TEST(Restart, Bug14382WorksAfterEveryKindOfRequest) {
  for (const InternalRaftRequest& request : OneOfEachKind()) {
    for (const bool power_cut : {false, true}) {
      SimMember member(11, SmallOptions());
      ASSERT_TRUE(member.Boot().ok());
      for (int i = 0; i < 12; ++i) {
        member.Run([&](InternalRaftRequest& out) {
          const auto header = out.header();
          out = request;
          *out.mutable_header() = header;
        });
        member.scheduler.RunFor(std::chrono::milliseconds(10));
      }
      ASSERT_FALSE(member.disk.List(member.options.snap_dir)->empty());
      const auto applied = member->status().applied;
      member.Kill();
      if (power_cut) {
        member.disk.CrashLosingAll();
        member.engine.CrashToLastFlush();
      }
      ASSERT_TRUE(member.Boot().ok()) << request.ShortDebugString();
      EXPECT_GT(member->status().applied, applied);
      EXPECT_TRUE(member.Put("z", "1").status.ok());
    }
  }
}

// The commit index that makes a snapshot's record believable is on disk before older files go.
TEST(Restart, WorksWhileIdleAfterAnySnapshot) {
  for (int puts = 1; puts <= 12; ++puts) {
    SimMember member(13, SmallOptions());
    ASSERT_TRUE(member.Boot().ok());
    for (int i = 0; i < puts; ++i) {
      ASSERT_TRUE(member.Put("k", std::to_string(i)).status.ok());
      member.scheduler.RunFor(std::chrono::milliseconds(10));
    }
    member.Kill();
    member.disk.CrashLosingAll();
    member.engine.CrashToLastFlush();
    const absl::Status booted = member.Boot();
    ASSERT_TRUE(booted.ok()) << booted << " after " << puts << " puts";
    EXPECT_EQ(member.Get("k"), std::to_string(puts - 1));
  }
}

TEST(Restart, OfAnEmptyLogFinishesTheBootstrap) {
  SimMember member(12);
  ASSERT_TRUE(member.Open().ok());
  const MemberId id = member->member_id();
  member.Kill();
  // The log's first write is lost, its directory is not.
  member.disk.CrashLosingAll();
  ASSERT_TRUE(member.Boot().ok());
  EXPECT_EQ(member->member_id(), id);
  EXPECT_EQ(member->Members().size(), 1U);
}

}  // namespace
}  // namespace etcd::node
