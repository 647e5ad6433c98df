#include "server/storage/engine/rocks_engine.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "tests/support/engine_fixture.h"

namespace etcd::engine {
namespace {

using etcd::testing::EngineFixture;
using etcd::testing::EngineKind;
using std::chrono_literals::operator""ms;

absl::Status Put(KvEngine& engine, const std::string& key, const std::string& value) {
  WriteBatch batch;
  batch.Put(Family::kKey, key, value);
  batch.Put(Family::kMeta, "last", key);
  return engine.Write(batch);
}

std::string KeyOf(int i) { return "key-" + std::to_string(100'000 + i); }

TEST(RocksEngine, ACleanStopKeepsEverything) {
  const testing::TempDir dir;
  for (const std::string expected : {"(absent)", "1"}) {
    auto engine = OpenRocksEngine(dir.path(), {});
    ASSERT_TRUE(engine.ok()) << engine.status();
    EXPECT_EQ((*engine)->Get(Family::kKey, "a")->value_or("(absent)"), expected);
    ASSERT_TRUE(Put(**engine, "a", "1").ok());
  }
}

TEST(RocksEngine, FlushesByItselfWhenWritesGetOld) {
  EngineFixture fixture(EngineKind::kRocks, {.flush_interval = 20ms});
  ASSERT_TRUE(Put(fixture.engine(), "a", "1").ok());
  const std::uint64_t before = fixture.fs().syncs();
  ASSERT_TRUE(EngineFixture::WaitUntil([&] { return fixture.fs().syncs() >= before + 3; }));
  // The sync of the manifest is the last one; it may be under way still.
  ASSERT_TRUE(fixture.engine().Flush().ok());
  fixture.CrashAndReopen(0);
  EXPECT_EQ(**fixture.engine().Get(Family::kKey, "a"), "1");
}

TEST(RocksEngine, FlushesByItselfWhenTheBufferIsFull) {
  EngineFixture fixture(EngineKind::kRocks, {.write_buffer_bytes = 1 << 20});
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(Put(fixture.engine(), KeyOf(i), std::string(10'000, 'x')).ok());
  }
  fixture.CrashAndReopen(0);
  // A prefix is there, and the families agree on which.
  const auto last = fixture.engine().Get(Family::kMeta, "last");
  ASSERT_TRUE(last.ok() && last->has_value());
  const auto it = fixture.engine().Scan(Family::kKey, "", "");
  int found = 0;
  std::string newest;
  for (; it->Valid(); it->Next()) {
    EXPECT_EQ(it->key(), KeyOf(found++));
    newest = it->key();
  }
  EXPECT_GT(found, 100);
  EXPECT_EQ(newest, **last);
}

// Power cuts while flushes and compactions run in the background.
TEST(RocksEngine, PowerCutAtAnyTimeLeavesAPrefix) {
  EngineFixture fixture(EngineKind::kRocks, {.write_buffer_bytes = 256 << 10});
  int durable = -1;
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 250 + 37 * round; ++i) {
      const int number = durable + 1 + i;
      ASSERT_TRUE(Put(fixture.engine(), KeyOf(number), std::string(5'000, 'x')).ok());
    }
    fixture.CrashAndReopen(0);
    const auto last = fixture.engine().Get(Family::kMeta, "last");
    ASSERT_TRUE(last.ok()) << last.status();
    const auto it = fixture.engine().Scan(Family::kKey, "", "");
    int found = 0;
    for (; it->Valid(); it->Next(), ++found) ASSERT_EQ(it->key(), KeyOf(found));
    ASSERT_TRUE(it->status().ok());
    ASSERT_GE(found - 1, durable) << "lost what the last start had";
    if (found > 0) {
      ASSERT_EQ(**last, KeyOf(found - 1));
    }
    durable = found - 1;
  }
  EXPECT_GT(durable, 300);
}

TEST(RocksEngine, ADamagedBlockIsDataLossWithTheFileNameAndFatal) {
  std::atomic<int> fatal{0};
  RocksOptions options;
  options.on_fatal = [&](const absl::Status&) { ++fatal; };
  EngineFixture fixture(EngineKind::kRocks, options);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(Put(fixture.engine(), KeyOf(i), std::string(200, 'x')).ok());
  }
  ASSERT_TRUE(fixture.engine().Flush().ok());
  fixture.Close();
  std::string damaged;
  for (const auto& file : std::filesystem::directory_iterator(fixture.path())) {
    if (file.path().extension() != ".sst" || file.file_size() < 100'000) continue;
    std::fstream bytes(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(50'000);
    bytes.put('\x01');
    damaged = file.path().filename().string();
  }
  ASSERT_FALSE(damaged.empty());
  auto engine = fixture.TryOpen();
  ASSERT_TRUE(engine.ok()) << engine.status();
  absl::Status found;
  for (int i = 0; i < 1000 && found.ok(); ++i) {
    found = (*engine)->Get(Family::kKey, KeyOf(i)).status();
  }
  EXPECT_TRUE(absl::IsDataLoss(found)) << found;
  EXPECT_NE(found.message().find(damaged), absl::string_view::npos) << found;
  EXPECT_EQ(fatal, 1);
  EXPECT_TRUE(absl::IsDataLoss(Put(**engine, "new", "1")));
  const auto it = (*engine)->Scan(Family::kKey, "", "");
  while (it->Valid()) it->Next();
  EXPECT_TRUE(absl::IsDataLoss(it->status())) << it->status();
}

TEST(RocksEngine, AFailingSyncIsFatal) {
  std::atomic<int> fatal{0};
  RocksOptions options;
  options.on_fatal = [&](const absl::Status&) { ++fatal; };
  EngineFixture fixture(EngineKind::kRocks, options);
  ASSERT_TRUE(Put(fixture.engine(), "a", "1").ok());
  fixture.fs().SetSyncFails(true);
  EXPECT_FALSE(fixture.engine().Flush().ok());
  EXPECT_TRUE(EngineFixture::WaitUntil([&] { return fatal == 1; }));
  fixture.fs().SetSyncFails(false);
  // Never retried, even though the disk would answer again.
  EXPECT_FALSE(Put(fixture.engine(), "b", "1").ok());
  EXPECT_FALSE(fixture.engine().AcceptsWrites());
}

// a refused batch is tried again until it goes in; nothing is lost, nothing is there twice.
TEST(RocksEngine, ABatchRefusedByAFullDiskGoesInLater) {
  EngineFixture fixture(EngineKind::kRocks, {.write_buffer_bytes = 256 << 10});
  int refused = 0;
  for (int i = 0; i < 300; ++i) {
    if (i == 50) fixture.SetDiskFull(true);
    while (true) {
      const absl::Status status = Put(fixture.engine(), KeyOf(i), std::string(5'000, 'x'));
      if (status.ok()) break;
      ASSERT_TRUE(absl::IsResourceExhausted(status)) << status;
      ASSERT_TRUE(fixture.engine().Get(Family::kKey, KeyOf(0)).ok());
      ++refused;
      fixture.SetDiskFull(false);
      ASSERT_TRUE(EngineFixture::WaitUntil([&] { return fixture.engine().AcceptsWrites(); }));
    }
  }
  EXPECT_GE(refused, 1);
  ASSERT_TRUE(fixture.engine().Flush().ok());
  fixture.CrashAndReopen(0);
  for (int i = 0; i < 300; ++i) {
    const auto got = fixture.engine().Get(Family::kKey, KeyOf(i));
    ASSERT_TRUE(got.ok() && got->has_value()) << i;
  }
}

TEST(RocksEngine, AFlushGivesUpOnAFullDiskAndIsDoneWhenThereIsRoom) {
  EngineFixture fixture(EngineKind::kRocks);
  ASSERT_TRUE(Put(fixture.engine(), "a", "1").ok());
  fixture.SetDiskFull(true);
  const absl::Status status = fixture.engine().Flush();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_FALSE(fixture.engine().AcceptsWrites());
  fixture.SetDiskFull(false);
  ASSERT_TRUE(EngineFixture::WaitUntil([&] { return fixture.engine().AcceptsWrites(); }));
  ASSERT_TRUE(fixture.engine().Flush().ok());
  fixture.CrashAndReopen(0);
  EXPECT_EQ(**fixture.engine().Get(Family::kKey, "a"), "1");
}

TEST(RocksEngine, AFullDiskDoesNotHoldUpTheEnd) {
  // In a process of its own: an engine that cannot be closed stays behind.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        EngineFixture fixture(EngineKind::kRocks);
        if (!Put(fixture.engine(), "a", "1").ok()) std::exit(1);
        fixture.SetDiskFull(true);
        if (!absl::IsResourceExhausted(fixture.engine().Flush())) std::exit(2);
        fixture.Close();
        std::exit(42);
      },
      ::testing::ExitedWithCode(42), "left open");
}

TEST(RocksEngine, OpeningOnAFullDiskFailsAtOnce) {
  EngineFixture fixture(EngineKind::kRocks);
  fixture.Close();
  fixture.SetDiskFull(true);
  EXPECT_TRUE(absl::IsResourceExhausted(fixture.TryOpen().status()));
  fixture.SetDiskFull(false);
  EXPECT_TRUE(fixture.TryOpen().ok());
}

// Room that is made at once, and room that comes later.
TEST(RocksEngine, OpeningOnAFullDiskWaitsForTheRoomThatItAskedFor) {
  for (const bool is_made_at_once : {true, false}) {
    EngineFixture* disk = nullptr;
    std::atomic<int> asked{0};
    const auto make_room = [&] {
      ++asked;
      if (is_made_at_once) disk->SetDiskFull(false);
    };
    EngineFixture fixture(EngineKind::kRocks, {.make_room = make_room});
    disk = &fixture;
    ASSERT_TRUE(Put(fixture.engine(), "a", "1").ok());
    ASSERT_TRUE(fixture.engine().Flush().ok());
    fixture.Close();
    EXPECT_EQ(asked, 0);
    fixture.SetDiskFull(true);
    std::thread frees([&] {
      if (is_made_at_once) return;
      EXPECT_TRUE(EngineFixture::WaitUntil([&] { return asked > 0; }));
      fixture.SetDiskFull(false);
    });
    const auto opened = fixture.TryOpen();
    frees.join();
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_EQ(asked, 1);
    EXPECT_EQ(**(*opened)->Get(Family::kKey, "a"), "1");
    // A disk that fills up later is a matter of the running engine.
    ASSERT_TRUE(Put(**opened, "b", "2").ok());
    fixture.SetDiskFull(true);
    EXPECT_TRUE(absl::IsResourceExhausted((*opened)->Flush()));
    EXPECT_EQ(asked, 1);
    fixture.SetDiskFull(false);
    EXPECT_TRUE(EngineFixture::WaitUntil([&] { return (*opened)->AcceptsWrites(); }));
  }
}

TEST(RocksEngine, LittleFreeSpaceIsKnownFromTheStart) {
  EngineFixture fixture(EngineKind::kRocks, {.free_bytes_reserve = 1000});
  fixture.Close();
  fixture.fs().SetFreeBytes(999);
  const auto opened = fixture.TryOpen();
  ASSERT_TRUE(opened.ok());
  EXPECT_FALSE((*opened)->AcceptsWrites());
}

TEST(RocksEngine, LittleFreeSpaceRefusesBeforeTheDiskIsFull) {
  EngineFixture fixture(EngineKind::kRocks, {.free_bytes_reserve = 1000});
  fixture.fs().SetFreeBytes(999);
  EXPECT_TRUE(EngineFixture::WaitUntil([&] { return !fixture.engine().AcceptsWrites(); }));
  // What the cluster committed is still taken.
  EXPECT_TRUE(Put(fixture.engine(), "a", "1").ok());
  fixture.fs().SetFreeBytes(1999);
  EXPECT_FALSE(fixture.engine().AcceptsWrites());
  fixture.fs().SetFreeBytes(2000);
  EXPECT_TRUE(EngineFixture::WaitUntil([&] { return fixture.engine().AcceptsWrites(); }));
}

// Overwriting the same data again and again is compaction's debt, not growth.
TEST(RocksEngine, DebtDoesNotCountAsSize) {
  EngineFixture fixture(EngineKind::kRocks, {.write_buffer_bytes = 256 << 10});
  std::uint64_t highest = 0;
  for (int round = 0; round < 15; ++round) {
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(
          Put(fixture.engine(), KeyOf(i), std::string(5'000, static_cast<char>('a' + round))).ok());
    }
    ASSERT_TRUE(fixture.engine().Flush().ok());
    highest = std::max(highest, fixture.engine().Size().total);
  }
  // 7 MB were written, half a megabyte is alive.
  EXPECT_LT(highest, 2'500'000U);
}

}  // namespace
}  // namespace etcd::engine
