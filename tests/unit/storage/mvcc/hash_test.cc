#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "server/base/crc32c.h"
#include "server/base/errc.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/engine/mem_engine.h"
#include "server/storage/mvcc/backend_hash.h"
#include "tests/unit/storage/mvcc/store_fixture.h"

namespace etcd::mvcc {
namespace {

struct HashTest : ::testing::Test {
  engine::MemEngine engine;
  StoreHarness h{engine, {.compaction_batch_limit = 10}};

  std::uint32_t Hash(std::int64_t at) {
    auto result = h.store().HashKv(Revision(at));
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->hash : 0;
  }
  // The records that count, put together by hand.
  std::uint32_t HashOf(const std::vector<std::string>& keys) {
    std::uint32_t crc = base::UpdateCrc32c(0, "key");
    for (const std::string& key : keys) {
      crc = base::UpdateCrc32c(crc, key);
      crc = base::UpdateCrc32c(crc, **engine.Get(engine::Family::kKey, key));
    }
    return crc;
  }
};

// v3-api.md 7.5.
TEST_F(HashTest, Vectors) {
  EXPECT_EQ(Hash(0), 1084519789U);
  h.Put("a", "1");
  EXPECT_EQ(Hash(2), 2587454935U);
  h.Put("a", "2");
  EXPECT_EQ(Hash(3), 535221974U);
  h.Delete("a");
  EXPECT_EQ(Hash(4), 1363947557U);
  EXPECT_EQ(Hash(0), 1363947557U);
  EXPECT_EQ(Hash(2), 2587454935U);
  EXPECT_EQ(Hash(3), 535221974U);
}

TEST_F(HashTest, NegativeRevisionHashesTheBucketName) {
  h.Put("a", "1");
  const auto result = h.store().HashKv(Revision(-3));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->hash, 1084519789U);
  EXPECT_EQ(result->hash_revision, Revision(-3));
  EXPECT_EQ(result->current, Revision(2));
}

TEST_F(HashTest, ErrorsOfRevisions) {
  h.Put("a", "1");
  h.Put("a", "2");
  h.CompactFully(Revision(3));
  EXPECT_EQ(ErrcOf(h.store().HashKv(Revision(2)).status()), Errc::kCompacted);
  EXPECT_EQ(ErrcOf(h.store().HashKv(Revision(4)).status()), Errc::kFutureRevision);
}

TEST_F(HashTest, DoesNotDependOnHowFarTheDeletionGot) {
  for (int i = 0; i < 60; ++i) h.Put("k" + std::to_string(i % 7), std::to_string(i));
  h.Delete("k1");
  h.Put("x", "1");
  ASSERT_TRUE(h.Compact(Revision(50)).ok());
  const std::uint32_t at_head = Hash(0);
  const auto at_55 = Hash(55);
  do {
    EXPECT_EQ(Hash(0), at_head);
    EXPECT_EQ(Hash(55), at_55);
  } while (h.executor().RunOne());
  EXPECT_EQ(h.Records(engine::Family::kKey).size(), 20U);
}

// etcd skips nothing below the compact revision when no key is alive at the hash revision.
TEST_F(HashTest, KeepsCompactedRecordsWhenNothingIsAlive) {
  h.Put("a", "0");
  h.Put("a", "1");  // 3
  ASSERT_TRUE(h.Compact(Revision(3)).ok());
  h.Delete("a");  // 4
  const std::uint32_t during = Hash(0);
  h.executor().Run();
  const auto records = h.Records(engine::Family::kKey);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(Hash(0), HashOf(records));
  EXPECT_EQ(during, HashOf(records));
  h.Put("b", "1");  // 5: now revision 3 of a is skipped
  const auto all = h.Records(engine::Family::kKey);
  EXPECT_EQ(Hash(0), HashOf({all[1], all[2]}));
}

TEST_F(HashTest, SkipsTheTombstoneAtTheCompactRevision) {
  h.Put("a", "1");  // 2
  h.Put("b", "1");  // 3
  h.Delete("a");    // 4
  h.CompactFully(Revision(4));
  h.Close();  // a restart empties the cache
  h.Open();
  const auto records = h.Records(engine::Family::kKey);
  ASSERT_EQ(records.size(), 2U);  // b and the tombstone
  EXPECT_EQ(Hash(4), HashOf({records[0]}));
}

TEST_F(HashTest, CacheAnswersFinishedCompactions) {
  h.Put("a", "1");  // 2
  h.Put("b", "1");  // 3
  h.CompactFully(Revision(3));
  h.Put("a", "2");  // 4
  h.Delete("b");    // 5
  // Before deletion: records 2 and 3 (not kept: a is newer, b is deleted), 4, tombstone 5.
  const auto records = h.Records(engine::Family::kKey);
  ASSERT_EQ(records.size(), 4U);
  const std::uint32_t expected = HashOf({records[2], records[3]});
  h.CompactFully(Revision(5));
  const auto cached = h.store().HashKv(Revision(5));
  ASSERT_TRUE(cached.ok());
  EXPECT_EQ(cached->hash, expected);
  EXPECT_EQ(cached->compact_revision, Revision(3));
  EXPECT_EQ(cached->hash_revision, Revision(5));
  // Revision 0 never uses the cache: computed with compact revision 5.
  const auto computed = h.store().HashKv(Revision(0));
  EXPECT_EQ(computed->compact_revision, Revision(5));
  EXPECT_NE(computed->hash, expected);
  h.Close();
  h.Open();
  EXPECT_EQ(h.store().HashKv(Revision(5))->compact_revision, Revision(5));
}

// With a tombstone at the compacted revision etcd's set of kept records is not empty, so the
// records at or below the previous compaction are skipped.
// Seen on 3.6.16 by the differential run: the cache is asked before 0 becomes "current".
TEST_F(HashTest, ZeroAfterACompactionAtZeroIsThatCompaction) {
  h.CompactFully(Revision(0));
  h.Put("a", "1");
  const auto result = h.store().HashKv(Revision(0));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->hash, 1084519789U);
  EXPECT_EQ(result->compact_revision, Revision(-1));
  EXPECT_EQ(result->hash_revision, Revision(0));
}

TEST_F(HashTest, CacheCountsTheTombstoneAsKept) {
  h.Put("a", "1");  // 2
  h.CompactFully(Revision(2));
  h.Delete("a");  // 3
  const auto records = h.Records(engine::Family::kKey);
  ASSERT_EQ(records.size(), 2U);
  const std::uint32_t expected = HashOf({records[1]});
  h.CompactFully(Revision(3));
  EXPECT_EQ(Hash(3), expected);
}

// By etcd's rule, which the corruption checks therefore leave out (node/corruption.h).
TEST_F(HashTest, WhereNothingLivesChangesWithTheCompaction) {
  h.Put("a", "1");
  h.Put("b", "1");
  h.CompactFully(Revision(3));
  h.Delete("b");
  h.Delete("a");
  const std::uint32_t before = Hash(5);
  h.CompactFully(Revision(5));
  const auto after = h.store().HashKv(Revision(5));
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after->compact_revision, Revision(3));
  EXPECT_NE(after->hash, before);
}

TEST_F(HashTest, AnInterruptedCompactionIsNotCached) {
  for (int i = 0; i < 40; ++i) h.Put("a", std::to_string(i));
  ASSERT_TRUE(h.Compact(Revision(41)).ok());
  h.executor().Run(6);
  h.Close();
  h.Open();
  h.executor().Run();
  EXPECT_EQ(h.store().HashKv(Revision(41))->compact_revision, Revision(41));
}

TEST_F(HashTest, CacheHoldsTheTenNewest) {
  for (int i = 0; i < 12; ++i) {
    const Revision at = h.Put("a", std::to_string(i));
    h.CompactFully(at);
  }
  EXPECT_EQ(h.store().HashKv(Revision(13))->compact_revision, Revision(12));
  EXPECT_EQ(ErrcOf(h.store().HashKv(Revision(3)).status()), Errc::kCompacted);
  EXPECT_EQ(h.store().HashKv(Revision(4))->compact_revision, Revision(3));
}

struct BackendHashTest : HashTest {
  void PutMeta(std::string_view bucket, std::string_view key, std::string value) {
    engine::WriteBatch batch;
    batch.Put(engine::Family::kMeta, engine::MetaKey(bucket, key), std::move(value));
    ASSERT_TRUE(engine.Write(batch).ok());
  }
  static std::uint32_t BackendHashOf(const engine::KvEngine& of) {
    const auto result = HashBackend(of);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->hash : 0;
  }
};

// v3-api.md 7.4, put together by hand.
TEST_F(BackendHashTest, IsOneStreamOverAllBucketsByName) {
  PutMeta("lease", "12345678", "L");
  PutMeta("cluster", "clusterVersion", "3.6.0");
  PutMeta("meta", "confState", "{}");
  h.Put("a", "1");
  std::string record(17, '\0');
  record[7] = 2;
  record[8] = '_';
  const std::string bytes = "alarmauthauthRolesauthUsersclusterclusterVersion3.6.0key" + record +
                            **engine.Get(engine::Family::kKey, record) +
                            "lease12345678Lmembersmembers_removedmetaconfState{}";
  EXPECT_EQ(BackendHashOf(engine), base::UpdateCrc32c(0, bytes));
  EXPECT_EQ(HashBackend(engine)->current, Revision(2));
}

TEST_F(BackendHashTest, LeavesOutWhatEveryMemberKeepsForItself) {
  h.Put("a", "1");
  const std::uint32_t before = BackendHashOf(engine);
  for (const auto key :
       {engine::kMetaConsistentIndex, engine::kMetaTerm, engine::kMetaStorageVersion}) {
    PutMeta(engine::kBucketMeta, key, "12345678");
    EXPECT_EQ(BackendHashOf(engine), before) << key;
  }
  // The same key elsewhere counts.
  PutMeta(engine::kBucketCluster, engine::kMetaTerm, "1");
  EXPECT_NE(BackendHashOf(engine), before);
}

TEST_F(BackendHashTest, EveryBucketCounts) {
  std::uint32_t last = BackendHashOf(engine);
  for (const auto bucket :
       {engine::kBucketAlarm, engine::kBucketAuth, engine::kBucketAuthRoles,
        engine::kBucketAuthUsers, engine::kBucketCluster, engine::kBucketLease,
        engine::kBucketMembers, engine::kBucketMembersRemoved, engine::kBucketMeta}) {
    PutMeta(bucket, "k", "v");
    const std::uint32_t now = BackendHashOf(engine);
    EXPECT_NE(now, last) << bucket;
    last = now;
  }
  h.Put("k", "v");
  EXPECT_NE(BackendHashOf(engine), last);
}

// Batches and compactions are cut differently on each member.
TEST_F(BackendHashTest, IsEqualWhereStateIs) {
  engine::MemEngine other_engine;
  StoreHarness other(other_engine, {.compaction_batch_limit = 3, .hash_compactions = false});
  for (int i = 0; i < 30; ++i) h.Put("k" + std::to_string(i % 7), std::to_string(i));
  h.Delete("k1");
  engine::WriteBatch batch;
  other.store().BeginBatch(batch);
  for (int i = 0; i < 30; ++i) {
    other.store().BeginTxn()->Put("k" + std::to_string(i % 7), std::to_string(i), {});
  }
  other.store().BeginTxn()->DeleteRange({"k1", {}}, [](std::string_view, const KvRef&) {});
  other.Commit(batch);
  ASSERT_EQ(h.store().current_revision(), other.store().current_revision());
  EXPECT_EQ(BackendHashOf(engine), BackendHashOf(other_engine));
  h.CompactFully(Revision(20));
  EXPECT_NE(BackendHashOf(engine), BackendHashOf(other_engine));
  other.CompactFully(Revision(20));
  EXPECT_EQ(BackendHashOf(engine), BackendHashOf(other_engine));
  h.Close();
  h.Open();
  EXPECT_EQ(BackendHashOf(engine), BackendHashOf(other_engine)) << "after a restart";
}

TEST_F(BackendHashTest, OfAnEmptyStoreIsTheNames) {
  EXPECT_EQ(BackendHashOf(engine),
            base::UpdateCrc32c(0,
                               "alarmauthauthRolesauthUsersclusterkeyleasemembersmembers_"
                               "removedmeta"));
}

}  // namespace
}  // namespace etcd::mvcc
