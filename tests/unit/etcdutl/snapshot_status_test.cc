#include "etcdutl/snapshot_status.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "etcdutl/status_text.h"
#include "server/base/crc32c.h"
#include "server/base/status.h"
#include "tests/support/sim_disk.h"
#include "tests/unit/etcdutl/snapshots.h"

namespace etcd::etcdutl {
namespace {

using ::testing::HasSubstr;

class Status : public ::testing::Test {
 protected:
  absl::StatusOr<SnapshotStatus> Read() {
    disk_.SetContents("db", testing::BboltImage(buckets_));
    return ReadSnapshotStatus(disk_, "db");
  }
  std::int64_t LiveKeys() {
    const auto status = Read();
    EXPECT_TRUE(status.ok()) << status.status();
    return status.ok() ? status->total_keys : -1;
  }

  testing::SimDisk disk_;
  testing::Buckets buckets_ = EmptyStore();
};

TEST_F(Status, HashesNamesKeysAndValuesInOrder) {
  AddRecord(buckets_, 2, "a", 1);
  std::uint32_t hash = 0;
  for (const auto& [name, entries] : buckets_) {
    hash = base::UpdateCrc32c(hash, name);
    for (const auto& [key, value] : entries) hash = base::UpdateCrc32c(hash, key + value);
  }
  const auto status = Read();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->hash, hash);
}

TEST_F(Status, AnEmptyStoreHasRevisionZero) {
  const auto status = Read();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->revision, 0);
  EXPECT_EQ(status->total_keys, 0);
  EXPECT_EQ(status->version, "");
}

TEST_F(Status, TellsRevisionSizeAndVersion) {
  AddRecord(buckets_, 2, "a", 1);
  AddRecord(buckets_, 9, "a", 0);
  buckets_["meta"]["storageVersion"] = "3.6.0";
  const auto status = Read();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->revision, 9);
  EXPECT_EQ(status->total_bytes, static_cast<std::int64_t>(testing::BboltImage(buckets_).size()));
  EXPECT_EQ(status->version, "3.6.0");
}

TEST_F(Status, TheDigestIsNoPartOfTheSize) {
  const std::string image = testing::BboltImage(buckets_);
  disk_.SetContents("db", WithDigest(image));
  const auto status = ReadSnapshotStatus(disk_, "db");
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->total_bytes, static_cast<std::int64_t>(image.size()));
}

TEST_F(Status, CountsKeysThatAreAlive) {
  AddRecord(buckets_, 2, "a", 1);
  AddRecord(buckets_, 3, "a", 2);
  AddRecord(buckets_, 4, "b", 1);
  AddRecord(buckets_, 5, "b", 0);
  AddRecord(buckets_, 6, "b", 1);
  AddRecord(buckets_, 7, "c", 1);
  AddRecord(buckets_, 8, "c", 0);
  EXPECT_EQ(LiveKeys(), 2);  // a, b
}

TEST_F(Status, CountsKeysWhoseBeginningWasCompacted) {
  buckets_["meta"]["scheduledCompactRev"] = RevisionText(10);
  buckets_["meta"]["finishedCompactRev"] = RevisionText(10);
  AddRecord(buckets_, 5, "a", 7);
  AddRecord(buckets_, 6, "b", 3);
  AddRecord(buckets_, 10, "gone", 0);  // newer patches of etcd keep this one
  AddRecord(buckets_, 11, "a", 8);
  AddRecord(buckets_, 12, "b", 0);
  AddRecord(buckets_, 13, "c", 1);
  EXPECT_EQ(LiveKeys(), 2);  // a, c
}

TEST_F(Status, CountsKeysOfAHalfDoneCompaction) {
  buckets_["meta"]["scheduledCompactRev"] = RevisionText(10);
  buckets_["meta"]["finishedCompactRev"] = RevisionText(3);
  AddRecord(buckets_, 2, "a", 1);
  AddRecord(buckets_, 5, "a", 2);
  AddRecord(buckets_, 6, "b", 4);  // its older versions are gone already
  AddRecord(buckets_, 7, "gone", 0);
  AddRecord(buckets_, 8, "c", 1);
  AddRecord(buckets_, 9, "c", 0);
  AddRecord(buckets_, 11, "b", 0);
  AddRecord(buckets_, 12, "d", 1);
  EXPECT_EQ(LiveKeys(), 2);  // a, d
}

// As Go's tool does.
TEST_F(Status, ABumpedRevisionCountsAsAKey) {
  AddRecord(buckets_, 2, "a", 1);
  buckets_["key"][RevisionText(1000)] = "";
  buckets_["key"][RevisionText(3000)] = "";
  EXPECT_EQ(LiveKeys(), 2);
}

TEST_F(Status, RefusesWhatIsNoDatabase) {
  for (const std::string& junk : {std::string(), std::string("hello"), std::string(9000, '\7')}) {
    disk_.SetContents("db", junk);
    const auto status = ReadSnapshotStatus(disk_, "db");
    EXPECT_EQ(status.status().code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(base::MessageOf(status.status())), HasSubstr("invalid database"));
  }
}

TEST_F(Status, RefusesARecordThatIsNoneOfEtcds) {
  buckets_["key"]["short"] = "x";
  const auto status = Read();
  EXPECT_EQ(status.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(base::MessageOf(status.status())), HasSubstr("page"));
}

TEST(StatusText, IsThatOfEtcd) {
  const SnapshotStatus status{0x556f61d, 10, 5, 20480, "3.6.0"};
  EXPECT_EQ(SimpleText(status), "556f61d, 10, 5, 20 kB, 3.6.0\n");
  EXPECT_EQ(JsonText(status),
            "{\"hash\":89585181,\"revision\":10,\"totalKey\":5,\"totalSize\":20480,"
            "\"version\":\"3.6.0\"}\n");
  EXPECT_EQ(FieldsText(status),
            "\"Hash\" : 89585181\n\"Revision\" : 10\n\"Keys\" : 5\n\"Size\" : 20480\n"
            "\"Version\" : 3.6.0\n");
  EXPECT_EQ(TableText(status),
            "+---------+----------+------------+------------+---------+\n"
            "|  HASH   | REVISION | TOTAL KEYS | TOTAL SIZE | VERSION |\n"
            "+---------+----------+------------+------------+---------+\n"
            "| 556f61d |       10 |          5 |      20 kB |   3.6.0 |\n"
            "+---------+----------+------------+------------+---------+\n");
}

TEST(StatusText, SizesHaveTwoOrThreeFigures) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(9), "9 B");
  EXPECT_EQ(HumanBytes(999), "999 B");
  EXPECT_EQ(HumanBytes(1000), "1.0 kB");
  EXPECT_EQ(HumanBytes(20480), "20 kB");
  EXPECT_EQ(HumanBytes(9'960'000), "10 MB");
  EXPECT_EQ(HumanBytes(1'073'741'824), "1.1 GB");
}

}  // namespace
}  // namespace etcd::etcdutl
