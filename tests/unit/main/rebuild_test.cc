// Damaged data goes aside whole, however often the process dies meanwhile.
#include "server/main/rebuild.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "server/base/status.h"
#include "tests/support/temp_dir.h"

namespace etcd::server {
namespace {

using State = RebuildNote::State;

// The process dies at the n-th change of the disk: that one and all later ones fail.
class DyingFileSystem final : public base::FileSystem {
 public:
  explicit DyingFileSystem(int changes) : left_(changes) {}
  bool died() const { return left_ < 0; }

  absl::StatusOr<std::unique_ptr<base::File>> Open(const std::string& path, base::OpenMode mode,
                                                   std::uint32_t permissions) override {
    if (mode == base::OpenMode::kCreateExclusive || mode == base::OpenMode::kCreateOrTruncate) {
      RETURN_IF_ERROR(Change());
    }
    return files_.Open(path, mode, permissions);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override {
    return files_.List(dir);
  }
  bool Exists(const std::string& path) override { return files_.Exists(path); }
  absl::Status CreateDirs(const std::string& dir) override {
    RETURN_IF_ERROR(Change());
    return files_.CreateDirs(dir);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    RETURN_IF_ERROR(Change());
    return files_.Rename(from, to);
  }
  absl::Status Remove(const std::string& path) override {
    RETURN_IF_ERROR(Change());
    return files_.Remove(path);
  }
  absl::Status RemoveAll(const std::string& path) override {
    RETURN_IF_ERROR(Change());
    return files_.RemoveAll(path);
  }
  absl::Status SyncDir(const std::string& dir) override { return files_.SyncDir(dir); }
  absl::StatusOr<std::uint64_t> FreeBytes(const std::string& path) override {
    return files_.FreeBytes(path);
  }

 private:
  absl::Status Change() {
    return --left_ < 0 ? absl::InternalError("the process has died") : absl::OkStatus();
  }

  base::FileSystem& files_ = base::PosixFileSystem();
  int left_;
};

class SetAsideTest : public ::testing::TestWithParam<bool> {
 protected:
  // A member that was told that it may start over, with what an earlier replacement left.
  void Prepare() {
    dir = std::make_unique<testing::TempDir>();
    config.data_dir = dir->path() + "/data";
    if (GetParam()) config.wal_dir = dir->path() + "/log";
    for (const auto& [name, content] : Files()) Write(name, content);
    Write(Member() + "/damaged/rocksdb/1.sst", "of an earlier one");
    Write(Member() + "/damaged/for-1/x", "");
    Write(DamagedLog() + "/0.wal", "of an earlier one");
    ASSERT_TRUE(WriteRebuildNote(base::PosixFileSystem(), Member(),
                                 {State::kReplacing, "bits", MemberId(0x5cc), true, {"http://a"}})
                    .ok());
  }
  std::string Member() const { return config.data_dir + "/member"; }
  std::string Log() const { return config.wal_dir.empty() ? Member() + "/wal" : config.wal_dir; }
  std::string DamagedLog() const {
    return config.wal_dir.empty() ? Member() + "/damaged/wal" : config.wal_dir + ".damaged";
  }
  std::map<std::string, std::string> Files() const {
    return {{Log() + "/0.wal", "log"},
            {Member() + "/snap/1.snap", "snapshot"},
            {Member() + "/rocksdb/1.sst", "table"}};
  }
  static void Write(const std::string& path, const std::string& content) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << content;
  }
  static std::string Read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  void ExpectAside() {
    EXPECT_EQ(Read(DamagedLog() + "/0.wal"), "log");
    EXPECT_EQ(Read(Member() + "/damaged/snap/1.snap"), "snapshot");
    EXPECT_EQ(Read(Member() + "/damaged/rocksdb/1.sst"), "table");
    for (const auto& [name, content] : Files()) EXPECT_FALSE(std::filesystem::exists(name)) << name;
  }

  std::unique_ptr<testing::TempDir> dir;
  config::Config config;
};

TEST_P(SetAsideTest, IsWholeAfterADeathAtAnyStep) {
  int deaths = 0;
  for (bool died = true; died; ++deaths) {
    Prepare();
    DyingFileSystem dying(deaths);
    {
      Rebuild first(config, dying);
      const absl::Status status = first.Resume();
      died = dying.died();
      EXPECT_EQ(status.ok(), !died) << status;
    }
    Rebuild second(config, base::PosixFileSystem());
    ASSERT_TRUE(second.Resume().ok()) << "after " << deaths << " changes";
    EXPECT_TRUE(second.is_joining());
    ExpectAside();
  }
  EXPECT_GT(deaths, 8);
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutWalDir, SetAsideTest, ::testing::Bool());

TEST(Rebuild, CoversDamageOnly) {
  config::Config config;
  config.auto_rebuild = true;
  EXPECT_TRUE(Rebuild(config, base::PosixFileSystem()).Covers(base::DataLoss("x")));
  EXPECT_FALSE(Rebuild(config, base::PosixFileSystem()).Covers(absl::OkStatus()));
  EXPECT_FALSE(Rebuild(config, base::PosixFileSystem()).Covers(absl::UnavailableError("locked")));
  config.force_new_cluster = true;
  EXPECT_FALSE(Rebuild(config, base::PosixFileSystem()).Covers(base::DataLoss("x")));
  config = config::Config();
  EXPECT_FALSE(Rebuild(config, base::PosixFileSystem()).Covers(base::DataLoss("x")));
}

TEST(Rebuild, WithoutOtherMembersIsRefusedAtOnce) {
  const testing::TempDir dir;
  config::Config config;
  config.data_dir = dir.path();
  config.auto_rebuild = true;
  ASSERT_TRUE(base::PosixFileSystem().CreateDirs(dir.path() + "/member").ok());
  ASSERT_TRUE(WriteIdentity(base::PosixFileSystem(), dir.path() + "/member",
                            {ClusterId(1), MemberId(2), {}})
                  .ok());
  Rebuild rebuild(config, base::PosixFileSystem());
  ASSERT_TRUE(rebuild.Resume().ok());
  const absl::Status status = rebuild.Run(base::DataLoss("a bit"));
  EXPECT_EQ(base::MessageOf(status),
            "a bit; not rebuilt from the other members: there is no other member: it may be the "
            "last good copy");
}

}  // namespace
}  // namespace etcd::server
