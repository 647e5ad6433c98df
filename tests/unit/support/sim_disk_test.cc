#include "tests/support/sim_disk.h"

#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "server/base/status.h"

namespace etcd::testing {
namespace {

using base::OpenMode;

std::unique_ptr<base::File> MakeFile(SimDisk& disk, const std::string& path,
                                     const std::string& bytes) {
  auto file = *disk.Open(path, OpenMode::kCreateOrTruncate);
  EXPECT_TRUE(file->WriteAt(0, bytes).ok());
  return file;
}

TEST(SimDisk, SyncedFileWithSyncedNameSurvives) {
  SimDisk disk;
  ASSERT_TRUE(disk.CreateDirs("d").ok());
  auto file = MakeFile(disk, "d/f", "hello");
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(disk.SyncDir("d").ok());
  ASSERT_TRUE(file->WriteAt(0, "HELLO, world").ok());
  disk.CrashLosingAll();
  EXPECT_EQ(disk.Contents("d/f"), "hello");
  EXPECT_FALSE(file->Sync().ok()) << "opened before the crash";
}

TEST(SimDisk, UnsyncedNameIsLost) {
  SimDisk disk;
  ASSERT_TRUE(disk.CreateDirs("d").ok());
  ASSERT_TRUE(MakeFile(disk, "d/f", "hello")->Sync().ok());
  disk.CrashLosingAll();
  EXPECT_FALSE(disk.Exists("d/f"));
  EXPECT_TRUE(disk.Exists("d"));
}

TEST(SimDisk, UnsyncedRenameOfADirectoryIsLost) {
  SimDisk disk;
  ASSERT_TRUE(disk.CreateDirs("m/wal.tmp").ok());
  ASSERT_TRUE(MakeFile(disk, "m/wal.tmp/f", "x")->Sync().ok());
  ASSERT_TRUE(disk.SyncDir("m/wal.tmp").ok());
  ASSERT_TRUE(disk.Rename("m/wal.tmp", "m/wal").ok());
  EXPECT_EQ(disk.Contents("m/wal/f"), "x");
  disk.CrashLosingAll();
  EXPECT_EQ(disk.Contents("m/wal.tmp/f"), "x");
  ASSERT_TRUE(disk.Rename("m/wal.tmp", "m/wal").ok());
  ASSERT_TRUE(disk.SyncDir("m").ok());
  disk.CrashLosingAll();
  EXPECT_EQ(disk.Contents("m/wal/f"), "x");
  EXPECT_FALSE(disk.Exists("m/wal.tmp"));
}

TEST(SimDisk, DirectoryMadeAgainStaysAfterItsNameIsSynced) {
  SimDisk disk;
  ASSERT_TRUE(disk.CreateDirs("m/wal").ok());
  ASSERT_TRUE(disk.RemoveAll("m/wal").ok());
  ASSERT_TRUE(disk.CreateDirs("m/wal").ok());
  ASSERT_TRUE(disk.SyncDir("m").ok());
  disk.CrashLosingAll();
  EXPECT_TRUE(disk.Exists("m/wal"));
}

TEST(SimDisk, SectorsSurviveIndependently) {
  std::set<std::string> outcomes;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SimDisk disk;
    ASSERT_TRUE(disk.CreateDirs("d").ok());
    auto file = MakeFile(disk, "d/f", std::string(2048, 'a'));
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(disk.SyncDir("d").ok());
    ASSERT_TRUE(file->WriteAt(0, std::string(2048, 'b')).ok());
    disk.Crash(seed);
    const std::string content = disk.Contents("d/f");
    std::string outcome;
    for (std::size_t at = 0; at < 2048; at += 512) {
      ASSERT_EQ(content.substr(at, 512), std::string(512, content[at])) << "half a sector";
      outcome.push_back(content[at]);
    }
    outcomes.insert(outcome);
  }
  EXPECT_EQ(outcomes.size(), 16U) << "every combination of four sectors";
}

TEST(SimDisk, SameSeedSameOutcome) {
  std::string first;
  for (int round = 0; round < 2; ++round) {
    SimDisk disk;
    ASSERT_TRUE(disk.CreateDirs("d").ok());
    disk.SetContents("d/f", std::string(10000, 'a'));
    auto file = *disk.Open("d/f", OpenMode::kReadWrite);
    ASSERT_TRUE(file->WriteAt(100, std::string(20000, 'b')).ok());
    ASSERT_TRUE(file->Truncate(9000).ok());
    ASSERT_TRUE(file->Preallocate(12000).ok());
    disk.Crash(42);
    if (round == 0) first = disk.Contents("d/f");
    EXPECT_EQ(disk.Contents("d/f"), first);
  }
}

TEST(SimDisk, TruncateThenExtendReadsZeros) {
  SimDisk disk;
  ASSERT_TRUE(disk.CreateDirs("d").ok());
  disk.SetContents("d/f", std::string(1000, 'a'));
  auto file = *disk.Open("d/f", OpenMode::kReadWrite);
  ASSERT_TRUE(file->Truncate(10).ok());
  ASSERT_TRUE(file->Preallocate(1000).ok());
  EXPECT_EQ(*file->ReadAt(0, 5000), std::string(10, 'a') + std::string(990, '\0'));
  ASSERT_TRUE(file->Sync().ok());
  disk.CrashLosingAll();
  EXPECT_EQ(disk.Contents("d/f"), std::string(10, 'a') + std::string(990, '\0'));
}

TEST(SimDisk, LocksBelongToOpenFiles) {
  SimDisk disk;
  ASSERT_TRUE(disk.CreateDirs("d").ok());
  auto first = MakeFile(disk, "d/f", "x");
  auto second = *disk.Open("d/f", OpenMode::kReadWrite);
  ASSERT_TRUE(first->TryLock().ok());
  EXPECT_EQ(second->TryLock().code(), absl::StatusCode::kUnavailable);
  first.reset();
  EXPECT_TRUE(second->TryLock().ok());
  disk.KillProcess();
  EXPECT_TRUE((*disk.Open("d/f", OpenMode::kReadWrite))->TryLock().ok());
  EXPECT_EQ(disk.Contents("d/f"), "x") << "a dead process loses nothing";
}

TEST(SimDisk, CapacityBoundsGrowth) {
  SimDisk disk({.capacity_bytes = 100});
  ASSERT_TRUE(disk.CreateDirs("d").ok());
  auto file = MakeFile(disk, "d/f", std::string(60, 'x'));
  EXPECT_EQ(file->WriteAt(60, std::string(60, 'y')).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(file->Preallocate(101).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(file->Preallocate(100).ok());
  EXPECT_EQ(*disk.FreeBytes("d"), 0U);
  ASSERT_TRUE(disk.Remove("d/f").ok());
  EXPECT_EQ(*disk.FreeBytes("d"), 100U);
}

TEST(SimDisk, ErrorsAreThoseOfTheContract) {
  SimDisk disk;
  ASSERT_TRUE(disk.CreateDirs("d").ok());
  EXPECT_EQ(disk.Open("d/f", OpenMode::kRead).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(disk.Open("x/f", OpenMode::kCreateOrTruncate).status().code(),
            absl::StatusCode::kNotFound);
  MakeFile(disk, "d/f", "x");
  EXPECT_EQ(disk.Open("d/f", OpenMode::kCreateExclusive).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(disk.Remove("d/g").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(disk.Rename("d/g", "d/h").code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(disk.RemoveAll("d/g").ok());
  EXPECT_EQ(disk.List("x").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace etcd::testing
