#include "etcdutl/export.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/base/bytes.h"
#include "server/image/import.h"
#include "server/membership/cluster.h"
#include "server/raftcodec/walpb.h"
#include "server/snap/snapshotter.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/engine/rocks_engine.h"
#include "server/v2store/document.h"
#include "server/wal/wal.h"
#include "tests/support/temp_dir.h"

namespace etcd::etcdutl {
namespace {

using engine::Family;
using ::testing::HasSubstr;

constexpr std::uint64_t kApplied = 5;

std::string Number(std::uint64_t value) {
  std::string out;
  base::AppendBigEndian64(out, value);
  return out;
}

// A stopped member: its engine holds the entries up to kApplied of the eight in its log.
class Export : public ::testing::Test {
 protected:
  Export() {
    disk_.CreateDirs(Member() + "/snap").IgnoreError();
    std::ofstream(Member() + "/lock");
    FillEngine();
    auto wal = wal::Wal::Create(disk_, Member() + "/wal",
                                raftcodec::EncodeWalMetadata({MemberId(1), ClusterId(2)}),
                                {.segment_bytes = 1 << 16});
    EXPECT_TRUE(wal.ok()) << wal.status();
    std::vector<raft::Entry> entries;
    for (std::uint64_t index = 1; index <= 8; ++index) {
      entries.push_back({.term = Term(index / 4 + 1),
                         .index = Index(index),
                         .type = raft::EntryType::kNormal,
                         .data = "e"});
    }
    EXPECT_TRUE((*wal)->Save({Term(3), MemberId(1), Index(4)}, entries).ok());
    log_ = *std::move(wal);
  }

  void FillEngine() {
    auto opened = engine::OpenRocksEngine(Member() + "/rocksdb", {});
    ASSERT_TRUE(opened.ok()) << opened.status();
    engine::WriteBatch batch;
    const auto put = [&](std::string_view bucket, std::string_view key, std::string value) {
      batch.Put(Family::kMeta, engine::MetaKey(bucket, key), std::move(value));
    };
    put(engine::kBucketMeta, engine::kMetaConsistentIndex, Number(kApplied));
    put(engine::kBucketMeta, engine::kMetaTerm, Number(2));
    put(engine::kBucketMembers, "1", R"({"id":1,"peerURLs":["http://a:1"],"name":"m"})");
    put(engine::kBucketMembers, "2", R"({"id":2,"peerURLs":["http://b:1"],"isLearner":true})");
    put(engine::kBucketMembersRemoved, "7", "removed");
    put(engine::kBucketCluster, "clusterVersion", "3.5.0");
    put(engine::kBucketAuthUsers, "root", "user");
    ASSERT_TRUE((*opened)->Write(batch).ok());
  }

  std::string Member() const { return dir_.path() + "/data/member"; }
  std::string Output() const { return dir_.path() + "/go"; }
  absl::StatusOr<ExportReport> Run() {
    log_.reset();
    return ExportDataDir(
        disk_, {.data_dir = dir_.path() + "/data", .wal_dir = "", .output_dir = Output()});
  }

  testing::TempDir dir_;
  base::FileSystem& disk_ = base::PosixFileSystem();
  std::unique_ptr<wal::Wal> log_;
};

TEST_F(Export, ReportsWhereTheMemberIs) {
  const auto report = Run();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->member_id, MemberId(1));
  EXPECT_EQ(report->index, Index(kApplied));
  EXPECT_EQ(report->last_index, Index(8));
  EXPECT_EQ(report->cluster_version, "3.5.0");
}

TEST_F(Export, GivesGoADatabaseWithAllBuckets) {
  ASSERT_TRUE(Run().ok());
  const auto info = image::VerifyImage(disk_, Output() + "/member/snap/db");
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->consistent_index, Index(kApplied));
  EXPECT_EQ(info->cluster_version, "3.5.0");
}

// So that no version replays what only another one understands.
TEST_F(Export, TheLogStartsAtTheDatabasesIndex) {
  ASSERT_TRUE(Run().ok());
  const std::string wal = Output() + "/member/wal";
  const auto recorded = wal::ValidSnapshots(disk_, wal);
  ASSERT_TRUE(recorded.ok()) << recorded.status();
  EXPECT_EQ(recorded->back().index, Index(kApplied));
  EXPECT_EQ(recorded->back().term, Term(2));
  ASSERT_TRUE(recorded->back().conf_state.has_value());
  EXPECT_EQ(recorded->back().conf_state->voters, std::vector<MemberId>{MemberId(1)});
  EXPECT_EQ(recorded->back().conf_state->learners, std::vector<MemberId>{MemberId(2)});
  const auto replay = wal::ReadAll(disk_, wal, Index(kApplied), Term(2));
  ASSERT_TRUE(replay.ok()) << replay.status();
  EXPECT_EQ(replay->entries.size(), 3U);
  EXPECT_EQ(replay->hard_state, (raft::HardState{Term(3), MemberId(1), Index(kApplied)}));
}

TEST_F(Export, TheSnapFileHasTheMembers) {
  ASSERT_TRUE(Run().ok());
  const auto recorded = wal::ValidSnapshots(disk_, Output() + "/member/wal");
  ASSERT_TRUE(recorded.ok());
  snap::Snapshotter snapshotter(disk_, Output() + "/member/snap");
  const auto snapshot = snapshotter.LoadNewestAvailable(*recorded);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  const auto document = v2store::Parse(snapshot->data);
  ASSERT_TRUE(document.ok()) << document.status();
  EXPECT_EQ(document->version, "3.5.0");
  EXPECT_EQ(document->removed, std::vector<MemberId>{MemberId(7)});
  ASSERT_EQ(document->members.size(), 2U);
  EXPECT_THAT(document->members[0].attributes, HasSubstr("\"m\""));
}

TEST_F(Export, LeavesNothingButEtcdsFiles) {
  ASSERT_TRUE(Run().ok());
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(Output())) {
    if (entry.is_regular_file()) names.push_back(entry.path().filename().string());
  }
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("db", "0000000000000002-0000000000000005.snap",
                                                     "0000000000000000-0000000000000000.wal"));
}

TEST_F(Export, ReplacesWhatACrashLeft) {
  disk_.CreateDirs(Output() + "/member.tmp/wal").IgnoreError();
  std::ofstream(Output() + "/member.tmp/wal/0000000000000000-0000000000000000.wal") << "half";
  EXPECT_TRUE(Run().ok());
}

TEST_F(Export, RefusesADirectoryWithContent) {
  disk_.CreateDirs(Output() + "/member").IgnoreError();
  EXPECT_THAT(std::string(Run().status().message()), HasSubstr("is not empty"));
}

TEST_F(Export, RefusesAMemberThatRuns) {
  const auto lock = disk_.Open(Member() + "/lock", base::OpenMode::kReadWrite);
  ASSERT_TRUE(lock.ok());
  ASSERT_TRUE((*lock)->TryLock().ok());
  EXPECT_EQ(Run().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(disk_.Exists(Output()));
}

TEST_F(Export, RefusesWhatIsNotOurs) {
  std::ofstream(Member() + "/snap/db") << "bbolt";
  EXPECT_THAT(std::string(Run().status().message()), HasSubstr("of a Go etcd already"));
  disk_.Remove(Member() + "/snap/db").IgnoreError();
  disk_.RemoveAll(Member() + "/rocksdb").IgnoreError();
  EXPECT_THAT(std::string(Run().status().message()), HasSubstr("holds no member"));
}

// Its log goes on after a hole that only the received database fills.
TEST_F(Export, RefusesWhileAReceivedSnapshotIsNotInstalled) {
  ASSERT_TRUE(log_->SaveSnapshot(Index(20), Term(3), {}).ok());
  ASSERT_TRUE(log_->Save({Term(3), MemberId(1), Index(20)}, {}).ok());
  EXPECT_THAT(std::string(Run().status().message()), HasSubstr("not installed yet"));
}

TEST_F(Export, NamesALogThatEndsBeforeTheDatabase) {
  log_.reset();
  disk_.RemoveAll(Member() + "/wal").IgnoreError();
  auto wal = wal::Wal::Create(disk_, Member() + "/wal",
                              raftcodec::EncodeWalMetadata({MemberId(1), ClusterId(2)}), {});
  ASSERT_TRUE(wal.ok());
  wal->reset();
  EXPECT_EQ(Run().status().code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(disk_.Exists(Output() + "/member"));
}

}  // namespace
}  // namespace etcd::etcdutl
