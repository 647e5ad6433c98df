#include <map>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/base/bytes.h"
#include "server/image/export.h"
#include "server/image/import.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/mvcc/key_value.h"
#include "server/storage/mvcc/rev_record.h"
#include "server/storage/mvcc/revision_key.h"
#include "tests/support/bbolt_image.h"
#include "tests/support/engine_fixture.h"
#include "tests/support/sim_disk.h"

namespace etcd::image {
namespace {

using engine::Family;
using engine::MetaKey;
using testing::EngineFixture;
using testing::EngineKind;
using ::testing::HasSubstr;

using Content = std::map<std::string, std::string>;  // family digit + key -> value

Content ContentOf(const engine::KvEngine& engine) {
  Content out;
  for (const Family family : {Family::kKey, Family::kRev, Family::kMeta}) {
    const auto it = engine.Scan(family, "", "");
    for (; it->Valid(); it->Next()) {
      out[std::to_string(static_cast<int>(family)) + std::string(it->key())] = it->value();
    }
    EXPECT_TRUE(it->status().ok());
  }
  return out;
}

std::string Number(std::uint64_t value) {
  std::string out;
  base::AppendBigEndian64(out, value);
  return out;
}

void AddRecord(engine::WriteBatch& batch, mvcc::RevisionPair revision, bool tombstone,
               const std::string& stored) {
  ASSERT_TRUE(
      mvcc::AppendImportedRecord(batch, mvcc::RevisionKey(revision, tombstone).view(), stored));
}

// Records with values up to 10 kB, a tombstone, and what --bump-revision leaves.
void FillRecords(engine::WriteBatch& batch, int puts) {
  std::int64_t main = 1;
  for (int i = 0; i < puts; ++i) {
    const std::string user_key = "key-" + std::to_string(i % 97);
    const std::string value(static_cast<std::size_t>(i % 7 == 0 ? i % 10000 : i % 300), 'v');
    const mvcc::KeyValueFields fields{.key = user_key,
                                      .create_revision = Revision(2),
                                      .mod_revision = Revision(++main),
                                      .version = 1 + i / 97,
                                      .value = value,
                                      .lease = LeaseId(i % 5)};
    AddRecord(batch, {Revision(main), 0}, false, mvcc::EncodeKeyValue(fields));
  }
  AddRecord(batch, {Revision(++main), 1}, true, mvcc::EncodeKeyValue({.key = "key-3"}));
  AddRecord(batch, {Revision(main + 1000), 0}, false, "");
}

void Fill(engine::KvEngine& engine, int puts) {
  engine::WriteBatch batch;
  FillRecords(batch, puts);
  const auto put = [&](std::string_view bucket, std::string_view key, std::string value) {
    batch.Put(Family::kMeta, MetaKey(bucket, key), std::move(value));
  };
  put(engine::kBucketAlarm, "\x08\x07\x10\x01", "");
  put(engine::kBucketAuth, "authEnabled", "\x01");
  put(engine::kBucketAuthRoles, "root", "role");
  put(engine::kBucketAuthUsers, "root", std::string(9000, 'u'));
  put(engine::kBucketCluster, "clusterVersion", "3.6.0");
  for (std::uint64_t id = 1; id < 500; ++id) put(engine::kBucketLease, Number(id), "lease");
  put(engine::kBucketMembers, "8e9e05c52164694d", "{}");
  put(engine::kBucketMembersRemoved, "1", "removed");
  put(engine::kBucketMeta, engine::kMetaConsistentIndex, Number(77));
  put(engine::kBucketMeta, engine::kMetaTerm, Number(5));
  put(engine::kBucketMeta, engine::kMetaScheduledCompactRev,
      std::string(mvcc::RevisionKey({Revision(9), 0}).view()));
  ASSERT_TRUE(engine.Write(batch).ok());
}

class Image : public ::testing::TestWithParam<EngineKind> {
 protected:
  void Export(engine::KvEngine& engine) {
    const absl::Status status = WriteImage(engine.PinView(), disk_, "db");
    ASSERT_TRUE(status.ok()) << status;
  }
  testing::SimDisk disk_;
};

TEST_P(Image, CarriesEverythingToAnotherEngine) {
  for (const int puts : {0, 1, 40, 5000}) {
    EngineFixture from(GetParam());
    Fill(from.engine(), puts);
    Export(from.engine());
    EngineFixture to(GetParam());
    Fill(to.engine(), 300);  // is gone afterwards
    const auto info = InstallImage(disk_, "db", to.engine());
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_EQ(info->consistent_index, Index(77));
    EXPECT_EQ(info->term, Term(5));
    EXPECT_EQ(info->records, static_cast<std::uint64_t>(puts) + 2);
    EXPECT_EQ(ContentOf(to.engine()), ContentOf(from.engine())) << puts;
  }
}

TEST_P(Image, TellsWhatItIsWithoutItsRecordsBeingRead) {
  EngineFixture from(GetParam());
  Fill(from.engine(), 40);
  engine::WriteBatch batch;
  batch.Put(Family::kMeta, MetaKey(engine::kBucketMeta, engine::kMetaStorageVersion), "3.6.0");
  ASSERT_TRUE(from.engine().Write(batch).ok());
  Export(from.engine());
  const auto info = PeekImage(disk_, "db");
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->consistent_index, Index(77));
  EXPECT_EQ(info->term, Term(5));
  EXPECT_EQ(info->cluster_version, "3.6.0");
  EXPECT_EQ(info->storage_version, "3.6.0");
  EXPECT_TRUE(info->auth_enabled);
  EXPECT_EQ(info->records, 0U);
}

TEST_P(Image, OfAnEmptyEngineHasTheTenBuckets) {
  EngineFixture fixture(GetParam());
  Export(fixture.engine());
  const auto read = testing::ReadBbolt(disk_, "db");
  ASSERT_TRUE(read.ok()) << read.status();
  std::string names;
  for (const auto& [name, entries] : *read) names += name + " ";
  EXPECT_EQ(names,
            "alarm auth authRoles authUsers cluster key lease members members_removed meta ");
}

TEST_P(Image, LeavesOutWhatIsOnlyOurs) {
  EngineFixture fixture(GetParam());
  engine::WriteBatch batch;
  batch.Put(Family::kMeta, MetaKey(engine::kBucketMeta, engine::kMetaCurrentRevision), Number(9));
  batch.Put(Family::kMeta, MetaKey(engine::kBucketMeta, engine::kMetaTerm), Number(2));
  ASSERT_TRUE(fixture.engine().Write(batch).ok());
  Export(fixture.engine());
  const auto read = testing::ReadBbolt(disk_, "db");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->at("meta").size(), 1U);
}

TEST_P(Image, ShowsTheStateOfItsViewWhateverIsWrittenMeanwhile) {
  EngineFixture fixture(GetParam());
  Fill(fixture.engine(), 500);
  const Content before = ContentOf(fixture.engine());
  auto source = ExportImage(fixture.engine().PinView());
  ASSERT_TRUE(source.ok()) << source.status();
  Fill(fixture.engine(), 900);
  std::string image;
  std::string buffer(1000, '\0');
  for (std::size_t n = 1; n != 0;) {
    const auto read = (*source)->Read(buffer);
    ASSERT_TRUE(read.ok()) << read.status();
    n = *read;
    image.append(buffer, 0, n);
  }
  EXPECT_EQ(image.size(), (*source)->size());
  source->reset();
  disk_.SetContents("db", image);
  EngineFixture to(GetParam());
  ASSERT_TRUE(InstallImage(disk_, "db", to.engine()).ok());
  EXPECT_EQ(ContentOf(to.engine()), before);
}

TEST_P(Image, WhoseFamiliesDisagreeIsAnError) {
  EngineFixture fixture(GetParam());
  Fill(fixture.engine(), 100);
  engine::WriteBatch batch;
  const mvcc::RevisionKey key({Revision(5), 0});
  batch.Put(Family::kKey, std::string(key.view()), std::string(9000, 'x'));
  ASSERT_TRUE(fixture.engine().Write(batch).ok());
  const absl::Status status = WriteImage(fixture.engine().PinView(), disk_, "db");
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
}

TEST_P(Image, WithAnEntryThatIsNoRecordLeavesTheEngineAsItWas) {
  EngineFixture fixture(GetParam());
  Fill(fixture.engine(), 100);
  const Content before = ContentOf(fixture.engine());
  const std::string good(mvcc::RevisionKey({Revision(5), 0}).view());
  const std::map<std::string, std::string> bad = {
      {"short", "\x0a\x01k"}, {good, "\x0a\x7fk"}, {good + "t", ""}, {good + "x", "\x0a\x01k"}};
  for (const auto& [key, value] : bad) {
    disk_.SetContents("db", testing::BboltImage({{"key", {{key, value}}}}));
    const absl::Status status = InstallImage(disk_, "db", fixture.engine()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("db: page 2: the key bucket"));
  }
  disk_.SetContents("db", testing::BboltImage({{"meta", {{"consistent_index", "12345"}}}}));
  EXPECT_EQ(VerifyImage(disk_, "db").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ContentOf(fixture.engine()), before);
}

INSTANTIATE_TEST_SUITE_P(Engines, Image, ::testing::ValuesIn(testing::AllEngines()),
                         [](const auto& kind) { return testing::NameOf(kind.param); });

}  // namespace
}  // namespace etcd::image
