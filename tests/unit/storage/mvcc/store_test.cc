#include "server/storage/mvcc/store.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/bytes.h"
#include "server/base/errc.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/engine/mem_engine.h"
#include "tests/unit/storage/mvcc/store_fixture.h"

namespace etcd::mvcc {
namespace {

struct StoreTest : ::testing::Test {
  engine::MemEngine engine;
  StoreHarness h{engine};
};

TEST_F(StoreTest, FreshStoreIsAtRevisionOne) {
  EXPECT_EQ(h.store().current_revision(), Revision(1));
  EXPECT_EQ(h.store().compact_revision(), Revision(-1));
  EXPECT_EQ(h.All(), "");
}

TEST_F(StoreTest, RangeSelectsAsClientsSay) {
  for (const char* key : {"a", "b", "c", "d"}) h.Put(key, "x");
  using std::string_view;
  EXPECT_EQ(h.Range({.range = {"b", ""}}), "b=x@3");
  EXPECT_EQ(h.Range({.range = {"b", "d"}}), "b=x@3 c=x@4");
  EXPECT_EQ(h.Range({.range = {"b", string_view("\0", 1)}}), "b=x@3 c=x@4 d=x@5");
  EXPECT_EQ(h.Range({.range = {string_view("\0", 1), string_view("\0", 1)}, .limit = 1}), "a=x@2");
  EXPECT_EQ(h.Range({.range = {"c", "b"}}), "");
  EXPECT_EQ(h.Range({.range = {"c", "c"}}), "");
}

TEST_F(StoreTest, CountIgnoresTheLimit) {
  for (int i = 0; i < 2500; ++i) h.Put("k" + std::to_string(i), "x");
  const auto limited = h.store().Range({.range = StoreHarness::kAll, .limit = 10});
  ASSERT_TRUE(limited.ok());
  EXPECT_EQ(limited->refs.size(), 10U);
  EXPECT_EQ(limited->count, 2500);
  const auto all = h.store().Range({.range = StoreHarness::kAll, .limit = -1});
  EXPECT_EQ(all->refs.size(), 2500U);
  const auto count = h.store().Range({.range = StoreHarness::kAll, .count_only = true});
  EXPECT_TRUE(count->refs.empty());
  EXPECT_EQ(count->count, 2500);
}

TEST_F(StoreTest, RefsTellTheEncodedSize) {
  h.Put("a", std::string(300, 'v'), LeaseId(99));
  const auto result = h.store().Range({.range = {"a", ""}});
  std::size_t size = 0;
  ASSERT_TRUE(
      h.store()
          .Fetch(result->refs, [&](std::size_t, std::string_view stored) { size = stored.size(); })
          .ok());
  EXPECT_EQ(result->refs[0].encoded_bytes, size);
}

TEST_F(StoreTest, ErrorsOfRevisions) {
  h.Put("a", "1");
  h.Put("a", "2");
  EXPECT_EQ(ErrcOf(h.store().Range({.range = {"a", ""}, .revision = Revision(4)}).status()),
            Errc::kFutureRevision);
  EXPECT_EQ(h.Range({.range = {"a", ""}, .revision = Revision(-5)}), "a=2@3");
  h.CompactFully(Revision(3));
  EXPECT_EQ(ErrcOf(h.store().Range({.range = {"a", ""}, .revision = Revision(2)}).status()),
            Errc::kCompacted);
  EXPECT_EQ(h.Range({.range = {"a", ""}, .revision = Revision(3)}), "a=2@3");
  EXPECT_EQ(ErrcOf(h.store().FindAt("a", Revision(2)).status()), Errc::kCompacted);
}

TEST_F(StoreTest, NothingIsVisibleBeforePublish) {
  h.Put("a", "1");
  engine::WriteBatch batch;
  h.store().BeginBatch(batch);
  {
    auto txn = h.store().BeginTxn();
    txn->Put("b", "2", {});
    txn->Put("a", "2", {});
    EXPECT_EQ(txn->revision(), Revision(3));
  }
  EXPECT_EQ(h.All(), "a=1@2");
  EXPECT_EQ(h.Count(), 1);
  EXPECT_EQ(h.store().current_revision(), Revision(2));
  h.Commit(batch);
  EXPECT_EQ(h.All(), "a=2@3 b=2@3");
}

TEST_F(StoreTest, ATransactionSeesItselfAndItsBatch) {
  h.Put("a", "0");
  engine::WriteBatch batch;
  h.store().BeginBatch(batch);
  h.store().BeginTxn()->Put("b", "1", {});
  auto txn = h.store().BeginTxn();
  EXPECT_FALSE(txn->changed());
  EXPECT_EQ(txn->next_revision(), Revision(4));
  txn->Put("c", "2", {});
  const auto result = txn->Range({.range = StoreHarness::kAll});
  ASSERT_TRUE(result.ok());
  std::string values;
  ASSERT_TRUE(txn->Fetch(result->refs,
                         [&](std::size_t, std::string_view stored) {
                           KeyValueFields fields;
                           ASSERT_TRUE(DecodeKeyValue(stored, fields));
                           values.append(fields.key).append(fields.value);
                         })
                  .ok());
  EXPECT_EQ(values, "a0b1c2");
  // History is as it was before; its own revision is readable.
  EXPECT_EQ(txn->Range({.range = StoreHarness::kAll, .revision = Revision(3)})->count, 2);
  EXPECT_EQ(txn->Range({.range = StoreHarness::kAll, .revision = Revision(4)})->count, 3);
  EXPECT_EQ(ErrcOf(txn->Range({.range = {"a", ""}, .revision = Revision(5)}).status()),
            Errc::kFutureRevision);
  EXPECT_TRUE(txn->Find("b"));
  EXPECT_FALSE(txn->Find("d"));
  txn.reset();
  h.Commit(batch);
}

TEST_F(StoreTest, DeleteTakesOneSubRevisionAKey) {
  h.Put("a", "1");
  h.Put("b", "1");
  std::string seen;
  EXPECT_EQ(h.Apply([&](WriteTxn& txn) {
    EXPECT_EQ(txn.DeleteRange({"a", "z"},
                              [&](std::string_view key, const KvRef& previous) {
                                seen.append(key) += std::to_string(previous.revision.main.value());
                              }),
              2);
    EXPECT_EQ(txn.DeleteRange({"a", "z"}, [](std::string_view, const KvRef&) {}), 0);
  }),
            Revision(4));
  EXPECT_EQ(seen, "a2b3");
  EXPECT_EQ(h.Delete("a", "z"), Revision(4));  // nothing changed, no revision
  EXPECT_EQ(h.All(), "");
  EXPECT_EQ(h.All(Revision(3)), "a=1@2 b=1@3");
}

// From-key deletes slip past the duplicate check of the API (v3-api.md 3.4), so a put may follow.
TEST_F(StoreTest, PutAfterDeleteInOneRevisionStartsAGeneration) {
  h.Put("b", "1");
  h.Apply([](WriteTxn& txn) {
    txn.DeleteRange({"a", std::string_view("\0", 1)}, [](std::string_view, const KvRef&) {});
    EXPECT_FALSE(txn.Put("b", "2", {}));
  });
  const auto result = h.store().Range({.range = {"b", ""}});
  KeyValueFields fields;
  ASSERT_TRUE(h.store()
                  .Fetch(result->refs,
                         [&](std::size_t, std::string_view stored) {
                           ASSERT_TRUE(DecodeKeyValue(stored, fields));
                           EXPECT_EQ(fields.create_revision, Revision(3));
                           EXPECT_EQ(fields.version, 1);
                         })
                  .ok());
  EXPECT_EQ(h.All(Revision(2)), "b=1@2");
}

TEST_F(StoreTest, ReopenFindsTheSameState) {
  h.Put("a", "1");
  h.Put("b", "1");
  h.Delete("a");
  h.Put("b", "2");
  h.Put("a", "3");
  h.Close();
  h.Open();
  EXPECT_EQ(h.store().current_revision(), Revision(6));
  EXPECT_EQ(h.All(), "a=3@6 b=2@5");
  EXPECT_EQ(h.All(Revision(4)), "b=1@3");
  h.Apply([](WriteTxn& txn) { txn.Put("b", "9", {}); });
  const auto result = h.store().Range({.range = {"b", ""}});
  ASSERT_TRUE(h.store()
                  .Fetch(result->refs,
                         [&](std::size_t, std::string_view stored) {
                           KeyValueFields fields;
                           ASSERT_TRUE(DecodeKeyValue(stored, fields));
                           EXPECT_EQ(fields.version, 3);
                           EXPECT_EQ(fields.create_revision, Revision(3));
                         })
                  .ok());
}

TEST_F(StoreTest, LeasedKeysAreThoseOfTheHead) {
  h.Put("a", "1", LeaseId(1));
  h.Put("b", "1", LeaseId(1));
  h.Put("c", "1", LeaseId(2));
  h.Put("b", "2");  // detached
  h.Delete("c");    // gone
  h.Put("d", "1");
  h.Put("d", "2", LeaseId(-3));
  std::string seen;
  ASSERT_TRUE(h.store()
                  .ForEachLeasedKey([&](std::string_view key, LeaseId lease) {
                    seen.append(key) += std::to_string(lease.value()) + " ";
                  })
                  .ok());
  EXPECT_EQ(seen, "a1 d-3 ");
}

TEST_F(StoreTest, ARecordOfAnotherSizeIsDataLoss) {
  h.Put("a", "1");
  const auto key = h.Records(engine::Family::kKey).at(0);
  engine::WriteBatch batch;
  batch.Put(engine::Family::kKey, key, "\x0a\x01x");
  ASSERT_TRUE(engine.Write(batch).ok());
  const auto result = h.store().Range({.range = {"a", ""}});
  const absl::Status status = h.store().Fetch(result->refs, [](std::size_t, std::string_view) {});
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

TEST_F(StoreTest, ARecordNewerThanTheCurrentRevisionIsDataLoss) {
  h.Put("a", "1");
  h.Put("a", "2");
  engine::WriteBatch batch;
  std::string old;
  base::AppendBigEndian64(old, 2);
  batch.Put(engine::Family::kMeta,
            engine::MetaKey(engine::kBucketMeta, engine::kMetaCurrentRevision), old);
  ASSERT_TRUE(engine.Write(batch).ok());
  h.Close();
  ManualExecutor executor;
  EXPECT_TRUE(absl::IsDataLoss(OpenStore(engine, executor, {}).status()));
}

// etcd issue 18799: a range inside a write transaction may fail; what the caller must be able to
// do is learn that before the first mutation, from the same answers that execution gives.
TEST_F(StoreTest, Bug18799RangeErrorsAreKnownBeforeTheFirstMutation) {
  h.Put("a", "1");
  h.Put("a", "2");
  ASSERT_TRUE(h.Compact(Revision(3)).ok());
  engine::WriteBatch batch;
  h.store().BeginBatch(batch);
  {
    auto txn = h.store().BeginTxn();
    const RangeSpec compacted{.range = {"a", ""}, .revision = Revision(2)};
    EXPECT_EQ(ErrcOf(txn->Range(compacted).status()), Errc::kCompacted);
    EXPECT_FALSE(txn->changed());
    EXPECT_EQ(txn->revision(), Revision(3));
  }
  h.Commit(batch);
  EXPECT_TRUE(batch.empty());
  EXPECT_EQ(h.store().current_revision(), Revision(3));
  EXPECT_EQ(h.All(), "a=2@3");
}

}  // namespace
}  // namespace etcd::mvcc
