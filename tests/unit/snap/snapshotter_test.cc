#include "server/snap/snapshotter.h"

#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/status.h"
#include "server/raftcodec/walpb.h"
#include "tests/support/sim_disk.h"

namespace etcd::snap {
namespace {

const std::string kDir = "member/snap";

raft::Snapshot MakeSnapshot(std::uint64_t term, std::uint64_t index) {
  raft::Snapshot snapshot;
  snapshot.data = R"({"CurrentIndex":)" + std::to_string(index) + "}";
  snapshot.metadata.conf_state.voters = {MemberId(1), MemberId(2)};
  snapshot.metadata.term = Term(term);
  snapshot.metadata.index = Index(index);
  return snapshot;
}

class SnapshotterTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(snapshotter_.Prepare().ok()); }

  testing::SimDisk disk_;
  Snapshotter snapshotter_{disk_, kDir};
};

TEST_F(SnapshotterTest, FileHasEtcdsNameAndForm) {
  ASSERT_TRUE(snapshotter_.Save(MakeSnapshot(2, 0x29)).ok());
  const std::string path = kDir + "/0000000000000002-0000000000000029.snap";
  ASSERT_TRUE(disk_.Exists(path));
  const std::string bytes = disk_.Contents(path);
  EXPECT_EQ(bytes[0], 0x08);
  EXPECT_EQ(*raftcodec::DecodeSnapFile(bytes), MakeSnapshot(2, 0x29));
}

TEST_F(SnapshotterTest, LoadsTheNewest) {
  EXPECT_EQ(snapshotter_.Load().status().code(), absl::StatusCode::kNotFound);
  for (const std::uint64_t index : {5, 300, 20}) {
    ASSERT_TRUE(snapshotter_.Save(MakeSnapshot(1, index)).ok());
  }
  EXPECT_EQ(*snapshotter_.Load(), MakeSnapshot(1, 300));
}

TEST_F(SnapshotterTest, LoadsTheNewestThatTheWalKnows) {
  for (const std::uint64_t index : {5, 20, 300}) {
    ASSERT_TRUE(snapshotter_.Save(MakeSnapshot(1, index)).ok());
  }
  const std::vector<raftcodec::WalSnapshot> recorded = {
      {Index(5), Term(1), {}}, {Index(20), Term(1), {}}, {Index(300), Term(2), {}}};
  EXPECT_EQ(*snapshotter_.LoadNewestAvailable(recorded), MakeSnapshot(1, 20));
  EXPECT_EQ(snapshotter_.LoadNewestAvailable({}).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(SnapshotterTest, DamagedFileIsSetAsideAndTheOneBeforeServes) {
  ASSERT_TRUE(snapshotter_.Save(MakeSnapshot(1, 5)).ok());
  ASSERT_TRUE(snapshotter_.Save(MakeSnapshot(1, 6)).ok());
  const std::string path = kDir + "/" + Snapshotter::FileName(Term(1), Index(6));
  disk_.FlipBit(path, 8 * 20);
  EXPECT_EQ(*snapshotter_.Load(), MakeSnapshot(1, 5));
  EXPECT_FALSE(disk_.Exists(path));
  EXPECT_TRUE(disk_.Exists(path + ".broken"));
}

TEST_F(SnapshotterTest, EveryBitFlipIsDetected) {
  const std::string good = raftcodec::EncodeSnapFile(MakeSnapshot(3, 77));
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    const auto decoded = raftcodec::DecodeSnapFile(bad);
    if (decoded.ok()) {
      EXPECT_EQ(*decoded, MakeSnapshot(3, 77)) << "bit " << bit;
    }
  }
}

TEST_F(SnapshotterTest, EveryTruncationIsDetected) {
  const std::string good = raftcodec::EncodeSnapFile(MakeSnapshot(3, 77));
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(raftcodec::DecodeSnapFile(good.substr(0, size)).status().code(),
              absl::StatusCode::kDataLoss)
        << size;
  }
}

TEST_F(SnapshotterTest, UnreadableDiskIsAnErrorNotDamage) {
  ASSERT_TRUE(snapshotter_.Save(MakeSnapshot(1, 5)).ok());
  disk_.SetFaultHook([](testing::DiskOp op, const std::string&) {
    return op == testing::DiskOp::kRead
               ? base::MakeStatus(absl::StatusCode::kInternal, "input/output error")
               : absl::OkStatus();
  });
  EXPECT_EQ(snapshotter_.Load().status().code(), absl::StatusCode::kInternal);
  disk_.SetFaultHook(nullptr);
  EXPECT_EQ(*snapshotter_.Load(), MakeSnapshot(1, 5));
}

TEST_F(SnapshotterTest, SavedSurvivesPowerCut) {
  ASSERT_TRUE(snapshotter_.Save(MakeSnapshot(1, 5)).ok());
  disk_.CrashLosingAll();
  EXPECT_EQ(*snapshotter_.Load(), MakeSnapshot(1, 5));
}

// Whatever is lost of a save that a power cut interrupts, the older snapshot loads or the new one.
TEST_F(SnapshotterTest, InterruptedSaveLeavesOneOrTheOther) {
  for (std::uint64_t fail_at = 1; fail_at < 12; ++fail_at) {
    testing::SimDisk disk;
    Snapshotter snapshotter(disk, kDir);
    ASSERT_TRUE(snapshotter.Prepare().ok());
    ASSERT_TRUE(snapshotter.Save(MakeSnapshot(1, 5)).ok());
    const std::uint64_t stop = disk.operations() + fail_at;
    disk.SetFaultHook([&](testing::DiskOp, const std::string&) {
      return disk.operations() >= stop ? base::MakeStatus(absl::StatusCode::kInternal, "power")
                                       : absl::OkStatus();
    });
    const bool saved = snapshotter.Save(MakeSnapshot(1, 6)).ok();
    disk.SetFaultHook(nullptr);
    disk.Crash(fail_at);
    ASSERT_TRUE(snapshotter.Prepare().ok());
    const auto loaded = snapshotter.Load();
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    if (saved) {
      EXPECT_EQ(loaded->metadata.index, Index(6));
    }
    const std::vector<std::string> files = *disk.List(kDir);
    for (const std::string& file : files) EXPECT_FALSE(file.starts_with("tmp"));
  }
}

TEST_F(SnapshotterTest, FullDiskLeavesNothingBehind) {
  ASSERT_TRUE(snapshotter_.Save(MakeSnapshot(1, 5)).ok());
  disk_.SetCapacity(disk_.used_bytes() + 3);
  EXPECT_EQ(snapshotter_.Save(MakeSnapshot(1, 6)).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(disk_.List(kDir)->size(), 1U);
  disk_.SetCapacity(UINT64_MAX);
  EXPECT_TRUE(snapshotter_.Save(MakeSnapshot(1, 6)).ok());
}

TEST_F(SnapshotterTest, PurgeKeepsTheNewest) {
  for (std::uint64_t index = 1; index <= 8; ++index) {
    ASSERT_TRUE(snapshotter_.Save(MakeSnapshot(1, index)).ok());
  }
  EXPECT_EQ(*snapshotter_.Purge(5), 3U);
  EXPECT_EQ(disk_.List(kDir)->front(), Snapshotter::FileName(Term(1), Index(4)));
}

TEST_F(SnapshotterTest, PrepareRemovesLeftovers) {
  disk_.SetContents(kDir + "/tmp123", "x");
  disk_.SetContents(kDir + "/db.tmp.456", "x");
  disk_.SetContents(kDir + "/db", "x");
  ASSERT_TRUE(snapshotter_.Prepare().ok());
  EXPECT_EQ(*disk_.List(kDir), std::vector<std::string>{"db"});
}

TEST_F(SnapshotterTest, OldReceivedDatabasesAreReleased) {
  disk_.SetContents(kDir + "/0000000000000010.snap.db", "x");
  disk_.SetContents(kDir + "/0000000000000020.snap.db", "x");
  ASSERT_TRUE(snapshotter_.ReleaseSnapDbs(Index(0x20)).ok());
  EXPECT_EQ(*disk_.List(kDir), std::vector<std::string>{"0000000000000020.snap.db"});
}

TEST(SnapshotterOnDisk, FileIsReadableByOthersAsEtcds) {
  std::string dir = (std::filesystem::temp_directory_path() / "snapXXXXXX").string();
  ASSERT_NE(::mkdtemp(dir.data()), nullptr);
  Snapshotter snapshotter(base::PosixFileSystem(), dir);
  ASSERT_TRUE(snapshotter.Save(MakeSnapshot(1, 5)).ok());
  struct stat info {};
  ASSERT_EQ(::stat((dir + "/" + Snapshotter::FileName(Term(1), Index(5))).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644U);
  EXPECT_EQ(*snapshotter.Load(), MakeSnapshot(1, 5));
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace etcd::snap
