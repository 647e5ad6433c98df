#include "operator/store/volume.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "operator/worker/prune.h"
#include "tests/support/temp_dir.h"

namespace etcd::worker {
namespace {

struct VolumeTest : ::testing::Test {
  std::string Get(const std::string& key) {
    const auto text = store.GetText(key, 100);
    return text.ok() ? *text : store::ReasonOf(text.status());
  }
  testing::TempDir dir;
  store::VolumeStore store{dir.path(), "claim", base::PosixFileSystem()};
};

TEST_F(VolumeTest, StoresListsAndDeletes) {
  ASSERT_TRUE(store.PutText("n/c/a", "one").ok());
  ASSERT_TRUE(store.PutText("n/c/b", "two").ok());
  ASSERT_TRUE(store.PutText("n/c/deep/x", "three").ok());
  ASSERT_TRUE(store.PutText("n/c/a", "again").ok());
  EXPECT_EQ(Get("n/c/a"), "again");
  const auto list = store.List("n/c/");
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 2U);
  EXPECT_EQ((*list)[1].key, "n/c/b");
  EXPECT_TRUE(store.List("n/none/").value().empty());
  EXPECT_TRUE(store.Delete("n/c/a").ok());
  EXPECT_TRUE(store.Delete("n/c/a").ok());
  EXPECT_FALSE(store.Head("n/c/a").value());
  EXPECT_EQ(store.UriOf("n/c/b"), "pvc://claim/n/c/b");
}

TEST_F(VolumeTest, HalfWrittenFilesAreNotThere) {
  std::filesystem::create_directories(dir.path() + "/n");
  std::ofstream(dir.path() + "/n/a.part") << "half";
  EXPECT_TRUE(store.List("n/").value().empty());
  EXPECT_EQ(Get("n/a"), "BadObject");
}

TEST_F(VolumeTest, PathsThatLeaveItAreRefused) {
  for (const char* const key : {"", "/a", "../a", "a/../b", "a//b", "a/.", "a/"}) {
    EXPECT_FALSE(store.PutText(key, "x").ok()) << key;
    EXPECT_FALSE(store.Head(key).ok()) << key;
    EXPECT_FALSE(store.Delete(key).ok()) << key;
  }
}

// Backups of three days in "n/c/"; the schedule `u` made them.
struct PruneTest : VolumeTest {
  static std::string KeyOf(int day) {
    return "n/c/2026010" + std::to_string(day) + "T000000Z-1-a.snap";
  }
  static backup::WallTime Day(int day) {
    return std::chrono::sys_days(std::chrono::year(2026) / 1 / day);
  }
  void PutBackup(int day, const std::string& schedule, const std::string& result = "Passed") {
    backup::Manifest manifest;
    manifest.key = KeyOf(day);
    manifest.created_at = "2026-01-0" + std::to_string(day) + "T00:00:00Z";
    manifest.schedule = backup::Identity{.name = "s", .uid = schedule};
    manifest.artifact.sha256 = "aa";
    manifest.verification.result = result;
    ASSERT_TRUE(store.PutText(manifest.key, "data").ok());
    ASSERT_TRUE(store.PutText(manifest.key + ".json", backup::WriteManifest(manifest)).ok());
  }
  backup::Report Run(int keep) {
    backup::Report report{.is_ok = true};
    Prune(store, "n/c/", "u", {.keep_last = keep}, Day(9), report);
    return report;
  }
};

TEST_F(PruneTest, DeletesTheOldestOfItsOwnOnly) {
  PutBackup(1, "u");
  PutBackup(2, "other");
  PutBackup(3, "u");
  ASSERT_TRUE(store.PutText("n/c/notes.json", "{}").ok());
  EXPECT_EQ(Run(1).pruned, 1);
  EXPECT_FALSE(store.Head(KeyOf(1)).value());
  EXPECT_FALSE(store.Head(KeyOf(1) + ".json").value());
  EXPECT_TRUE(store.Head(KeyOf(2)).value());
  EXPECT_TRUE(store.Head(KeyOf(3)).value());
  EXPECT_TRUE(store.Head("n/c/notes.json").value());
}

TEST_F(PruneTest, AManifestThatWasCopiedDeletesNothing) {
  PutBackup(1, "u");
  PutBackup(3, "u");
  ASSERT_TRUE(store.PutText(KeyOf(2), "precious").ok());
  ASSERT_TRUE(
      store.PutText(KeyOf(2) + ".json", store.GetText(KeyOf(1) + ".json", 5000).value()).ok());
  EXPECT_EQ(Run(1).pruned, 1);
  EXPECT_EQ(Get(KeyOf(2)), "precious");
}

TEST_F(PruneTest, ADamagedManifestIsToldAndLeft) {
  PutBackup(1, "u");
  PutBackup(3, "u");
  ASSERT_TRUE(store.PutText(KeyOf(2), "data").ok());
  ASSERT_TRUE(store.PutText(KeyOf(2) + ".json", "garbage").ok());
  const backup::Report report = Run(1);
  EXPECT_EQ(report.pruned, 1);
  EXPECT_FALSE(report.prune_problem.empty());
  EXPECT_TRUE(store.Head(KeyOf(2)).value());
}

TEST_F(PruneTest, NothingGoesWhileTheNewestIsNotVerified) {
  PutBackup(1, "u");
  PutBackup(2, "u");
  PutBackup(3, "u", "Failed");
  EXPECT_EQ(Run(1).pruned, 0);
}

}  // namespace
}  // namespace etcd::worker
