#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/errc.h"
#include "server/storage/engine/mem_engine.h"
#include "tests/unit/storage/mvcc/store_fixture.h"

namespace etcd::mvcc {
namespace {

// "3: +a(create) -b<2" : revision, kind, key, where the state before is.
std::string Print(const RevisionChanges& revision) {
  std::string out = std::to_string(revision.revision.value()) + ":";
  for (const ChangeRecord& change : revision.changes) {
    out += change.kind == ChangeRecord::Kind::kPut ? " +" : " -";
    out.append(change.key);
    if (change.is_create) out += "(create)";
    if (change.has_prev) out += "<" + std::to_string(change.prev.revision.main.value());
  }
  return out;
}

class Recorder final : public RevisionObserver {
 public:
  void OnRevisions(const std::vector<std::shared_ptr<const RevisionChanges>>& revisions) override {
    for (const auto& revision : revisions) seen.push_back(Print(*revision));
  }
  std::vector<std::string> seen;
};

struct HistoryTest : ::testing::Test {
  engine::MemEngine engine;
  StoreHarness h{engine, {.compaction_batch_limit = 10}};
  Recorder recorder;

  void SetUp() override { h.store().SetObserver(&recorder); }

  std::vector<std::string> Read(Revision from, Revision to) {
    std::vector<std::string> out;
    auto cursor = h.store().ReadHistory(from, to);
    if (!cursor.ok()) return {std::string(cursor.status().message())};
    while (true) {
      auto next = (*cursor)->Next();
      if (!next.ok()) {
        out.emplace_back(next.status().message());
        return out;
      }
      if (*next == nullptr) return out;
      out.push_back(Print(**next));
    }
  }
};

TEST_F(HistoryTest, EqualsWhatTheObserverSaw) {
  h.Put("a", "1");
  h.Put("a", "2");
  h.Apply([](WriteTxn& txn) {
    txn.Put("b", "1", {});
    txn.Put("c", "1", {});
    txn.DeleteRange({"a", ""}, [](std::string_view, const KvRef&) {});
  });
  h.Put("a", "3");
  h.Apply([](WriteTxn& txn) {  // delete and put of one key: the state before is before both
    txn.DeleteRange({"a", std::string_view("\0", 1)}, [](std::string_view, const KvRef&) {});
    txn.Put("a", "4", {});
    txn.Put("b", "4", {});
  });
  h.Apply([](WriteTxn& txn) {
    txn.Put("d", "1", {});
    txn.DeleteRange({"d", ""}, [](std::string_view, const KvRef&) {});
  });
  EXPECT_EQ(recorder.seen,
            (std::vector<std::string>{"2: +a(create)", "3: +a<2", "4: +b(create) +c(create) -a<3",
                                      "5: +a(create)", "6: -a<5 -b<4 -c<4 +a(create) +b(create)",
                                      "7: +d(create) -d"}));
  EXPECT_EQ(Read(Revision(2), Revision(7)), recorder.seen);
  EXPECT_EQ(Read(Revision(4), Revision(5)),
            (std::vector<std::string>{recorder.seen[2], recorder.seen[3]}));
  EXPECT_TRUE(Read(Revision(5), Revision(4)).empty());
}

TEST_F(HistoryTest, PreviousStateCanBeFetched) {
  h.Put("a", "1");
  h.Put("a", "2");
  auto cursor = h.store().ReadHistory(Revision(3), Revision(3));
  ASSERT_TRUE(cursor.ok());
  const auto changes = (*cursor)->Next();
  ASSERT_TRUE(changes.ok());
  std::string previous;
  ASSERT_TRUE(h.store()
                  .Fetch(std::vector{(*changes)->changes[0].prev},
                         [&](std::size_t, std::string_view stored) { previous = stored; })
                  .ok());
  KeyValueFields fields;
  ASSERT_TRUE(DecodeKeyValue(previous, fields));
  EXPECT_EQ(fields.value, "1");
}

TEST_F(HistoryTest, NoPreviousBelowTheCompactRevision) {
  h.Put("a", "1");
  h.Put("a", "2");  // 3
  h.Put("a", "3");  // 4
  ASSERT_TRUE(h.Compact(Revision(3)).ok());
  EXPECT_EQ(Read(Revision(3), Revision(4)), (std::vector<std::string>{"3: +a", "4: +a<3"}));
  h.executor().Run();
  EXPECT_EQ(Read(Revision(3), Revision(4)), (std::vector<std::string>{"3: +a", "4: +a<3"}));
}

TEST_F(HistoryTest, ErrorsOfRevisions) {
  for (int i = 0; i < 5; ++i) h.Put("a", "1");
  h.CompactFully(Revision(4));
  EXPECT_EQ(ErrcOf(h.store().ReadHistory(Revision(3), Revision(5)).status()), Errc::kCompacted);
  EXPECT_EQ(ErrcOf(h.store().ReadHistory(Revision(4), Revision(9)).status()),
            Errc::kFutureRevision);
}

// A watcher that falls behind compaction must be told, never skip.
TEST_F(HistoryTest, ACursorThatCompactionPassesSaysSo) {
  for (int i = 0; i < 3000; ++i) h.Put("k" + std::to_string(i % 5), "x");
  auto cursor = h.store().ReadHistory(Revision(2), Revision(3001));
  ASSERT_TRUE(cursor.ok());
  ASSERT_TRUE((*cursor)->Next().ok());
  h.CompactFully(Revision(2500));
  int more = 0;
  absl::Status status;
  while (true) {
    const auto next = (*cursor)->Next();
    status = next.status();
    if (!status.ok() || *next == nullptr) break;
    EXPECT_EQ((*next)->revision, Revision(3 + more));
    ++more;
  }
  EXPECT_EQ(ErrcOf(status), Errc::kCompacted);
  EXPECT_LT(more, 1000);
}

TEST_F(HistoryTest, ChunksNeverSplitARevision) {
  h.Apply([](WriteTxn& txn) {
    for (int i = 0; i < 2500; ++i) txn.Put("k" + std::to_string(i), std::string(600, 'x'), {});
  });
  h.Put("z", "1");
  auto cursor = h.store().ReadHistory(Revision(2), Revision(3));
  ASSERT_TRUE(cursor.ok());
  const auto first = (*cursor)->Next();
  ASSERT_TRUE(first.ok());
  EXPECT_EQ((*first)->changes.size(), 2500U);
  EXPECT_EQ((**(*cursor)->Next()).revision, Revision(3));
  EXPECT_EQ(*(*cursor)->Next(), nullptr);
}

}  // namespace
}  // namespace etcd::mvcc
