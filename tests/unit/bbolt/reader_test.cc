#include "server/bbolt/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/bbolt_image.h"
#include "tests/support/sim_disk.h"

namespace etcd::bbolt {
namespace {

using ::testing::AllOf;
using testing::BboltImage;
using testing::Buckets;
using ::testing::HasSubstr;

// A file with a tree of three levels in bucket "key", pages 2 and up.
class DamagedFile : public ::testing::Test {
 protected:
  DamagedFile() {
    for (int i = 10000; i < 20000; ++i) buckets_["key"][std::to_string(i)] = std::string(60, 'v');
    buckets_["meta"] = {{"term", "1"}};
    image_ = BboltImage(buckets_);
  }

  char* Page(std::uint64_t id) { return image_.data() + id * kWrittenPageBytes; }
  template <typename T>
  void Set(std::uint64_t page, std::size_t offset, T value) {
    std::memcpy(Page(page) + offset, &value, sizeof value);
  }
  void SealMetas() {
    for (const std::uint64_t id : {0, 1}) {
      const std::string_view summed(Page(id) + kPageHeaderBytes, 56);
      Set<std::uint64_t>(id, kPageHeaderBytes + 56, MetaChecksum(summed));
    }
  }
  std::uint64_t FirstBranch() {
    for (std::uint64_t id = 2;; ++id) {
      if (Load<std::uint16_t>(Page(id) + 8) == kBranchPage) return id;
    }
  }
  absl::StatusOr<Buckets> Read() {
    CHECK_OK(disk_.CreateDirs("dir"));
    disk_.SetContents("dir/db", image_);
    return testing::ReadBbolt(disk_, "dir/db");
  }
  std::string Error() {
    const auto read = Read();
    EXPECT_EQ(read.status().code(), absl::StatusCode::kDataLoss) << read.status();
    return std::string(read.status().message());
  }

  testing::SimDisk disk_;
  Buckets buckets_;
  std::string image_;
};

TEST_F(DamagedFile, IsReadWhenItIsNotDamaged) {
  const auto read = Read();
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, buckets_);
}

TEST_F(DamagedFile, WithOneMetaIsReadByTheOther) {
  for (const std::uint64_t id : {0, 1}) {
    const std::string whole = image_;
    Page(id)[kPageHeaderBytes + 20] ^= 1;
    const auto read = Read();
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, buckets_) << "without meta " << id;
    image_ = whole;
  }
}

TEST_F(DamagedFile, TheMetaWithTheHigherTxidCounts) {
  // The older one names a page that is no bucket of buckets.
  Set<std::uint64_t>(1, kPageHeaderBytes + 16, 2);
  SealMetas();
  EXPECT_TRUE(Read().ok());
  Set<std::uint64_t>(1, kPageHeaderBytes + 48, 9);
  SealMetas();
  EXPECT_THAT(Error(), HasSubstr("page 2: element 0 has flags 0x0"));
}

TEST_F(DamagedFile, WithoutAnyMetaIsRefused) {
  Page(0)[kPageHeaderBytes] ^= 1;
  Page(1)[kPageHeaderBytes] ^= 1;
  EXPECT_THAT(Error(), AllOf(HasSubstr("dir/db"), HasSubstr("no valid meta")));
}

TEST_F(DamagedFile, CutShortIsRefused) {
  image_.resize(image_.size() - 1);
  EXPECT_THAT(Error(), HasSubstr("cut short"));
  image_.resize(100);
  EXPECT_THAT(Error(), HasSubstr("cut short"));
  image_.clear();
  EXPECT_THAT(Error(), HasSubstr("no valid meta"));
}

TEST_F(DamagedFile, LongerThanItsHighWaterMarkIsRead) {
  image_.append(3 * kWrittenPageBytes, 'x');
  EXPECT_TRUE(Read().ok());
}

TEST_F(DamagedFile, ARootOutOfBoundsIsRefused) {
  for (const std::uint64_t root : {0UL, 1UL, 1UL << 40, ~0UL}) {
    Set<std::uint64_t>(0, kPageHeaderBytes + 16, root);
    SealMetas();
    EXPECT_THAT(Error(), HasSubstr("out of bounds")) << root;
  }
}

TEST_F(DamagedFile, AHighWaterMarkBeyondTheFileIsRefused) {
  for (const std::uint64_t mark : {image_.size() / kWrittenPageBytes + 1, ~0UL, 1UL << 52}) {
    Set<std::uint64_t>(0, kPageHeaderBytes + 40, mark);
    SealMetas();
    EXPECT_THAT(Error(), HasSubstr("cut short")) << mark;
  }
}

TEST_F(DamagedFile, APageOfAnotherNumberIsRefused) {
  Set<std::uint64_t>(3, 0, 4);
  EXPECT_THAT(Error(), AllOf(HasSubstr("page 3"), HasSubstr("is marked as page 4")));
}

TEST_F(DamagedFile, APageOfAnotherTypeIsRefused) {
  for (const int flags : {0x00, 0x03, 0x04, 0x10, 0x8002}) {
    Set(3, 8, static_cast<std::uint16_t>(flags));
    EXPECT_THAT(Error(), HasSubstr("page 3: is of type")) << flags;
  }
}

TEST_F(DamagedFile, MoreElementsThanFitAreRefused) {
  Set<std::uint16_t>(3, 10, 0xffff);
  EXPECT_THAT(Error(), HasSubstr("page 3: 65535 elements do not fit"));
}

TEST_F(DamagedFile, AnEmptyPageWithinATreeIsRefused) {
  Set<std::uint16_t>(3, 10, 0);
  EXPECT_THAT(Error(), HasSubstr("page 3: has no elements"));
}

TEST_F(DamagedFile, OverflowOutOfBoundsIsRefused) {
  for (const std::uint32_t overflow : {0xffffffffU, 0x7fffffffU, 1000000U}) {
    Set<std::uint32_t>(3, 12, overflow);
    EXPECT_THAT(Error(), HasSubstr("page 3: its overflow is out of bounds")) << overflow;
  }
}

TEST_F(DamagedFile, ElementsThatReachOutOfThePageAreRefused) {
  const std::string whole = image_;
  for (const std::size_t field : {4, 8, 12}) {  // pos, key size, value size
    for (const std::uint32_t value : {0xffffffffU, 0xfffffff0U, 4096U}) {
      Set<std::uint32_t>(3, kPageHeaderBytes + field, value);
      EXPECT_THAT(Error(), HasSubstr("page 3: element 0 reaches out of the page"));
      image_ = whole;
    }
  }
}

TEST_F(DamagedFile, AKeyWithoutBytesIsRefused) {
  Set<std::uint32_t>(3, kPageHeaderBytes + 8, 0);
  EXPECT_THAT(Error(), HasSubstr("page 3: element 0 has a key of 0 bytes"));
}

TEST_F(DamagedFile, KeysOutOfOrderAreRefused) {
  // The key of page 3's second element becomes smaller than the first's.
  const std::size_t element = kPageHeaderBytes + kElementBytes;
  const auto pos = Load<std::uint32_t>(Page(3) + element + 4);
  Page(3)[element + pos] = '0';
  EXPECT_THAT(Error(), HasSubstr("page 3: element 1 is out of order"));
}

TEST_F(DamagedFile, AKeyBelowItsBranchIsRefused) {
  const std::uint64_t branch = FirstBranch();
  const std::size_t element = kPageHeaderBytes + kElementBytes;
  const auto child = Load<std::uint64_t>(Page(branch) + element + 8);
  const auto pos = Load<std::uint32_t>(Page(branch) + element);
  Page(branch)[element + pos + 4] = '~';  // the branch says more than the child's first key
  EXPECT_THAT(Error(), HasSubstr("page " + std::to_string(child) + ": element 0 is out of order"));
}

TEST_F(DamagedFile, ACycleIsRefused) {
  const std::uint64_t branch = FirstBranch();
  Set<std::uint64_t>(branch, kPageHeaderBytes + 8, branch);
  EXPECT_THAT(Error(), HasSubstr("is its own ancestor"));
}

TEST_F(DamagedFile, APageReachedTwiceIsRefused) {
  const std::uint64_t branch = FirstBranch();
  const auto first = Load<std::uint64_t>(Page(branch) + kPageHeaderBytes + 8);
  Set<std::uint64_t>(branch, kPageHeaderBytes + kElementBytes + 8, first);
  EXPECT_THAT(Error(), HasSubstr("is out of order"));
}

TEST_F(DamagedFile, ABucketWithinABucketIsRefused) {
  Set<std::uint32_t>(3, kPageHeaderBytes, kBucketElement);
  EXPECT_THAT(Error(), HasSubstr("page 3: element 0 has flags 0x1"));
}

// A root leaf with one bucket whose value is `inline_bucket`.
std::string FileWithBucketValue(const std::string& inline_bucket) {
  std::string body;
  Append<std::uint32_t>(body, kBucketElement);
  Append<std::uint32_t>(body, kElementBytes);
  Append<std::uint32_t>(body, 3);
  Append<std::uint32_t>(body, static_cast<std::uint32_t>(inline_bucket.size()));
  body.append("key").append(inline_bucket);
  std::string out = MetaPages({2, 3});
  PageWriter pages(&out);
  pages.Emit(kLeafPage, 1, kPageHeaderBytes + body.size(), body);
  return out;
}

// As bbolt keeps small buckets: within the value of their parent.
std::string InlineBucket() {
  std::string page(kPageHeaderBytes, '\0');
  page[8] = kLeafPage;
  page[10] = 1;
  Append<std::uint32_t>(page, 0);
  Append<std::uint32_t>(page, kElementBytes);
  Append<std::uint32_t>(page, 1);
  Append<std::uint32_t>(page, 5);
  return std::string(kBucketHeaderBytes, '\0') + page + "kvalue";
}

TEST(BboltReader, InlineBucketsAreRead) {
  testing::SimDisk disk;
  disk.SetContents("db", FileWithBucketValue(InlineBucket()));
  const auto read = testing::ReadBbolt(disk, "db");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, (Buckets{{"key", {{"k", "value"}}}}));
}

TEST(BboltReader, InlineBucketsCutAnywhereAreRefused) {
  const std::string whole = InlineBucket();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    testing::SimDisk disk;
    disk.SetContents("db", FileWithBucketValue(whole.substr(0, size)));
    EXPECT_EQ(testing::ReadBbolt(disk, "db").status().code(), absl::StatusCode::kDataLoss) << size;
  }
}

}  // namespace
}  // namespace etcd::bbolt
