#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/storage/engine/mem_engine.h"
#include "tests/support/engine_fixture.h"

// What every KvEngine promises, on each of them.
namespace etcd::engine {
namespace {

using etcd::testing::AllEngines;
using etcd::testing::EngineFixture;
using etcd::testing::EngineKind;
using etcd::testing::NameOf;

class EngineContract : public ::testing::TestWithParam<EngineKind> {
 protected:
  EngineFixture fixture_{GetParam()};
  KvEngine& engine() { return fixture_.engine(); }

  void Put(Family family, const std::string& key, const std::string& value) {
    WriteBatch batch;
    batch.Put(family, key, value);
    ASSERT_TRUE(engine().Write(batch).ok());
  }
  std::string Get(Family family, std::string_view key) {
    auto got = engine().Get(family, key);
    EXPECT_TRUE(got.ok()) << got.status();
    return got->value_or("(absent)");
  }
  std::string Dump(Iterator& it) {
    std::string out;
    for (; it.Valid(); it.Next()) {
      out.append(it.key()).append("=").append(it.value()).append(" ");
    }
    EXPECT_TRUE(it.status().ok());
    return out;
  }
};

TEST_P(EngineContract, ReadsWhatWasWrittenPerFamily) {
  Put(Family::kKey, "a", "1");
  Put(Family::kRev, "a", "2");
  Put(Family::kMeta, "a", "3");
  EXPECT_EQ(Get(Family::kKey, "a"), "1");
  EXPECT_EQ(Get(Family::kRev, "a"), "2");
  EXPECT_EQ(Get(Family::kMeta, "a"), "3");
  EXPECT_EQ(Get(Family::kKey, "b"), "(absent)");
}

TEST_P(EngineContract, LaterOperationOfABatchWins) {
  WriteBatch batch;
  batch.Put(Family::kKey, "a", "1");
  batch.Delete(Family::kKey, "a");
  batch.Put(Family::kKey, "b", "1");
  batch.Put(Family::kKey, "b", "2");
  batch.Delete(Family::kKey, "c");
  batch.Put(Family::kKey, "c", "3");
  ASSERT_TRUE(engine().Write(batch).ok());
  EXPECT_EQ(Get(Family::kKey, "a"), "(absent)");
  EXPECT_EQ(Get(Family::kKey, "b"), "2");
  EXPECT_EQ(Get(Family::kKey, "c"), "3");
}

TEST_P(EngineContract, AViewShowsAllFamiliesAsTheyWere) {
  Put(Family::kKey, "a", "1");
  Put(Family::kRev, "a", "2");
  Put(Family::kMeta, "gone", "3");
  const std::unique_ptr<View> view = engine().PinView();
  WriteBatch batch;
  batch.Put(Family::kKey, "a", "later");
  batch.Put(Family::kRev, "b", "later");
  batch.Delete(Family::kMeta, "gone");
  ASSERT_TRUE(engine().Write(batch).ok());
  EXPECT_EQ(view->Get(Family::kKey, "a")->value_or("(absent)"), "1");
  EXPECT_EQ(view->Get(Family::kRev, "b")->value_or("(absent)"), "(absent)");
  EXPECT_EQ(view->Get(Family::kMeta, "gone")->value_or("(absent)"), "3");
  EXPECT_EQ(Dump(*view->Scan(Family::kRev, "", "")), "a=2 ");
  EXPECT_EQ(Dump(*view->Scan(Family::kMeta, "g", "h")), "gone=3 ");
  EXPECT_EQ(Dump(*engine().Scan(Family::kRev, "", "")), "a=2 b=later ");
}

TEST_P(EngineContract, KeysAndValuesAreBytes) {
  const std::string key("\0\xff_\0", 4);
  const std::string value("\0\0", 2);
  Put(Family::kKey, key, value);
  Put(Family::kKey, "empty", "");
  EXPECT_EQ(Get(Family::kKey, key), value);
  EXPECT_EQ(Get(Family::kKey, "empty"), "");
}

TEST_P(EngineContract, ScanIsAscendingAndHalfOpen) {
  for (const char* key : {"d", "b", "a", "c"}) Put(Family::kKey, key, key);
  EXPECT_EQ(Dump(*engine().Scan(Family::kKey, "b", "d")), "b=b c=c ");
  EXPECT_EQ(Dump(*engine().Scan(Family::kKey, "b", "")), "b=b c=c d=d ");
  EXPECT_EQ(Dump(*engine().Scan(Family::kKey, "x", "")), "");
  EXPECT_EQ(Dump(*engine().Scan(Family::kRev, "", "")), "");
  const auto it = engine().Scan(Family::kKey, "", "d");
  it->Seek("bb");
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "c");
  it->Seek("d");
  EXPECT_FALSE(it->Valid());
}

TEST_P(EngineContract, IteratorKeepsItsView) {
  Put(Family::kKey, "a", "old");
  Put(Family::kKey, "b", "old");
  const auto it = engine().Scan(Family::kKey, "", "");
  WriteBatch batch;
  batch.Put(Family::kKey, "a", "new");
  batch.Delete(Family::kKey, "b");
  batch.Put(Family::kKey, "c", "new");
  ASSERT_TRUE(engine().Write(batch).ok());
  EXPECT_EQ(Dump(*it), "a=old b=old ");
  EXPECT_EQ(Dump(*engine().Scan(Family::kKey, "", "")), "a=new c=new ");
}

TEST_P(EngineContract, MultiGetAnswersInTheOrderAsked) {
  Put(Family::kKey, "a", "1");
  Put(Family::kKey, "c", "3");
  const std::vector<std::string_view> keys = {"c", "b", "a", "c"};
  std::string seen;
  ASSERT_TRUE(engine()
                  .MultiGet(Family::kKey, keys,
                            [&](std::size_t i, std::optional<std::string_view> value) {
                              seen += std::to_string(i);
                              seen += value.value_or("-");
                              return absl::OkStatus();
                            })
                  .ok());
  EXPECT_EQ(seen, "031-2133");
}

TEST_P(EngineContract, MultiGetStopsAtTheFirstError) {
  Put(Family::kKey, "a", "1");
  const std::vector<std::string_view> keys = {"a", "a"};
  int calls = 0;
  const absl::Status status =
      engine().MultiGet(Family::kKey, keys, [&](std::size_t, std::optional<std::string_view>) {
        ++calls;
        return absl::AbortedError("enough");
      });
  EXPECT_TRUE(absl::IsAborted(status));
  EXPECT_EQ(calls, 1);
}

TEST_P(EngineContract, FlushedWritesSurviveACrash) {
  Put(Family::kKey, "a", "1");
  Put(Family::kMeta, "m", "1");
  ASSERT_TRUE(engine().Flush().ok());
  fixture_.CrashAndReopen(0);
  EXPECT_EQ(Get(Family::kKey, "a"), "1");
  EXPECT_EQ(Get(Family::kMeta, "m"), "1");
}

// Each batch writes its number to all families: whatever a crash leaves must be the state after
// some batch, in all families the same one, and none before the last flush.
TEST_P(EngineContract, ACrashLosesASuffixOfWholeBatches) {
  for (std::uint64_t round = 0; round < 12; ++round) {
    fixture_.Reset();
    int flushed = 0;
    for (int i = 1; i <= 40; ++i) {
      WriteBatch batch;
      for (const Family family : {Family::kKey, Family::kRev, Family::kMeta}) {
        batch.Put(family, "last", std::to_string(i));
        batch.Put(family, "n" + std::to_string(i), "x");
      }
      if (i > 3) batch.Delete(Family::kKey, "n" + std::to_string(i - 3));
      ASSERT_TRUE(engine().Write(batch).ok());
      if (i == static_cast<int>(round) * 3) {
        ASSERT_TRUE(engine().Flush().ok());
        flushed = i;
      }
    }
    fixture_.CrashAndReopen(round);
    const std::string last = Get(Family::kMeta, "last");
    EXPECT_EQ(Get(Family::kKey, "last"), last);
    EXPECT_EQ(Get(Family::kRev, "last"), last);
    const int at = last == "(absent)" ? 0 : std::stoi(last);
    EXPECT_GE(at, flushed);
    for (int i = 1; i <= 40; ++i) {
      const std::string name = "n" + std::to_string(i);
      EXPECT_EQ(Get(Family::kRev, name), i <= at ? "x" : "(absent)");
      EXPECT_EQ(Get(Family::kKey, name), i <= at && i + 3 > at ? "x" : "(absent)");
    }
  }
}

TEST_P(EngineContract, SizeGrowsWithTheData) {
  const EngineSize empty = engine().Size();
  for (int i = 0; i < 100; ++i) Put(Family::kKey, std::to_string(i), std::string(10'000, 'x'));
  EXPECT_GE(engine().Size().total, empty.total + 1'000'000);
  EXPECT_GE(engine().Size().in_use, empty.in_use + 1'000'000);
}

TEST_P(EngineContract, AFullDiskRefusesWritesAndServesReads) {
  Put(Family::kKey, "a", "1");
  ASSERT_TRUE(engine().Flush().ok());
  Put(Family::kKey, "b", "2");
  fixture_.SetDiskFull(true);
  const absl::Status status = engine().Flush();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_FALSE(engine().AcceptsWrites());
  EXPECT_EQ(Get(Family::kKey, "a"), "1");
  EXPECT_EQ(Get(Family::kKey, "b"), "2");
  WriteBatch batch;
  batch.Put(Family::kKey, "c", "3");
  // Either taken (in memory) or refused; a refused batch may be tried again.
  const absl::Status refused = engine().Write(batch);
  EXPECT_TRUE(refused.ok() || absl::IsResourceExhausted(refused)) << refused;
  fixture_.SetDiskFull(false);
  ASSERT_TRUE(fixture_.WaitUntil([&] { return engine().AcceptsWrites(); }));
  ASSERT_TRUE(engine().Write(batch).ok());
  ASSERT_TRUE(engine().Flush().ok());
  fixture_.CrashAndReopen(0);
  EXPECT_EQ(Get(Family::kKey, "a"), "1");
  EXPECT_EQ(Get(Family::kKey, "b"), "2");
  EXPECT_EQ(Get(Family::kKey, "c"), "3");
}

INSTANTIATE_TEST_SUITE_P(Engines, EngineContract, ::testing::ValuesIn(AllEngines()),
                         [](const auto& param) { return NameOf(param.param); });

}  // namespace
}  // namespace etcd::engine
