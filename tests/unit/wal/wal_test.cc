#include "server/wal/wal.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/clock.h"
#include "server/base/file_system.h"
#include "server/base/log.h"
#include "tests/unit/wal/wal_test_util.h"

namespace etcd::wal {
namespace {

constexpr Options kSmall{.segment_bytes = 4096};

class WalTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(fs_.CreateDirs("member").ok()); }

  testing::SimDisk fs_;
  std::string dir_ = kWalDir;
  const std::string kMetadata = TestMetadata();

  std::unique_ptr<Wal> Create(const Options& options = kSmall) {
    auto wal = Wal::Create(fs_, dir_, kMetadata, options);
    EXPECT_TRUE(wal.ok()) << wal.status();
    return std::move(wal).value();
  }
  std::unique_ptr<Wal> Open(Replay& replay, Index index = Index(0), Term term = Term(0)) {
    auto wal = Wal::Open(fs_, dir_, index, term, kSmall, replay);
    EXPECT_TRUE(wal.ok()) << wal.status();
    return wal.ok() ? std::move(wal).value() : nullptr;
  }
};

TEST_F(WalTest, WhatWasSavedIsReadBack) {
  const auto entries = MakeEntries(1, 10);
  const raft::HardState state{Term(1), MemberId(1), Index(7)};
  ASSERT_TRUE(Create()->Save(state, entries).ok());
  Replay replay;
  Open(replay);
  EXPECT_EQ(replay.metadata, kMetadata);
  EXPECT_EQ(replay.hard_state, state);
  EXPECT_EQ(replay.entries, entries);
}

TEST_F(WalTest, CreateRefusesAnExistingLog) {
  Create();
  EXPECT_EQ(Wal::Create(fs_, dir_, kMetadata, kSmall).status().code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(WalTest, SegmentsAreCutAndReadAcross) {
  std::vector<raft::Entry> all;
  {
    auto wal = Create();
    for (std::uint64_t i = 1; i <= 500; ++i) {
      all.push_back(MakeEntry(1, i));
      ASSERT_TRUE(wal->Save({Term(1), MemberId(1), Index(i)}, {&all.back(), 1}).ok());
    }
  }
  const auto files = *fs_.List(dir_);
  EXPECT_GT(files.size(), 5U);
  EXPECT_EQ(files[0], "0.tmp") << "the next segment is always allocated";
  EXPECT_EQ(files[1], "0000000000000000-0000000000000000.wal");
  Replay replay;
  Open(replay);
  EXPECT_EQ(replay.entries, all);
  EXPECT_EQ(replay.hard_state.commit, Index(500));
}

TEST_F(WalTest, AppendingGoesOnAfterReopen) {
  ASSERT_TRUE(Create()->Save({Term(1), MemberId(1), Index(0)}, MakeEntries(1, 5)).ok());
  for (std::uint64_t i = 6; i <= 300; ++i) {
    Replay replay;
    auto wal = Open(replay);
    ASSERT_EQ(replay.entries.size(), i - 1);
    ASSERT_TRUE(wal->Save({}, MakeEntries(i, i)).ok());
  }
  Replay replay;
  Open(replay);
  EXPECT_EQ(replay.entries, MakeEntries(1, 300));
}

TEST_F(WalTest, LaterRecordOfTheSameIndexTruncates) {
  auto wal = Create();
  ASSERT_TRUE(wal->Save({Term(1), MemberId(1), Index(0)}, MakeEntries(1, 9)).ok());
  ASSERT_TRUE(wal->Save({Term(2), MemberId(2), Index(0)}, {{MakeEntry(2, 4)}}).ok());
  wal.reset();
  Replay replay;
  Open(replay);
  ASSERT_EQ(replay.entries.size(), 4U);
  EXPECT_EQ(replay.entries[3], MakeEntry(2, 4));
  EXPECT_EQ(replay.hard_state.term, Term(2));
}

TEST_F(WalTest, OpensAtASnapshot) {
  raft::ConfState members;
  members.voters = {MemberId(1)};
  {
    auto wal = Create();
    for (std::uint64_t i = 1; i <= 200; ++i) {
      ASSERT_TRUE(wal->Save({Term(1), MemberId(1), Index(i)}, MakeEntries(i, i)).ok());
      if (i % 50 == 0) {
        ASSERT_TRUE(wal->SaveSnapshot(Index(i), Term(1), members).ok());
      }
    }
  }
  Replay replay;
  Open(replay, Index(150), Term(1));
  EXPECT_EQ(replay.entries, MakeEntries(151, 200));
  const auto snapshots = ValidSnapshots(fs_, dir_);
  ASSERT_TRUE(snapshots.ok());
  ASSERT_EQ(snapshots->size(), 5U);
  EXPECT_EQ(snapshots->back(), (raftcodec::WalSnapshot{Index(200), Term(1), members}));
  EXPECT_EQ(Wal::Open(fs_, dir_, Index(151), Term(1), kSmall, replay).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(Wal::Open(fs_, dir_, Index(150), Term(2), kSmall, replay).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST_F(WalTest, SnapshotsAheadOfTheCommitIndexAreNotOffered) {
  auto wal = Create();
  ASSERT_TRUE(wal->Save({Term(1), MemberId(1), Index(3)}, MakeEntries(1, 9)).ok());
  ASSERT_TRUE(wal->SaveSnapshot(Index(3), Term(1), {}).ok());
  ASSERT_TRUE(wal->SaveSnapshot(Index(4), Term(1), {}).ok());
  const auto snapshots = ValidSnapshots(fs_, dir_);
  ASSERT_TRUE(snapshots.ok());
  EXPECT_EQ(snapshots->back().index, Index(3));
}

TEST_F(WalTest, ASecondOpenIsLockedOut) {
  auto wal = Create();
  Replay replay;
  EXPECT_EQ(Wal::Open(fs_, dir_, Index(0), Term(0), kSmall, replay).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_TRUE(ReadAll(fs_, dir_, Index(0), Term(0)).ok()) << "reading needs no lock";
}

TEST_F(WalTest, OnlyReleasedSegmentsArePurged) {
  auto wal = Create();
  for (std::uint64_t i = 1; i <= 500; ++i) {
    ASSERT_TRUE(wal->Save({Term(1), MemberId(1), Index(i)}, MakeEntries(i, i)).ok());
  }
  EXPECT_EQ(*wal->Purge(2), 0U) << "all are in use";
  ASSERT_TRUE(wal->SaveSnapshot(Index(300), Term(1), {}).ok());
  wal->ReleaseBefore(Index(300));
  EXPECT_GT(*wal->Purge(2), 0U);
  wal.reset();
  Replay replay;
  Open(replay, Index(300), Term(1));
  EXPECT_EQ(replay.entries, MakeEntries(301, 500));
}

TEST_F(WalTest, AGapInTheSequenceIsDataLoss) {
  {
    auto wal = Create();
    for (std::uint64_t i = 1; i <= 300; ++i) {
      ASSERT_TRUE(wal->Save({Term(1), MemberId(1), Index(i)}, MakeEntries(i, i)).ok());
    }
  }
  const auto files = *fs_.List(dir_);
  ASSERT_TRUE(fs_.Remove(dir_ + "/" + files[2]).ok());
  Replay replay;
  EXPECT_EQ(Wal::Open(fs_, dir_, Index(0), Term(0), kSmall, replay).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(ValidSnapshots(fs_, dir_).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(WalTest, CommitIndexAloneIsNotSynced) {
  struct Counter final : Observer {
    void OnWrite(std::uint64_t bytes, std::chrono::nanoseconds) override { written += bytes; }
    void OnSync(std::chrono::nanoseconds) override { ++syncs; }
    std::uint64_t written = 0;
    int syncs = 0;
  } counter;
  auto wal = Create({.segment_bytes = 4096, .observer = &counter});
  ASSERT_TRUE(wal->Save({Term(1), MemberId(1), Index(0)}, MakeEntries(1, 3)).ok());
  const int syncs = counter.syncs;
  ASSERT_TRUE(wal->Save({Term(1), MemberId(1), Index(2)}, {}).ok());
  EXPECT_EQ(counter.syncs, syncs);
  ASSERT_TRUE(wal->Save({Term(1), MemberId(2), Index(2)}, {}).ok());
  EXPECT_EQ(counter.syncs, syncs + 1);
  ASSERT_TRUE(wal->Save({}, MakeEntries(4, 4)).ok());
  EXPECT_EQ(counter.syncs, syncs + 2);
  EXPECT_GT(counter.written, 0U);
}

// A disk that takes 1.5 s for an fsync, on a clock of the test.
TEST_F(WalTest, SlowSyncsAreMeasuredAndLogged) {
  struct TestClock final : base::Clock {
    Monotonic Now() const override { return now; }
    Wall WallNow() const override { return {}; }
    Monotonic now{};
  } clock;
  struct Recorder final : Observer, base::LogSink {
    void OnWrite(std::uint64_t, std::chrono::nanoseconds) override {}
    void OnSync(std::chrono::nanoseconds took) override { last = took; }
    void Write(const base::LogRecord& record) override { lines.emplace_back(record.message); }
    std::chrono::nanoseconds last{};
    std::vector<std::string> lines;
  } recorder;
  auto wal = Create({.segment_bytes = 4096, .observer = &recorder, .clock = &clock});
  base::SetLogSink(&recorder);
  fs_.SetSyncHook([&](const std::string&) { clock.now += std::chrono::milliseconds(1500); });
  const absl::Status status = wal->Save(MakeState(1, 0), MakeEntries(1, 1));
  base::SetLogSink(nullptr);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(recorder.last, std::chrono::milliseconds(1500));
  EXPECT_EQ(recorder.lines, std::vector<std::string>{"slow fdatasync"});
}

TEST_F(WalTest, AppendedPartsAreOneBatch) {
  auto wal = Create();
  wal->Append(MakeEntries(1, 3));
  wal->Append(MakeEntries(4, 4));
  ASSERT_TRUE(wal->Save({Term(1), MemberId(1), Index(0)}, {}).ok());
  EXPECT_EQ(wal->last_index(), Index(4));
  wal.reset();
  Replay replay;
  Open(replay);
  EXPECT_EQ(replay.entries, MakeEntries(1, 4));
}

TEST_F(WalTest, AClosedObjectFreesItsLocks) {
  Create();
  Replay replay;
  EXPECT_NE(Open(replay), nullptr);
  EXPECT_NE(Open(replay), nullptr);
}

// The same on the operating system's files, with etcd's segment size.
TEST(WalOnDisk, SavesReopensAndLocks) {
  std::string root = (std::filesystem::temp_directory_path() / "walXXXXXX").string();
  ASSERT_NE(::mkdtemp(root.data()), nullptr);
  base::FileSystem& fs = base::PosixFileSystem();
  const std::string dir = root + "/wal";
  const auto entries = MakeEntries(1, 10);
  auto wal = Wal::Create(fs, dir, TestMetadata(), {});
  ASSERT_TRUE(wal.ok()) << wal.status();
  ASSERT_TRUE((*wal)->Save(MakeState(1, 7), entries).ok());
  Replay replay;
  EXPECT_EQ(Wal::Open(fs, dir, Index(0), Term(0), {}, replay).status().code(),
            absl::StatusCode::kUnavailable);
  wal->reset();
  EXPECT_EQ(std::filesystem::file_size(dir + "/" + "0000000000000000-0000000000000000.wal"),
            64'000'000U);
  EXPECT_TRUE(std::filesystem::exists(dir + "/0.tmp"));
  EXPECT_FALSE(std::filesystem::exists(dir + ".tmp"));
  wal = Wal::Open(fs, dir, Index(0), Term(0), {}, replay);
  ASSERT_TRUE(wal.ok()) << wal.status();
  EXPECT_EQ(replay.entries, entries);
  EXPECT_EQ(replay.hard_state, MakeState(1, 7));
  ASSERT_TRUE((*wal)->Save({}, MakeEntries(11, 11)).ok());
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace etcd::wal
