#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/log.h"
#include "server/base/random.h"
#include "tests/unit/wal/wal_test_util.h"

// Power cuts and failing disks: what a Save acknowledged is there, whatever else is lost.
namespace etcd::wal {
namespace {

using testing::DiskOp;
using testing::SimDisk;

absl::Status IoError() {
  return base::MakeStatus(absl::StatusCode::kInternal, "input/output error");
}

class QuietLog : public ::testing::Test {
 protected:
  void SetUp() override { base::SetLogLevel(base::LogLevel::kFatal); }
  void TearDown() override { base::SetLogLevel(base::LogLevel::kInfo); }
};
using WalCrash = QuietLog;
using WalFault = QuietLog;
using WalFullDisk = QuietLog;

// What a member may count on after a crash.
struct Model {
  std::vector<raft::Entry> attempted;  // all that a Save was given, as the log would be now
  std::size_t acknowledged = 0;        // so many of them must be there
  raft::HardState state;               // term and vote of an acknowledged Save
  Index snapshot_index;                // last acknowledged SaveSnapshot
};

class Driver {
 public:
  explicit Driver(std::uint64_t seed) : random_(seed) {
    options_.segment_bytes = 1024 + random_.Below(4096);
    EXPECT_TRUE(disk_.CreateDirs("member").ok());
  }

  // Creates or opens, checks what is there against the model, and adopts it.
  void Start() {
    if (!Exists(disk_, kWalDir)) {
      ASSERT_EQ(model_.acknowledged, 0U) << "the whole log vanished";
      ASSERT_FALSE(is_created_) << "the whole log vanished";
      auto wal = Wal::Create(disk_, kWalDir, TestMetadata(), options_);
      if (!wal.ok()) return;  // the fault hook struck
      wal_ = std::move(wal).value();
      is_created_ = true;
      model_ = Model();
      return;
    }
    Replay replay;
    auto wal = Wal::Open(disk_, kWalDir, Index(0), Term(0), options_, replay);
    ASSERT_TRUE(wal.ok()) << wal.status();
    wal_ = std::move(wal).value();
    is_created_ = true;
    Check(replay);
    model_.attempted = replay.entries;
    model_.acknowledged = replay.entries.size();
    model_.state = replay.hard_state;
  }

  void Check(const Replay& replay) {
    ASSERT_GE(replay.entries.size(), model_.acknowledged);
    ASSERT_LE(replay.entries.size(), model_.attempted.size() + 0U);
    for (std::size_t i = 0; i < model_.acknowledged; ++i) {
      ASSERT_EQ(replay.entries[i], model_.attempted[i]) << "index " << i + 1;
    }
    ASSERT_GE(replay.hard_state.term, model_.state.term);
    ASSERT_EQ(replay.metadata, TestMetadata());
    const auto snapshots = ValidSnapshots(disk_, kWalDir);
    ASSERT_TRUE(snapshots.ok()) << snapshots.status();
  }

  // One Save of random shape. False when the disk failed.
  bool Step() {
    const std::uint64_t term = model_.state.term.value() + (random_.Below(10) == 0 ? 1 : 0);
    raft::HardState state = MakeState(term == 0 ? 1 : term, 0);
    std::vector<raft::Entry> batch;
    std::size_t keep = model_.attempted.size();
    if (random_.Below(8) == 0) keep -= random_.Below(std::min<std::size_t>(keep, 4) + 1);
    const std::uint64_t count = random_.Below(6);
    for (std::uint64_t i = 0; i < count; ++i) {
      batch.push_back(MakeEntry(state.term.value(), keep + 1 + i, random_.Below(700)));
    }
    if (!batch.empty()) {
      // Until it is acknowledged, an overwrite may or may not have happened.
      overwritten_ = {model_.attempted.begin() + static_cast<std::ptrdiff_t>(keep),
                      model_.attempted.end()};
      model_.acknowledged = std::min(model_.acknowledged, keep);
      model_.attempted.resize(keep);
      model_.attempted.insert(model_.attempted.end(), batch.begin(), batch.end());
    }
    state.commit = Index(model_.acknowledged);
    if (!wal_->Save(state, batch).ok()) return false;
    if (!batch.empty()) model_.acknowledged = model_.attempted.size();
    overwritten_.clear();
    model_.state = state;
    return true;
  }

  void PadAttempted() {
    // An unfinished overwrite may leave the longer old suffix.
    while (model_.attempted.size() < model_.acknowledged + overwritten_.size() + 8) {
      model_.attempted.push_back({});
    }
  }

  SimDisk disk_;
  base::SeededRandom random_;
  Options options_;
  Model model_;
  std::vector<raft::Entry> overwritten_;
  std::unique_ptr<Wal> wal_;
  bool is_created_ = false;
};

// Random work, a failure at a random operation, a power cut, and on: many times per seed.
TEST_F(WalCrash, NothingAcknowledgedIsLost) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Driver driver(seed);
    for (int life = 0; life < 8; ++life) {
      const std::uint64_t stop =
          driver.disk_.operations() + 1 + driver.random_.Below(life == 0 ? 20 : 120);
      bool armed = life % 2 == 0;
      driver.Start();
      if (HasFatalFailure()) return;
      if (armed) {
        driver.disk_.SetFaultHook([&driver, stop](DiskOp, const std::string&) {
          return driver.disk_.operations() >= stop ? IoError() : absl::OkStatus();
        });
      }
      const std::uint64_t steps = driver.random_.Below(40);
      for (std::uint64_t i = 0; driver.wal_ != nullptr && i < steps; ++i) {
        if (!driver.Step()) break;
      }
      driver.disk_.SetFaultHook(nullptr);
      driver.PadAttempted();
      // Only the process dies now and then: what it left unsynced is lost by a later power cut.
      if (driver.random_.Below(3) == 0) {
        driver.disk_.KillProcess();
      } else {
        driver.disk_.Crash(driver.random_.Next());
      }
      driver.wal_.reset();
    }
  }
}

// The power goes at each operation of a create in turn.
TEST_F(WalCrash, CreateIsAllOrNothing) {
  for (std::uint64_t stop = 1; stop < 20; ++stop) {
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      SimDisk disk;
      ASSERT_TRUE(disk.CreateDirs("member").ok());
      disk.SetFaultHook([&](DiskOp, const std::string&) {
        return disk.operations() >= stop ? IoError() : absl::OkStatus();
      });
      const bool created = Wal::Create(disk, kWalDir, TestMetadata(), {4096}).ok();
      disk.SetFaultHook(nullptr);
      disk.Crash(seed);
      ASSERT_TRUE(!created || Exists(disk, kWalDir));
      if (Exists(disk, kWalDir)) {
        const auto replay = Reopen(disk, {4096});
        ASSERT_TRUE(replay.ok()) << replay.status();
        EXPECT_EQ(replay->metadata, TestMetadata());
      } else {
        EXPECT_TRUE(Wal::Create(disk, kWalDir, TestMetadata(), {4096}).ok());
      }
    }
  }
}

// The process dies between the rename of a new segment and the fsync of the directory; the next one
// finds the segment under its name and goes on in it. That name must be durable before it does.
TEST_F(WalCrash, NamesFoundAtOpeningAreMadeDurable) {
  SimDisk disk;
  ASSERT_TRUE(disk.CreateDirs("member").ok());
  auto wal = *Wal::Create(disk, kWalDir, TestMetadata(), {1024});
  disk.SetFaultHook([&](DiskOp op, const std::string&) {
    return op == DiskOp::kSyncDir ? IoError() : absl::OkStatus();
  });
  std::uint64_t next = 1;
  while (wal->Save(MakeState(1, 0), MakeEntries(next, next)).ok()) ++next;
  disk.SetFaultHook(nullptr);
  disk.KillProcess();
  wal.reset();
  Replay replay;
  wal = *Wal::Open(disk, kWalDir, Index(0), Term(0), {1024}, replay);
  next = replay.entries.size() + 1;
  ASSERT_TRUE(wal->Save(MakeState(1, 0), MakeEntries(next, next)).ok());
  disk.CrashLosingAll();
  wal.reset();
  const auto after = Reopen(disk, {1024});
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->entries, MakeEntries(1, next));
}

TEST_F(WalCrash, PurgeLeavesNoHole) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SimDisk disk;
    ASSERT_TRUE(disk.CreateDirs("member").ok());
    auto wal = *Wal::Create(disk, kWalDir, TestMetadata(), {1024});
    for (std::uint64_t i = 1; i <= 100; ++i) {
      ASSERT_TRUE(wal->Save(MakeState(1, i), MakeEntries(i, i)).ok());
    }
    ASSERT_TRUE(wal->SaveSnapshot(Index(90), Term(1), {}).ok());
    wal->ReleaseBefore(Index(90));
    const std::uint64_t stop = disk.operations() + 1 + seed % 20;
    disk.SetFaultHook([&](DiskOp, const std::string&) {
      return disk.operations() >= stop ? IoError() : absl::OkStatus();
    });
    base::IgnoreError(wal->Purge(2).status(), "the power goes within");
    disk.SetFaultHook(nullptr);
    disk.Crash(seed);
    wal.reset();
    ASSERT_TRUE(ValidSnapshots(disk, kWalDir).ok());
    Replay replay;
    const auto opened = Wal::Open(disk, kWalDir, Index(90), Term(1), {1024}, replay);
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_EQ(replay.entries, MakeEntries(91, 100));
  }
}

// After a failed fsync the pages may be gone though a second fsync says OK (fsyncgate): no retry.
TEST_F(WalFault, FailedSyncEndsTheObject) {
  SimDisk disk;
  ASSERT_TRUE(disk.CreateDirs("member").ok());
  auto wal = *Wal::Create(disk, kWalDir, TestMetadata(), {4096});
  disk.SetFaultHook([&](DiskOp op, const std::string&) {
    return op == DiskOp::kSync ? IoError() : absl::OkStatus();
  });
  const absl::Status first = wal->Save(MakeState(1, 0), MakeEntries(1, 1));
  EXPECT_EQ(first.code(), absl::StatusCode::kInternal);
  disk.SetFaultHook(nullptr);
  const std::uint64_t operations = disk.operations();
  EXPECT_EQ(wal->Save(MakeState(1, 0), MakeEntries(1, 1)), first);
  EXPECT_EQ(wal->SaveSnapshot(Index(1), Term(1), {}), first);
  EXPECT_EQ(wal->Sync(), first);
  EXPECT_EQ(wal->EnsureReserve(), first);
  EXPECT_EQ(wal->status(), first);
  EXPECT_EQ(disk.operations(), operations) << "it touched the disk again";
}

// ENOSPC from an fsync (file systems that allocate late) is a failed fsync, not a full disk:
// whoever sees kResourceExhausted tries again.
TEST_F(WalFault, FullDiskAtAnFsyncIsAFailureForGood) {
  for (const DiskOp at : {DiskOp::kSync, DiskOp::kSyncDir, DiskOp::kWrite}) {
    SimDisk disk;
    ASSERT_TRUE(disk.CreateDirs("member").ok());
    auto wal = *Wal::Create(disk, kWalDir, TestMetadata(), {2048});
    disk.SetFaultHook([&](DiskOp op, const std::string&) {
      return op == at ? base::MakeStatus(absl::StatusCode::kResourceExhausted, "full")
                      : absl::OkStatus();
    });
    absl::Status status;
    for (std::uint64_t i = 1; i <= 100 && status.ok(); ++i) {
      status = wal->Save(MakeState(1, i), MakeEntries(i, i));
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
    EXPECT_EQ(wal->status(), status);
  }
}

TEST_F(WalFault, FailedWriteEndsTheObject) {
  SimDisk disk;
  ASSERT_TRUE(disk.CreateDirs("member").ok());
  auto wal = *Wal::Create(disk, kWalDir, TestMetadata(), {4096});
  // Also when the system says that the disk is full: bytes of the batch may be there.
  disk.SetFaultHook([&](DiskOp op, const std::string&) {
    return op == DiskOp::kWrite ? base::MakeStatus(absl::StatusCode::kResourceExhausted, "full")
                                : absl::OkStatus();
  });
  EXPECT_FALSE(wal->Save(MakeState(1, 0), MakeEntries(1, 1)).ok());
  disk.SetFaultHook(nullptr);
  EXPECT_FALSE(wal->Save(MakeState(1, 0), MakeEntries(1, 1)).ok());
  EXPECT_FALSE(wal->status().ok());
}

TEST_F(WalFullDisk, SaveIsRefusedBeforeAnyByteAndWorksAgainLater) {
  SimDisk disk;
  ASSERT_TRUE(disk.CreateDirs("member").ok());
  auto wal = *Wal::Create(disk, kWalDir, TestMetadata(), {4096});
  ASSERT_TRUE(wal->has_reserve());
  disk.SetCapacity(disk.used_bytes());
  std::uint64_t saved = 0;
  absl::Status status;
  while (saved < 1000) {
    status = wal->Save(MakeState(1, saved), {{MakeEntry(1, saved + 1)}});
    if (!status.ok()) break;
    ++saved;
  }
  ASSERT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_GT(saved, 50U) << "the segment and its reserve were there";
  EXPECT_FALSE(wal->has_reserve()) << "foreseen before the last segment is full";
  EXPECT_TRUE(wal->status().ok());
  const std::string tail = disk.Contents(WalPath(Segments(disk).back()));
  EXPECT_EQ(wal->Save(MakeState(1, saved), {{MakeEntry(1, saved + 1)}}).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(disk.Contents(WalPath(Segments(disk).back())), tail);
  EXPECT_EQ(wal->last_index(), Index(saved));
  EXPECT_EQ(wal->EnsureReserve().code(), absl::StatusCode::kResourceExhausted);

  disk.SetCapacity(UINT64_MAX);
  EXPECT_TRUE(wal->EnsureReserve().ok());
  for (int i = 0; i < 100; ++i, ++saved) {
    ASSERT_TRUE(wal->Save(MakeState(1, saved), {{MakeEntry(1, saved + 1)}}).ok());
  }
  wal.reset();
  const auto replay = Reopen(disk, {4096});
  ASSERT_TRUE(replay.ok()) << replay.status();
  EXPECT_EQ(replay->entries, MakeEntries(1, saved));
}

TEST_F(WalFullDisk, HugeBatchIsRefusedWhole) {
  SimDisk disk;
  ASSERT_TRUE(disk.CreateDirs("member").ok());
  auto wal = *Wal::Create(disk, kWalDir, TestMetadata(), {4096});
  ASSERT_TRUE(wal->Save(MakeState(1, 0), MakeEntries(1, 1)).ok());
  disk.SetCapacity(disk.used_bytes() + 100);
  wal->Append(MakeEntries(2, 2));
  EXPECT_EQ(wal->Save(MakeState(1, 0), {{MakeEntry(1, 3, 20000)}}).code(),
            absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(wal->Save(MakeState(1, 1), MakeEntries(2, 2)).ok()) << "a small one has room";
  wal.reset();
  EXPECT_EQ(Reopen(disk, {4096})->entries, MakeEntries(1, 2));
}

// No room for the name of the next segment: the full one stays in use.
TEST_F(WalFullDisk, RefusedRenameAtACutLosesNothing) {
  SimDisk disk;
  ASSERT_TRUE(disk.CreateDirs("member").ok());
  auto wal = *Wal::Create(disk, kWalDir, TestMetadata(), {2048});
  int refusals = 3;
  disk.SetFaultHook([&](DiskOp op, const std::string&) {
    if (op != DiskOp::kRename || refusals == 0) return absl::OkStatus();
    --refusals;
    return base::MakeStatus(absl::StatusCode::kResourceExhausted, "no space left on device");
  });
  for (std::uint64_t i = 1; i <= 100; ++i) {
    ASSERT_TRUE(wal->Save(MakeState(1, i), MakeEntries(i, i)).ok());
  }
  EXPECT_EQ(refusals, 0);
  wal.reset();
  const auto replay = Reopen(disk, {2048});
  ASSERT_TRUE(replay.ok()) << replay.status();
  EXPECT_EQ(replay->entries, MakeEntries(1, 100));
  EXPECT_GT(Segments(disk).size(), 2U);
}

TEST_F(WalFullDisk, CreateLeavesNothingBehind) {
  SimDisk disk({.capacity_bytes = 1000});
  ASSERT_TRUE(disk.CreateDirs("member").ok());
  EXPECT_EQ(Wal::Create(disk, kWalDir, TestMetadata(), {4096}).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(disk.AllFiles().empty());
}

}  // namespace
}  // namespace etcd::wal
