#include "etcdutl/restore.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "etcdutl/inspect.h"
#include "server/base/status.h"
#include "server/image/restoring.h"
#include "server/membership/cluster.h"
#include "server/raftcodec/walpb.h"
#include "server/snap/snapshotter.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/engine/rocks_engine.h"
#include "server/v2store/document.h"
#include "server/wal/wal.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/etcdutl/snapshots.h"

namespace etcd::etcdutl {
namespace {

using engine::Family;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Ids of etcd's own restore of the same cluster and token (raft-peer-storage.md 4).
constexpr const char* kCluster =
    "a=http://127.0.0.1:25102,b=http://127.0.0.1:25112,c=http://127.0.0.1:25122";
const MemberId kA(0xa975876fd977f5b6);
const MemberId kB(0x7c2c5e7ce787a389);
const MemberId kC(0xfb60bb85edd88fdf);
const ClusterId kClusterId(0x63be2efe2a065412);

class Restore : public ::testing::Test {
 protected:
  Restore() {
    AddRecord(buckets_, 2, "x", 1);
    AddRecord(buckets_, 3, "y", 1);
    AddRecord(buckets_, 4, "x", 2);
    buckets_["members"]["1"] = R"({"id":1,"peerURLs":["http://old:1"],"name":"old"})";
    buckets_["members_removed"]["7"] = "removed";
    buckets_["meta"]["confState"] = R"({"voters":[1],"auto_leave":false})";
    buckets_["meta"]["storageVersion"] = "3.6.0";
    buckets_["cluster"]["clusterVersion"] = "3.6.0";
    buckets_["auth"]["authEnabled"] = "\x01";
    buckets_["authUsers"]["root"] = "user";
    buckets_["authRoles"]["root"] = "role";
    buckets_["lease"][Number(5)] = "lease";
    buckets_["alarm"]["\x08\x01\x10\x01"] = "";
    options_.snapshot_path = dir_.path() + "/snapshot.db";
    options_.name = "b";
    options_.initial_cluster = kCluster;
    options_.initial_cluster_token = "a36";
    options_.initial_advertise_peer_urls = "http://127.0.0.1:25112";
    options_.data_dir = dir_.path() + "/data";
  }

  void WriteSnapshot() {
    WriteFile(options_.snapshot_path, WithDigest(testing::BboltImage(buckets_)));
  }
  absl::StatusOr<RestoreReport> Run() {
    if (!disk_.Exists(options_.snapshot_path)) WriteSnapshot();
    return RestoreSnapshot(disk_, options_);
  }
  void ExpectRefused(absl::StatusCode code, const std::string& text) {
    const auto report = Run();
    EXPECT_EQ(report.status().code(), code) << report.status();
    EXPECT_THAT(std::string(base::MessageOf(report.status())), HasSubstr(text));
    EXPECT_FALSE(disk_.Exists(Member()));
  }
  std::string Member() const { return options_.data_dir + "/member"; }

  testing::TempDir dir_;
  base::FileSystem& disk_ = base::PosixFileSystem();
  testing::Buckets buckets_ = EmptyStore();
  RestoreOptions options_;
};

// ---- What is written.

TEST_F(Restore, GivesTheIdsThatEtcdComputes) {
  const auto report = Run();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->member_id, kB);
  EXPECT_EQ(report->cluster_id, kClusterId);
  EXPECT_EQ(report->records, 3U);
  EXPECT_EQ(report->revision, Revision(4));
  EXPECT_TRUE(report->auth_enabled);
}

TEST_F(Restore, TheLogAddsTheMembersAndStartsAtTheSnapshot) {
  ASSERT_TRUE(Run().ok());
  const auto recorded = wal::ValidSnapshots(disk_, Member() + "/wal");
  ASSERT_TRUE(recorded.ok()) << recorded.status();
  EXPECT_EQ(recorded->back().index, Index(3));
  EXPECT_EQ(recorded->back().term, Term(1));
  const auto all = wal::ReadAll(disk_, Member() + "/wal", Index(), Term());
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->entries.size(), 3U);
  EXPECT_EQ(all->hard_state, (raft::HardState{Term(1), kB, Index(3)}));
  const auto metadata = raftcodec::DecodeWalMetadata(all->metadata);
  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(*metadata, (raftcodec::WalMetadata{kB, kClusterId}));
}

TEST_F(Restore, TheSnapFileHoldsTheNewMembersOnly) {
  ASSERT_TRUE(Run().ok());
  const auto snapshot = snap::Snapshotter(disk_, Member() + "/snap").Load();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_THAT(snapshot->metadata.conf_state.voters, ElementsAre(kB, kA, kC));
  const auto document = v2store::Parse(snapshot->data);
  ASSERT_TRUE(document.ok()) << document.status();
  EXPECT_EQ(document->members.size(), 3U);
  EXPECT_TRUE(document->removed.empty());
  EXPECT_EQ(document->version, "");
}

TEST_F(Restore, TheEngineHasTheNewMembersAndEverythingElse) {
  ASSERT_TRUE(Run().ok());
  const auto engine = engine::OpenRocksEngine(Member() + "/rocksdb", {});
  ASSERT_TRUE(engine.ok()) << engine.status();
  membership::Cluster cluster;
  ASSERT_TRUE(cluster.Load(**engine).ok());
  EXPECT_EQ(cluster.current().members.size(), 3U);
  EXPECT_EQ(cluster.current().Find(kC)->name, "c");
  EXPECT_TRUE(cluster.current().removed.empty());
  EXPECT_EQ(cluster.current().cluster_version, "3.6.0");
  const auto get = [&](std::string_view bucket, std::string_view key) {
    const auto value = (*engine)->Get(Family::kMeta, engine::MetaKey(bucket, key));
    return value.ok() ? value->value_or("none") : value.status().ToString();
  };
  EXPECT_EQ(get("meta", "consistent_index"), Number(3));
  EXPECT_EQ(get("meta", "term"), Number(1));
  EXPECT_EQ(get("meta", "confState"), membership::EncodeConfState(cluster.conf_state()));
  EXPECT_EQ(get("auth", "authEnabled"), "\x01");
  EXPECT_EQ(get("authUsers", "root"), "user");
  EXPECT_EQ(get("authRoles", "root"), "role");
  EXPECT_EQ(get("lease", Number(5)), "lease");
  EXPECT_EQ(get("alarm", "\x08\x01\x10\x01"), "");
}

TEST_F(Restore, TheStoreIsThatOfTheSnapshot) {
  ASSERT_TRUE(Run().ok());
  const auto store = InspectStore(disk_, options_.data_dir);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ(store->revision, Revision(4));
  EXPECT_EQ(store->compact_revision, Revision(-1));
  EXPECT_EQ(store->live_keys, 2);
}

TEST_F(Restore, ABumpMarksAllThatWasAsCompacted) {
  options_.bump_revision = 1000;
  options_.mark_compacted = true;
  const auto report = Run();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->revision, Revision(1004));
  const auto store = InspectStore(disk_, options_.data_dir);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ(store->revision, Revision(1004));
  EXPECT_EQ(store->compact_revision, Revision(1004));
  EXPECT_EQ(store->live_keys, 2);
}

TEST_F(Restore, TheLogCanBeElsewhere) {
  for (const std::string& wal :
       {dir_.path() + "/w/log", options_.data_dir + "/log", options_.data_dir + "/member/log"}) {
    options_.wal_dir = wal;
    const auto report = Run();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(wal::ValidSnapshots(disk_, wal).ok());
    EXPECT_FALSE(disk_.Exists(Member() + "/wal"));
    std::filesystem::remove_all(options_.data_dir);
  }
}

// ---- What is refused.

TEST_F(Restore, RefusesAnotherDigest) {
  std::string bytes = WithDigest(testing::BboltImage(buckets_));
  bytes[9000] = static_cast<char>(bytes[9000] ^ 1);
  WriteFile(options_.snapshot_path, bytes);
  ExpectRefused(absl::StatusCode::kDataLoss, "expected sha256 [");
  EXPECT_FALSE(disk_.Exists(options_.data_dir));
}

TEST_F(Restore, RefusesAMissingDigestUnlessTold) {
  WriteFile(options_.snapshot_path, testing::BboltImage(buckets_));
  ExpectRefused(absl::StatusCode::kDataLoss, "snapshot missing hash but --skip-hash-check=false");
  options_.skip_hash_check = true;
  EXPECT_TRUE(Run().ok());
}

TEST_F(Restore, RefusesAFileThatWasCutOff) {
  const std::string bytes = WithDigest(testing::BboltImage(buckets_));
  for (std::size_t size = 0; size < bytes.size(); size += 1009) {
    WriteFile(options_.snapshot_path, bytes.substr(0, size));
    for (const bool skip : {false, true}) {
      options_.skip_hash_check = skip;
      const auto report = Run();
      EXPECT_EQ(report.status().code(), absl::StatusCode::kDataLoss) << size;
      EXPECT_FALSE(disk_.Exists(options_.data_dir));
    }
  }
}

TEST_F(Restore, RefusesDamageAlsoWithoutTheDigest) {
  buckets_["key"]["short"] = "x";
  options_.skip_hash_check = true;
  ExpectRefused(absl::StatusCode::kDataLoss, "no record of etcd");
  EXPECT_FALSE(disk_.Exists(options_.data_dir));
}

TEST_F(Restore, RefusesDataOfANewerEtcd) {
  buckets_["meta"]["storageVersion"] = "3.7.0";
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "storage version 3.7.0 is not supported");
}

TEST_F(Restore, RefusesADirectoryInUse) {
  std::filesystem::create_directories(options_.data_dir + "/x");
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "not empty or could not be read");
  EXPECT_TRUE(disk_.Exists(options_.data_dir + "/x"));
  options_.data_dir = dir_.path() + "/other";
  options_.wal_dir = dir_.path() + "/data";
  ExpectRefused(absl::StatusCode::kFailedPrecondition,
                "wal-dir \"" + options_.wal_dir + "\" exists");
}

TEST_F(Restore, RefusesAClusterWithoutTheMember) {
  options_.name = "x";
  ExpectRefused(absl::StatusCode::kInvalidArgument, "couldn't find local name \"x\"");
}

TEST_F(Restore, RefusesABumpWithoutTheMarkAndTheOtherWayRound) {
  options_.bump_revision = 5;
  ExpectRefused(absl::StatusCode::kInvalidArgument, "--mark-compacted required");
  options_.bump_revision = 0;
  options_.mark_compacted = true;
  ExpectRefused(absl::StatusCode::kInvalidArgument, "--mark-compacted required");
}

TEST_F(Restore, RefusesABumpBeyondTheLastRevision) {
  options_.mark_compacted = true;
  for (const std::uint64_t by : {0x7fffffffffffffffULL, 0xffffffffffffffffULL}) {
    options_.bump_revision = by;
    ExpectRefused(absl::StatusCode::kInvalidArgument, "does not leave room");
  }
}

// ---- After a kill.

TEST_F(Restore, GoesOnWhereOneWasKilled) {
  const std::string leftover = options_.data_dir + "/" + std::string(image::kRestoringName);
  std::filesystem::create_directories(leftover + "/rocksdb");
  WriteFile(leftover + "/rocksdb/CURRENT", "half");
  ASSERT_TRUE(Run().ok());
  EXPECT_FALSE(disk_.Exists(leftover));
  EXPECT_TRUE(InspectStore(disk_, options_.data_dir).ok());
}

TEST_F(Restore, LeavesAnotherRestoreInPeace) {
  const std::string theirs = options_.data_dir + "/" + std::string(image::kRestoringName);
  std::filesystem::create_directories(theirs);
  const auto lock = disk_.Open(theirs + "/lock", base::OpenMode::kCreateOrTruncate);
  ASSERT_TRUE(lock.ok());
  ASSERT_TRUE((*lock)->TryLock().ok());
  ExpectRefused(absl::StatusCode::kUnavailable, "another restore is at work");
  EXPECT_TRUE(disk_.Exists(theirs + "/lock"));
}

}  // namespace
}  // namespace etcd::etcdutl
