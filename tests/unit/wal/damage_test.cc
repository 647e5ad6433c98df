#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/bytes.h"
#include "server/base/log.h"
#include "server/base/random.h"
#include "tests/unit/wal/wal_test_util.h"

// What damage does to a log: a torn tail is cut, all else is refused; nobody reads wrong entries.
namespace etcd::wal {
namespace {

using testing::SimDisk;

constexpr Options kSmall{.segment_bytes = 2048};

// A log of several segments, as bytes per file, and what it says.
struct Log {
  std::vector<std::string> names;
  std::vector<std::string> contents;
  Replay truth;
  std::uint64_t used = 0;  // bytes of records in the last segment
};

std::uint64_t UsedBytes(const std::string& content) {
  const std::size_t last = content.find_last_not_of('\0');
  return last == std::string::npos ? 0 : (last + 8) / 8 * 8;
}

Log MakeLog(std::uint64_t entries, std::size_t entry_bytes = 40) {
  SimDisk disk;
  EXPECT_TRUE(disk.CreateDirs("member").ok());
  auto wal = *Wal::Create(disk, kWalDir, TestMetadata(), kSmall);
  Log log;
  for (std::uint64_t i = 1; i <= entries; ++i) {
    const raft::Entry entry = MakeEntry(1, i, entry_bytes);
    EXPECT_TRUE(wal->Save(MakeState(1, i), {&entry, 1}).ok());
    if (i % 10 == 5) {
      raft::ConfState members;
      members.voters = {MemberId(1)};
      EXPECT_TRUE(wal->SaveSnapshot(Index(i), Term(1), members).ok());
    }
  }
  wal.reset();
  log.names = Segments(disk);
  for (const std::string& name : log.names) log.contents.push_back(disk.Contents(WalPath(name)));
  log.truth = *Reopen(disk, kSmall);
  log.used = UsedBytes(log.contents.back());
  return log;
}

void Put(SimDisk& disk, const Log& log) {
  ASSERT_TRUE(disk.CreateDirs(kWalDir).ok());
  for (std::size_t i = 0; i < log.names.size(); ++i) {
    disk.SetContents(WalPath(log.names[i]), log.contents[i]);
  }
}

bool IsPrefix(const std::vector<raft::Entry>& part, const std::vector<raft::Entry>& all) {
  return part.size() <= all.size() && std::equal(part.begin(), part.end(), all.begin());
}

class WalDamage : public ::testing::Test {
 protected:
  void SetUp() override { base::SetLogLevel(base::LogLevel::kFatal); }
  void TearDown() override { base::SetLogLevel(base::LogLevel::kInfo); }
};

// every cut of the last file boots with a prefix; only what the cut took is missing.
void TruncateAtEveryByte(Log log) {
  const std::string whole = log.contents.back();
  std::size_t last_count = 0;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    log.contents.back() = whole.substr(0, size);
    SimDisk disk;
    Put(disk, log);
    const auto replay = Reopen(disk, kSmall);
    ASSERT_TRUE(replay.ok()) << size << " " << replay.status();
    ASSERT_TRUE(IsPrefix(replay->entries, log.truth.entries)) << size;
    ASSERT_GE(replay->entries.size(), last_count) << size;
    last_count = replay->entries.size();
    // The repaired log is whole: it opens again and says the same.
    const auto again = Reopen(disk, kSmall);
    ASSERT_TRUE(again.ok()) << size << " " << again.status();
    ASSERT_EQ(again->entries, replay->entries) << size;
  }
  EXPECT_EQ(last_count, log.truth.entries.size());
}

TEST_F(WalDamage, TruncationAtEveryByteBoots) {
  Log log = MakeLog(60);
  ASSERT_GT(log.names.size(), 2U);
  TruncateAtEveryByte(std::move(log));
}

TEST_F(WalDamage, TruncationOfRecordsOfSeveralSectorsBoots) {
  Log log = MakeLog(5, 1500);
  ASSERT_GT(log.names.size(), 2U);
  TruncateAtEveryByte(std::move(log));
}

TEST_F(WalDamage, RepairKeepsACopyOfWhatItCuts) {
  Log log = MakeLog(20);
  log.contents.back().resize(log.used - 3);
  SimDisk disk;
  Put(disk, log);
  ASSERT_TRUE(Reopen(disk, kSmall).ok());
  EXPECT_EQ(disk.Contents(WalPath(log.names.back() + ".broken")), log.contents.back());
}

// The leftover of the dead process makes the room.
TEST_F(WalDamage, RepairWorksOnAFullDisk) {
  Log log = MakeLog(20);
  log.contents.back().resize(log.used - 3);
  SimDisk disk;
  Put(disk, log);
  disk.SetContents(WalPath("0.tmp"), std::string(kSmall.segment_bytes, '\0'));
  disk.SetCapacity(disk.used_bytes());
  Replay replay;
  const auto wal = Wal::Open(disk, kWalDir, Index(0), Term(0), kSmall, replay);
  ASSERT_TRUE(wal.ok()) << wal.status();
  EXPECT_EQ(disk.Contents(WalPath(log.names.back() + ".broken")), log.contents.back());
  EXPECT_FALSE((*wal)->has_reserve());
}

// After a repair the log goes on, and everything before and after is read.
TEST_F(WalDamage, AppendingGoesOnAfterARepair) {
  Log log = MakeLog(20);
  const std::string whole = log.contents.back();
  for (std::size_t size = 0; size < log.used; size += 7) {
    log.contents.back() = whole.substr(0, size);
    SimDisk disk;
    Put(disk, log);
    Replay replay;
    auto wal = Wal::Open(disk, kWalDir, Index(0), Term(0), kSmall, replay);
    if (log.names.size() == 1 && !wal.ok()) continue;  // not even a head was left
    ASSERT_TRUE(wal.ok()) << wal.status();
    std::vector<raft::Entry> expected = replay.entries;
    for (std::uint64_t i = 0; i < 60; ++i) {
      expected.push_back(MakeEntry(2, expected.size() + 1));
      ASSERT_TRUE((*wal)->Save(MakeState(2, 0), {&expected.back(), 1}).ok());
    }
    wal->reset();
    const auto again = Reopen(disk, kSmall);
    ASSERT_TRUE(again.ok()) << size << " " << again.status();
    ASSERT_EQ(again->entries, expected) << size;
  }
}

// Every single bit of every segment of `log`.
// Under a sanitizer each boot costs ten times as much: a sample, coprime with the bytes' 8 bits.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kBitStride = 7;
#else
constexpr std::size_t kBitStride = 1;
#endif

void FlipEveryBit(const Log& log) {
  ASSERT_GE(log.names.size(), 2U);
  std::size_t refused = 0;
  std::size_t harmless = 0;
  for (std::size_t file = 0; file < log.names.size(); ++file) {
    for (std::size_t bit = 0; bit < log.contents[file].size() * 8; bit += kBitStride) {
      SimDisk disk;
      Put(disk, log);
      disk.FlipBit(WalPath(log.names[file]), bit);
      const auto replay = Reopen(disk, kSmall);
      if (!replay.ok()) {
        ++refused;
        continue;
      }
      ++harmless;
      ASSERT_EQ(replay->entries, log.truth.entries) << log.names[file] << " bit " << bit;
      ASSERT_EQ(replay->hard_state, log.truth.hard_state) << log.names[file] << " bit " << bit;
      ASSERT_EQ(replay->metadata, log.truth.metadata) << log.names[file] << " bit " << bit;
    }
  }
  EXPECT_GT(refused, harmless / 4);
  EXPECT_GT(harmless, 0U) << "padding and preallocated space";
}

// R-15 on whole logs.
TEST_F(WalDamage, EveryBitFlipIsRefusedOrHarmless) { FlipEveryBit(MakeLog(40)); }

TEST_F(WalDamage, EveryBitFlipInRecordsOfSeveralSectorsIsRefusedOrHarmless) {
  FlipEveryBit(MakeLog(7, 700));
}

TEST_F(WalDamage, RefusalNamesFileOffsetIndexAndReason) {
  Log log = MakeLog(10);
  log.contents[0][log.contents[0].find("eeee")] = 'x';
  SimDisk disk;
  Put(disk, log);
  const auto replay = Reopen(disk, kSmall);
  ASSERT_EQ(replay.status().code(), absl::StatusCode::kDataLoss);
  const std::string message(base::MessageOf(replay.status()));
  EXPECT_NE(message.find("walpb: crc mismatch"), std::string::npos) << message;
  EXPECT_NE(message.find(WalPath(log.names[0])), std::string::npos) << message;
  EXPECT_NE(message.find("offset "), std::string::npos) << message;
  EXPECT_NE(message.find("after index 2"), std::string::npos) << message;
}

// Garbage or zeros after the last record do not stop a boot and cost nothing.
TEST_F(WalDamage, GarbageTailsAreCut) {
  Log log = MakeLog(20);
  base::SeededRandom random(7);
  const std::string whole = log.contents.back().substr(0, log.used);
  for (int round = 0; round < 2000; ++round) {
    std::string tail(random.Below(3000), '\0');
    for (char& c : tail) c = static_cast<char>(random.Below(255) + 1);
    log.contents.back() = whole + tail;
    SimDisk disk;
    Put(disk, log);
    const auto replay = Reopen(disk, kSmall);
    if (!replay.ok()) {
      // etcd refuses too: a tail that happens to frame a record without a zero sector.
      EXPECT_EQ(replay.status().code(), absl::StatusCode::kDataLoss);
      continue;
    }
    ASSERT_EQ(replay->entries, log.truth.entries);
  }
}

// The rule for a torn write: a zero sector within the damaged record.
TEST_F(WalDamage, MissingSectorsOfTheLastWriteAreCut) {
  Log log = MakeLog(8);
  SimDisk disk;
  Put(disk, log);
  {
    Replay replay;
    auto wal = *Wal::Open(disk, kWalDir, Index(0), Term(0), {.segment_bytes = 65536}, replay);
    ASSERT_TRUE(wal->Save(MakeState(1, 8), {{MakeEntry(1, 9, 5000)}}).ok());
  }
  const std::string path = WalPath(log.names.back());
  const std::string whole = disk.Contents(path);
  const std::uint64_t end = UsedBytes(whole);
  for (std::uint64_t sector = log.used / 512 + 1; sector < end / 512; ++sector) {
    std::string torn = whole;
    std::fill_n(torn.begin() + static_cast<std::ptrdiff_t>(sector * 512), 512, '\0');
    SimDisk other;
    Put(other, log);
    other.SetContents(path, torn);
    const auto replay = Reopen(other, kSmall);
    ASSERT_TRUE(replay.ok()) << replay.status();
    EXPECT_EQ(replay->entries, log.truth.entries);
    // The same hole, but not all of the sector: no crash does that.
    torn[sector * 512 + 100] = 'x';
    other.SetContents(path, torn);
    other.SetContents(path + ".broken", "");
    EXPECT_EQ(Reopen(other, kSmall).status().code(), absl::StatusCode::kDataLoss);
  }
}

// Later sectors of a torn write may have reached the disk though the first did not. New records
// must not run into them.
TEST_F(WalDamage, NothingBehindTheLastRecordStaysAfterOpening) {
  Log log = MakeLog(4);
  ASSERT_EQ(log.names.size(), 1U);
  const std::uint64_t sector = (log.used / 512 + 1) * 512;
  ASSERT_LT(sector + 400, log.contents[0].size());
  log.contents[0].replace(sector, 300, std::string(300, 'z'));
  SimDisk disk;
  Put(disk, log);
  Replay replay;
  auto wal = *Wal::Open(disk, kWalDir, Index(0), Term(0), kSmall, replay);
  EXPECT_EQ(replay.entries, log.truth.entries);
  const std::string content = disk.Contents(WalPath(log.names[0]));
  EXPECT_EQ(content.substr(log.used), std::string(content.size() - log.used, '\0'));
  std::uint64_t next = replay.entries.size() + 1;
  for (; next < 20; ++next) ASSERT_TRUE(wal->Save({}, {{MakeEntry(1, next)}}).ok());
  wal.reset();
  const auto again = Reopen(disk, kSmall);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->entries.size(), next - 1);
}

TEST_F(WalDamage, TornRecordInAnOlderSegmentIsRefused) {
  Log log = MakeLog(60);
  log.contents[0].resize(log.contents[0].size() - 5);
  SimDisk disk;
  Put(disk, log);
  EXPECT_EQ(Reopen(disk, kSmall).status().code(), absl::StatusCode::kDataLoss);
}

// CVE-2020-15106: a forged length must not become an allocation or a crash.
TEST_F(WalDamage, ForgedLengthsAreBounded) {
  for (const std::uint64_t length :
       {std::uint64_t{1} << 40, (std::uint64_t{1} << 56) - 1, UINT64_MAX, std::uint64_t{1} << 63}) {
    Log log = MakeLog(3);
    std::string forged(8, '\0');
    base::StoreLittleEndian64(forged.data(), length);
    log.contents.back().replace(log.used, 8, forged);
    SimDisk disk;
    Put(disk, log);
    const auto replay = Reopen(disk, kSmall);
    if (replay.ok()) {
      EXPECT_EQ(replay->entries, log.truth.entries);
    }
  }
}

// CVE-2020-15112: an entry index beyond what was read before it.
TEST_F(WalDamage, HoleInTheIndexesIsRefused) {
  SimDisk disk;
  ASSERT_TRUE(disk.CreateDirs("member").ok());
  auto wal = *Wal::Create(disk, kWalDir, TestMetadata(), kSmall);
  ASSERT_TRUE(wal->Save(MakeState(1, 0), {{MakeEntry(1, 1), MakeEntry(1, 3)}}).ok());
  wal.reset();
  EXPECT_EQ(Reopen(disk, kSmall).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(WalDamage, EmptyOrForeignDirectoriesAreNotFound) {
  SimDisk disk;
  EXPECT_EQ(Reopen(disk, kSmall).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(disk.CreateDirs(kWalDir).ok());
  disk.SetContents(WalPath("0.tmp"), "");
  disk.SetContents(WalPath("README"), "");
  EXPECT_EQ(Reopen(disk, kSmall).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace etcd::wal
