#include "server/storage/engine/replace.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/engine_fixture.h"

// Replacing all content, on each engine.
namespace etcd::engine {
namespace {

using etcd::testing::AllEngines;
using etcd::testing::EngineFixture;
using etcd::testing::EngineKind;
using etcd::testing::NameOf;

constexpr Family kAll[] = {Family::kKey, Family::kRev, Family::kMeta};

// In each family: mark=<mark>, and keys that only this content has.
WriteBatch Content(const std::string& mark) {
  WriteBatch batch;
  for (const Family family : kAll) {
    batch.Put(family, "mark", mark);
    for (int i = 0; i < 50; ++i) batch.Put(family, mark + std::to_string(i), mark);
  }
  return batch;
}

class Replace : public ::testing::TestWithParam<EngineKind> {
 protected:
  EngineFixture fixture_{GetParam()};
  KvEngine& engine() { return fixture_.engine(); }

  void Write(const WriteBatch& batch) {
    const absl::Status status = engine().Write(batch);
    ASSERT_TRUE(status.ok()) << status;
  }
  std::unique_ptr<Replacement> Start(const std::string& mark) {
    auto started = engine().StartReplacement();
    EXPECT_TRUE(started.ok()) << started.status();
    EXPECT_TRUE((*started)->Write(Content(mark)).ok());
    return std::move(*started);
  }
  void ReplaceBy(const std::string& mark) {
    const absl::Status status = Start(mark)->Commit();
    ASSERT_TRUE(status.ok()) << status;
  }
  // The mark of the content when it is whole; anything else names what is wrong.
  std::string Seen() {
    std::string mark = engine().Get(Family::kMeta, "mark")->value_or("(empty)");
    for (const Family family : kAll) {
      int keys = 0;
      const auto it = engine().Scan(family, "", "");
      for (; it->Valid(); it->Next(), ++keys) {
        if (it->key() != "mark" && !it->key().starts_with(mark)) return "mixed";
        if (it->value() != mark) return "mixed";
      }
      if (!it->status().ok()) return it->status().ToString();
      if (keys != 51) return std::to_string(keys) + " keys";
    }
    return mark;
  }
};

TEST_P(Replace, ShowsAllOfTheNewContentAndNothingOfTheOld) {
  Write(Content("old"));
  ReplaceBy("new");
  EXPECT_EQ(Seen(), "new");
}

TEST_P(Replace, IsDurableAtOnce) {
  Write(Content("old"));
  ReplaceBy("new");
  fixture_.CrashAndReopen(1);
  EXPECT_EQ(Seen(), "new");
}

TEST_P(Replace, WithoutCommitChangesNothing) {
  Write(Content("old"));
  Start("new").reset();
  EXPECT_EQ(Seen(), "old");
  ASSERT_TRUE(engine().Flush().ok());
  fixture_.CrashAndReopen(1);
  EXPECT_EQ(Seen(), "old");
}

TEST_P(Replace, CanBeDoneAgainAndAgain) {
  for (int round = 0; round < 5; ++round) {
    const std::string mark = "round" + std::to_string(round) + "-";
    ReplaceBy(mark);
    EXPECT_EQ(Seen(), mark);
    Start("dropped").reset();
    if (round % 2 == 0) fixture_.Reopen();
    EXPECT_EQ(Seen(), mark);
  }
}

TEST_P(Replace, IsOneAtATime) {
  auto first = Start("new");
  EXPECT_EQ(engine().StartReplacement().status().code(), absl::StatusCode::kFailedPrecondition);
  first.reset();
  EXPECT_TRUE(engine().StartReplacement().ok());
}

TEST_P(Replace, WritesAfterItAddToTheNewContent) {
  Write(Content("old"));
  ReplaceBy("new");
  WriteBatch batch;
  batch.Put(Family::kRev, "new-later", "new");
  batch.Delete(Family::kRev, "new0");
  Write(batch);
  EXPECT_EQ(Seen(), "new");
  ASSERT_TRUE(engine().Flush().ok());
  fixture_.CrashAndReopen(1);
  EXPECT_EQ(Seen(), "new");
  EXPECT_TRUE(engine().Get(Family::kRev, "new-later")->has_value());
}

TEST_P(Replace, ReadersThatAreAliveKeepTheOldContent) {
  Write(Content("old"));
  const std::unique_ptr<View> view = engine().PinView();
  const auto it = engine().Scan(Family::kKey, "", "");
  ReplaceBy("new");
  for (const Family family : kAll) EXPECT_EQ(**view->Get(family, "mark"), "old");
  EXPECT_EQ(view->Scan(Family::kMeta, "", "")->value(), "old");
  int keys = 0;
  for (; it->Valid(); it->Next(), ++keys) EXPECT_EQ(it->value(), "old");
  EXPECT_EQ(keys, 51);
}

TEST_P(Replace, GoesOnWhileOthersWriteTheOldContent) {
  Write(Content("old"));
  auto replacement = Start("new");
  WriteBatch batch;
  batch.Put(Family::kKey, "mark", "changed");
  Write(batch);
  ASSERT_TRUE(replacement->Commit().ok());
  EXPECT_EQ(Seen(), "new");
}

TEST_P(Replace, OnAFullDiskIsRefused) {
  Write(Content("old"));
  ASSERT_TRUE(engine().Flush().ok());
  auto replacement = Start("new");
  fixture_.SetDiskFull(true);
  EXPECT_EQ(replacement->Commit().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Seen(), "old");
  fixture_.SetDiskFull(false);
  replacement.reset();
  ASSERT_TRUE(fixture_.WaitUntil([&] { return engine().AcceptsWrites(); }));
  ReplaceBy("new");
  EXPECT_EQ(Seen(), "new");
}

INSTANTIATE_TEST_SUITE_P(Engines, Replace, ::testing::ValuesIn(AllEngines()),
                         [](const auto& kind) { return NameOf(kind.param); });

// The power goes at each sync in turn: before the commit, in it, and after it.
TEST(ReplaceRocks, APowerCutAtAnySyncLeavesTheOldContentOrTheNew) {
  int old_seen = 0;
  int new_seen = 0;
  for (std::uint64_t at = 1; old_seen + new_seen == static_cast<int>(at) - 1; ++at) {
    for (const bool from_first_generation : {true, false}) {
      EngineFixture fixture(EngineKind::kRocks);
      if (!from_first_generation) {
        auto first = fixture.engine().StartReplacement();
        ASSERT_TRUE((*first)->Commit().ok());
      }
      ASSERT_TRUE(fixture.engine().Write(Content("old")).ok());
      ASSERT_TRUE(fixture.engine().Flush().ok());
      fixture.fs().FreezeAtSync(at);
      {
        auto replacement = fixture.engine().StartReplacement();
        ASSERT_TRUE(replacement.ok());
        ASSERT_TRUE((*replacement)->Write(Content("new")).ok());
        ASSERT_TRUE((*replacement)->Commit().ok());
      }
      if (!fixture.fs().frozen()) {
        EXPECT_GT(old_seen, 5);
        EXPECT_GT(new_seen, 0);
        return;
      }
      fixture.CrashAndReopen(0);
      std::string mark = fixture.engine().Get(Family::kMeta, "mark")->value_or("(empty)");
      for (const Family family : kAll) {
        const auto it = fixture.engine().Scan(family, "", "");
        int keys = 0;
        for (; it->Valid(); it->Next(), ++keys) ASSERT_EQ(it->value(), mark) << "sync " << at;
        ASSERT_EQ(keys, 51) << mark << " at sync " << at;
      }
      if (from_first_generation) (mark == "old" ? old_seen : new_seen)++;
    }
  }
}

}  // namespace
}  // namespace etcd::engine
