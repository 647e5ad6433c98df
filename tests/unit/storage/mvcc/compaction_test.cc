#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/crc32c.h"
#include "server/base/errc.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/engine/mem_engine.h"
#include "server/storage/mvcc/revision_key.h"
#include "tests/unit/storage/mvcc/store_fixture.h"

namespace etcd::mvcc {
namespace {

constexpr StoreOptions kSmallSteps{.compaction_batch_limit = 10};

struct CompactionTest : ::testing::Test {
  engine::MemEngine engine;
  StoreHarness h{engine, kSmallSteps};

  // Changes from a revision on: "+a@3 -a@4".
  std::string History(Revision from) {
    auto cursor = h.store().ReadHistory(from, h.store().current_revision());
    if (!cursor.ok()) return std::string(cursor.status().message());
    std::string out;
    while (true) {
      auto next = (*cursor)->Next();
      if (!next.ok()) return std::string(next.status().message());
      if (*next == nullptr) return out;
      for (const ChangeRecord& change : (*next)->changes) {
        if (!out.empty()) out += " ";
        out += change.kind == ChangeRecord::Kind::kPut ? "+" : "-";
        out.append(change.key) += "@" + std::to_string(change.revision.main.value());
      }
    }
  }
  // Power cut that loses nothing written (the interesting part is where the job was).
  void Restart() {
    h.Close();
    ASSERT_TRUE(engine.Flush().ok());
    h.Open();
  }
};

TEST_F(CompactionTest, RulesOfTheRequest) {
  EXPECT_TRUE(h.Compact(Revision(0)).ok());  // -1 before the first one
  EXPECT_EQ(ErrcOf(h.Compact(Revision(0))), Errc::kCompacted);
  EXPECT_EQ(ErrcOf(h.Compact(Revision(2))), Errc::kFutureRevision);
  h.Put("a", "1");
  EXPECT_TRUE(h.Compact(Revision(2)).ok());
  EXPECT_EQ(ErrcOf(h.Compact(Revision(2))), Errc::kCompacted);
  EXPECT_EQ(ErrcOf(h.Compact(Revision(-1))), Errc::kCompacted);
}

TEST_F(CompactionTest, MarksAtOnceAndDeletesLater) {
  for (int i = 0; i < 5; ++i) h.Put("a", std::to_string(i));
  ASSERT_TRUE(h.Compact(Revision(6)).ok());
  EXPECT_EQ(h.store().compact_revision(), Revision(6));
  EXPECT_EQ(h.Range({.range = {"a", ""}, .revision = Revision(5)}),
            "etcdserver: mvcc: required revision has been compacted");
  EXPECT_EQ(h.Records(engine::Family::kKey).size(), 5U);
  h.executor().Run();
  EXPECT_EQ(h.Records(engine::Family::kKey).size(), 1U);
  EXPECT_EQ(h.Records(engine::Family::kRev).size(), 1U);
  EXPECT_EQ(h.All(), "a=4@6");
}

TEST_F(CompactionTest, CompactionInTheBatchOfAPutLeavesReadersAlone) {
  h.Put("a", "1");
  engine::WriteBatch batch;
  h.store().BeginBatch(batch);
  h.store().BeginTxn()->Put("a", "2", {});
  ASSERT_TRUE(h.store().Compact(Revision(3)).ok());
  // Revision 2 is the head until the batch is there.
  EXPECT_EQ(h.All(), "a=1@2");
  h.Commit(batch);
  EXPECT_EQ(h.All(), "a=2@3");
}

TEST_F(CompactionTest, APinnedReaderKeepsItsRecords) {
  h.Put("a", "1");
  h.Put("b", "1");
  auto pinned = h.store().Range({.range = StoreHarness::kAll});
  ASSERT_TRUE(pinned.ok());
  h.Put("a", "2");
  h.Delete("b");
  h.Put("a", "3");
  ASSERT_TRUE(h.Compact(Revision(6)).ok());
  bool finished = false;
  h.store().WhenCompacted(Revision(6), [&] { finished = true; });
  h.executor().Run(200);
  int read = 0;
  EXPECT_TRUE(h.store().Fetch(pinned->refs, [&](std::size_t, std::string_view) { ++read; }).ok());
  EXPECT_EQ(read, 2);
  EXPECT_FALSE(finished);
  pinned = absl::UnknownError("gone");
  h.executor().Run(200);
  EXPECT_TRUE(finished);
  EXPECT_EQ(h.Records(engine::Family::kKey).size(), 1U);
}

TEST_F(CompactionTest, AnUnpinnedRefIsCompactedNotDamaged) {
  h.Put("a", "1");
  const KvRef ref = h.store().Range({.range = {"a", ""}})->refs[0];
  h.Put("a", "2");
  h.CompactFully(Revision(3));
  EXPECT_EQ(ErrcOf(h.store().Fetch(std::vector{ref}, [](std::size_t, std::string_view) {})),
            Errc::kCompacted);
}

TEST_F(CompactionTest, WhenCompactedAnswersPastOnesAtOnce) {
  h.Put("a", "1");
  h.CompactFully(Revision(2));
  bool finished = false;
  h.store().WhenCompacted(Revision(2), [&] { finished = true; });
  h.executor().Run();
  EXPECT_TRUE(finished);
}

TEST_F(CompactionTest, QueuedCompactionsFinishInOrder) {
  for (int i = 0; i < 100; ++i) h.Put("a", std::to_string(i));
  std::string order;
  for (const int at : {20, 50, 101}) {
    ASSERT_TRUE(h.Compact(Revision(at)).ok());
    h.store().WhenCompacted(Revision(at), [&, at] { order += std::to_string(at) + " "; });
  }
  h.executor().Run();
  EXPECT_EQ(order, "20 50 101 ");
  EXPECT_EQ(h.Records(engine::Family::kKey).size(), 1U);
}

TEST_F(CompactionTest, WaitsForRoomOnAFullDisk) {
  for (int i = 0; i < 50; ++i) h.Put("a", std::to_string(i));
  ASSERT_TRUE(h.Compact(Revision(51)).ok());
  engine.SetFull(true);
  h.executor().Run(1000);
  EXPECT_EQ(h.Records(engine::Family::kKey).size(), 50U);
  engine.SetFull(false);
  h.executor().Run(1000);
  EXPECT_EQ(h.Records(engine::Family::kKey).size(), 1U);
}

// 14685: after a crash the revision must be the one that the records say, whatever was swapped or
// deleted underneath. Here: the last batches are lost, each as a whole, as many as the seed draws.
TEST_F(CompactionTest, Bug14685StateAfterACrashIsOneOfTheBatches) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    engine::MemEngine fresh;
    StoreHarness store(fresh, kSmallSteps);
    std::vector<std::string> states = {store.All()};  // at revision 1, 2, ...
    const auto put = [&](int i) {
      store.Put("k" + std::to_string(i % 7), std::to_string(i));
      states.push_back(store.All());
    };
    for (int i = 0; i < 30; ++i) put(i);
    ASSERT_TRUE(fresh.Flush().ok());
    for (int i = 30; i < 60; ++i) put(i);
    ASSERT_TRUE(store.Compact(Revision(45)).ok());
    store.executor().Run(7);
    store.Close();
    fresh.Crash(seed);
    store.Open();
    const auto revision = store.store().current_revision().value();
    ASSERT_GE(revision, 31);
    ASSERT_LE(revision, 61);
    EXPECT_EQ(store.All(), states[static_cast<std::size_t>(revision - 1)]);
    EXPECT_EQ(store.Put("next", "1"), Revision(revision + 1));
  }
}

// 17780: the newest record is a tombstone, compaction removes it, the revision must not go back.
TEST_F(CompactionTest, Bug17780RevisionNeverDecreases) {
  h.Put("a", "1");
  h.Put("b", "1");
  h.Delete("a", "c");  // revision 4, two tombstones
  h.Put("c", "1");
  h.Delete("c");  // revision 6
  const Revision head = h.store().current_revision();
  h.CompactFully(head);
  // The tombstone at the head stays; one put and one compaction more remove every record.
  h.Put("d", "1");
  h.Delete("d");
  h.Apply([](WriteTxn& txn) { txn.Put("e", "1", {}); });
  h.Delete("e");
  const Revision last = h.store().current_revision();
  h.CompactFully(last);
  for (const auto& key : h.Records(engine::Family::kKey)) {
    engine::WriteBatch batch;  // as if an older member had removed the tombstone too
    batch.Delete(engine::Family::kKey, key);
    batch.Delete(engine::Family::kRev, key);
    ASSERT_TRUE(engine.Write(batch).ok());
  }
  engine::WriteBatch marks;  // and had not got to its marks
  for (const auto mark : {engine::kMetaScheduledCompactRev, engine::kMetaFinishedCompactRev}) {
    marks.Delete(engine::Family::kMeta, engine::MetaKey(engine::kBucketMeta, mark));
  }
  ASSERT_TRUE(engine.Write(marks).ok());
  Restart();
  EXPECT_EQ(h.store().current_revision(), last);
  EXPECT_EQ(h.Put("f", "1"), last + 1);
}

// 18089: a watch from the compact revision must get the delete that happened there.
TEST_F(CompactionTest, Bug18089DeleteAtTheCompactRevisionIsKept) {
  h.Put("a", "1");
  h.Put("b", "1");
  const Revision deleted = h.Delete("a");
  h.Put("b", "2");
  h.CompactFully(deleted);
  EXPECT_EQ(History(deleted), "-a@4 +b@5");
  Restart();
  EXPECT_EQ(History(deleted), "-a@4 +b@5");
  EXPECT_EQ(History(deleted - 1), "etcdserver: mvcc: required revision has been compacted");
}

// 19179: the same, with a crash at each step of a compaction of many batches.
TEST_F(CompactionTest, Bug19179CrashAnywhereInCompactionKeepsTheDeleteAndResurrectsNothing) {
  for (int steps = 0;; ++steps) {
    SCOPED_TRACE(steps);
    engine::MemEngine fresh;
    // Fewer than a key has revisions, so that a crash cuts keys in two.
    StoreHarness store(fresh, {.compaction_batch_limit = 3});
    for (int round = 0; round < 4; ++round) {
      for (int i = 0; i < 8; ++i) store.Put("k" + std::to_string(i), std::to_string(round));
    }
    for (int i = 0; i < 6; ++i) store.Delete("k" + std::to_string(i));
    const Revision deleted = store.store().current_revision();  // of k5
    store.Put("k7", "last");
    const std::string expected = store.All();
    ASSERT_TRUE(store.Compact(deleted).ok());
    ASSERT_TRUE(fresh.Flush().ok());
    const bool finished = store.executor().Run(steps) < steps;
    store.Close();
    fresh.Crash(static_cast<std::uint64_t>(steps));
    store.Open();
    EXPECT_EQ(store.All(), expected);
    EXPECT_EQ(store.store().current_revision(), deleted + 1);
    const auto history = store.store().ReadHistory(deleted, deleted);
    ASSERT_TRUE(history.ok());
    const auto change = (*history)->Next();
    ASSERT_TRUE(change.ok() && *change != nullptr);
    EXPECT_EQ((*change)->changes[0].key, "k5");
    EXPECT_EQ((*change)->changes[0].kind, ChangeRecord::Kind::kDelete);
    store.executor().Run();
    EXPECT_EQ(store.All(), expected);
    EXPECT_EQ(store.Records(engine::Family::kKey).size(), 4U);  // k6, k7 twice, tombstone of k5
    EXPECT_EQ(store.Records(engine::Family::kRev), store.Records(engine::Family::kKey));
    if (finished) break;
  }
}

// 18667: what a range inside a write transaction answers depends on the log alone, not on how far
// this member's deletion has got, who reads, or a restart.
TEST_F(CompactionTest, Bug18667RangesOfTransactionsAnswerAlikeOnAllMembers) {
  engine::MemEngine other_engine;
  StoreHarness other(other_engine, kSmallSteps);
  std::string out;
  const auto ask = [&out](const WriteTxn& txn) {
    for (int at = 1; at <= 23; ++at) {
      const auto result = txn.Range({.range = {"a", "z"}, .revision = Revision(at)});
      out += result.ok() ? std::to_string(result->count) : result.status().ToString();
      out += " ";
    }
  };
  const auto answers = [&](StoreHarness& member) {
    out.clear();
    member.Apply(ask);
    return out;
  };
  for (StoreHarness* member : {&h, &other}) {
    for (int i = 0; i < 20; ++i) member->Put("k" + std::to_string(i % 3), "x");
    ASSERT_TRUE(member->Compact(Revision(12)).ok());
  }
  h.executor().Run();  // finished here, not begun there
  const auto pinned = other.store().Range({.range = {"a", "z"}, .revision = Revision(15)});
  const std::string expected = answers(h);
  EXPECT_EQ(answers(other), expected);
  Restart();
  EXPECT_EQ(answers(h), expected);
  // One member marks a compaction in the batch of the transaction, the other in the one before.
  out.clear();
  engine::WriteBatch batch;
  h.store().BeginBatch(batch);
  ASSERT_TRUE(h.store().Compact(Revision(18)).ok());
  ask(*h.store().BeginTxn());
  h.Commit(batch);
  const std::string together = out;
  ASSERT_TRUE(other.Compact(Revision(18)).ok());
  EXPECT_EQ(answers(other), together);
}

// A transaction may write a key twice through etcd's hole in its check of duplicates (a delete from
// a key on). Only the newer change of the compact revision stays, in either order: etcd loses the
// put after the delete, which is a value that readers at the head need. The hash must not tell how
// far the deletion is.
TEST_F(CompactionTest, TwoChangesOfAKeyInTheCompactRevisionHashAlikeBeforeAndAfter) {
  h.Put("a", "1");
  h.Put("b", "1");
  const Revision at = h.Apply([](WriteTxn& txn) {
    txn.DeleteRange({"a", std::string(1, '\0')}, [](std::string_view, const KvRef&) {});
    txn.Put("a", "2", {});
  });
  const Revision last = h.Apply([](WriteTxn& txn) {
    txn.Put("c", "1", {});
    txn.DeleteRange({"c", ""}, [](std::string_view, const KvRef&) {});
  });
  for (const Revision compact : {at, last}) {
    ASSERT_TRUE(h.Compact(compact).ok());
    const std::string head = h.All();
    const auto marked = h.store().HashKv(Revision(0));
    h.executor().Run();
    ASSERT_TRUE(marked.ok());
    EXPECT_EQ(h.store().HashKv(Revision(0))->hash, marked->hash);
    EXPECT_EQ(h.All(), head);
    Restart();
    EXPECT_EQ(h.store().HashKv(Revision(0))->hash, marked->hash);
    EXPECT_EQ(h.All(), head);
  }
  EXPECT_EQ(h.All(), "a=2@4");
}

// A tombstone is written as a record of its own key (18 bytes); it goes with its history.
TEST_F(CompactionTest, DeletedKeysDisappear) {
  for (int i = 0; i < 200; ++i) h.Put("k" + std::to_string(i), "1");
  h.Delete("k", "l");
  h.Put("x", "1");
  h.CompactFully(h.store().current_revision());
  EXPECT_EQ(h.Records(engine::Family::kKey).size(), 1U);
  EXPECT_EQ(h.Records(engine::Family::kRev).size(), 1U);
}

// raft-peer-storage.md 8.4 and 8.7: `snapshot restore --bump-revision --mark-compacted`.
TEST_F(CompactionTest, ABumpedRevisionIsHonouredAndKept) {
  h.Put("a", "1");
  h.Close();
  engine::WriteBatch batch;
  const std::string bumped = std::string("\0\0\0\0\0\x0f\x42\x40_\0\0\0\0\0\0\0\0", 17);
  batch.Put(engine::Family::kKey, bumped, "");
  batch.Put(engine::Family::kRev, bumped, "");
  batch.Put(engine::Family::kMeta, std::string("meta\0scheduledCompactRev", 24), bumped);
  batch.Delete(engine::Family::kMeta, std::string("meta\0currentRevision", 20));
  ASSERT_TRUE(engine.Write(batch).ok());
  h.Open();
  EXPECT_EQ(h.store().current_revision(), Revision(1'000'000));
  EXPECT_EQ(h.store().compact_revision(), Revision(1'000'000));
  EXPECT_EQ(h.All(), "a=1@2");
  EXPECT_EQ(h.Put("a", "2"), Revision(1'000'001));
  h.executor().Run();
  EXPECT_EQ(h.Records(engine::Family::kKey).size(), 3U);
  h.CompactFully(Revision(1'000'001));
  EXPECT_EQ(h.Records(engine::Family::kKey).size(), 2U);  // "a", and the bump, as in etcd
}

// Go's etcd keeps such a record as the newest version of a key "".
TEST_F(CompactionTest, OfTwoBumpsTheNewerIsKeptAndHashed) {
  h.Put("a", "1");
  h.Close();
  const std::string first(RevisionKey({Revision(1000), 0}).view());
  const std::string second(RevisionKey({Revision(2000), 0}).view());
  engine::WriteBatch batch;
  for (const std::string& bump : {first, second}) {
    batch.Put(engine::Family::kKey, bump, "");
    batch.Put(engine::Family::kRev, bump, "");
  }
  batch.Put(engine::Family::kMeta, std::string("meta\0scheduledCompactRev", 24), second);
  batch.Delete(engine::Family::kMeta, std::string("meta\0currentRevision", 20));
  ASSERT_TRUE(engine.Write(batch).ok());
  h.Open();
  h.executor().Run();
  EXPECT_EQ(h.Records(engine::Family::kKey).size(), 2U);
  std::uint32_t hash = base::UpdateCrc32c(0, "key");
  for (const auto it = engine.Scan(engine::Family::kKey, "", ""); it->Valid(); it->Next()) {
    hash = base::UpdateCrc32c(base::UpdateCrc32c(hash, it->key()), it->value());
  }
  const auto computed = h.store().HashKv(Revision(2000));
  ASSERT_TRUE(computed.ok());
  EXPECT_EQ(computed->hash, hash);
}

}  // namespace
}  // namespace etcd::mvcc
