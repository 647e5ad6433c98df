#include "server/storage/engine/mem_engine.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace etcd::engine {
namespace {

void Put(MemEngine& engine, int value) {
  WriteBatch batch;
  batch.Put(Family::kKey, "k", std::to_string(value));
  ASSERT_TRUE(engine.Write(batch).ok());
}

TEST(MemEngine, ASeededCrashReachesEveryOutcome) {
  std::set<std::string> outcomes;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    MemEngine engine;
    for (int i = 0; i < 4; ++i) Put(engine, i);
    engine.Crash(seed);
    outcomes.insert(engine.Get(Family::kKey, "k")->value_or("none"));
  }
  EXPECT_EQ(outcomes, (std::set<std::string>{"none", "0", "1", "2", "3"}));
}

TEST(MemEngine, CrashToLastFlushLosesTheRest) {
  MemEngine engine;
  Put(engine, 1);
  ASSERT_TRUE(engine.Flush().ok());
  Put(engine, 2);
  EXPECT_EQ(engine.unflushed_batches(), 1U);
  engine.CrashToLastFlush();
  EXPECT_EQ(**engine.Get(Family::kKey, "k"), "1");
  EXPECT_EQ(engine.unflushed_batches(), 0U);
}

TEST(MemEngine, FlushesBySeedWhenTold) {
  MemEngine engine({.spontaneous_flush_one_in = 3, .seed = 7});
  bool flushed = false;
  for (int i = 0; i < 50; ++i) {
    Put(engine, i);
    flushed = flushed || engine.unflushed_batches() == 0;
  }
  EXPECT_TRUE(flushed);
}

TEST(MemEngine, SizeReturnsToZero) {
  MemEngine engine;
  Put(engine, 1);
  EXPECT_EQ(engine.Size().total, 2U);
  WriteBatch batch;
  batch.Delete(Family::kKey, "k");
  ASSERT_TRUE(engine.Write(batch).ok());
  EXPECT_EQ(engine.Size().total, 0U);
}

}  // namespace
}  // namespace etcd::engine
