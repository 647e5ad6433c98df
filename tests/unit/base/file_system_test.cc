#include "server/base/file_system.h"

#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "server/base/status.h"

namespace etcd::base {
namespace {

class PosixFileSystemTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "fsXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { ASSERT_TRUE(PosixFileSystem().RemoveAll(dir_).ok()); }

  FileSystem& fs_ = PosixFileSystem();
  std::string dir_;
};

TEST_F(PosixFileSystemTest, WritesAreReadBackAndBoundedByTheFile) {
  auto file = fs_.Open(dir_ + "/f", OpenMode::kCreateExclusive);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->WriteAt(3, "abc").ok());
  EXPECT_EQ(*(*file)->ReadAt(0, 1ULL << 60), std::string("\0\0\0abc", 6));
  EXPECT_EQ(*(*file)->ReadAt(100, 5), "");
}

TEST_F(PosixFileSystemTest, PreallocateExtendsWithZerosAndKeepsData) {
  auto file = fs_.Open(dir_ + "/f", OpenMode::kCreateExclusive);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->WriteAt(0, "x").ok());
  ASSERT_TRUE((*file)->Preallocate(4096).ok());
  EXPECT_EQ(*(*file)->Size(), 4096U);
  EXPECT_EQ(*(*file)->ReadAt(0, 2), std::string("x\0", 2));
}

TEST_F(PosixFileSystemTest, AMissingFileIsNotFoundWithGosText) {
  const auto file = fs_.Open(dir_ + "/none", OpenMode::kRead);
  EXPECT_EQ(file.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(MessageOf(file.status()), "open " + dir_ + "/none: no such file or directory");
}

TEST_F(PosixFileSystemTest, ALockedFileIsUnavailableToAnotherOpener) {
  auto first = fs_.Open(dir_ + "/f", OpenMode::kCreateExclusive);
  auto second = fs_.Open(dir_ + "/f", OpenMode::kReadWrite);
  ASSERT_TRUE(first.ok() && second.ok());
  ASSERT_TRUE((*first)->TryLock().ok());
  EXPECT_EQ((*second)->TryLock().code(), absl::StatusCode::kUnavailable);
  first->reset();
  EXPECT_TRUE((*second)->TryLock().ok());
}

TEST_F(PosixFileSystemTest, CreateDirsMakesParentsAndToleratesExistingOnes) {
  EXPECT_TRUE(fs_.CreateDirs(dir_ + "/a/b/c").ok());
  EXPECT_TRUE(fs_.CreateDirs(dir_ + "/a/b/c").ok());
  EXPECT_EQ(*fs_.List(dir_ + "/a/b"), std::vector<std::string>{"c"});
}

}  // namespace
}  // namespace etcd::base
