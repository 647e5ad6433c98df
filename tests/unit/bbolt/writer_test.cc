#include "server/bbolt/writer.h"

#include <gtest/gtest.h>

#include "server/base/random.h"
#include "tests/support/bbolt_image.h"
#include "tests/support/sim_disk.h"

namespace etcd::bbolt {
namespace {

using testing::BboltImage;
using testing::Buckets;

Buckets RoundTrip(const Buckets& buckets) {
  testing::SimDisk disk;
  disk.SetContents("db", BboltImage(buckets));
  auto read = testing::ReadBbolt(disk, "db");
  EXPECT_TRUE(read.ok()) << read.status();
  return read.value_or(Buckets{});
}

std::string Key(int i) {
  std::string digits = std::to_string(i);
  return std::string(8 - digits.size(), '0') + digits;
}

// One kind of page header, at page `id`.
std::uint16_t FlagsOf(const std::string& image, std::uint64_t id) {
  return Load<std::uint16_t>(image.data() + id * kWrittenPageBytes + 8);
}

TEST(BboltWriter, AFileWithoutBucketsIsThreePages) {
  const std::string image = BboltImage({});
  EXPECT_EQ(image.size(), 3U * kWrittenPageBytes);
  EXPECT_EQ(RoundTrip({}), Buckets{});
}

TEST(BboltWriter, EmptyBucketsAreThere) {
  const Buckets buckets{{"a", {}}, {"b", {{"k", "v"}}}, {"c", {}}};
  EXPECT_EQ(RoundTrip(buckets), buckets);
}

TEST(BboltWriter, EveryNumberOfKeysAroundTheEdgesOfPagesComesBack) {
  // 16 bytes of element, 8 of key, 100 of value: 32 in a page; 170 children in a branch page.
  for (const int keys : {1, 2, 31, 32, 33, 64, 65, 5439, 5440, 5441, 5472, 5473, 5504, 12000}) {
    Buckets buckets;
    for (int i = 0; i < keys; ++i) buckets["key"][Key(i)] = std::string(100, 'v');
    EXPECT_EQ(RoundTrip(buckets), buckets) << keys;
  }
}

TEST(BboltWriter, ValuesLargerThanAPageComeBack) {
  Buckets buckets;
  int i = 0;
  for (const std::size_t size : {0, 1, 4055, 4056, 4057, 4096, 8152, 8153, 100000, 3, 1500000}) {
    ++i;
    buckets["key"][Key(i)] = std::string(size, static_cast<char>('a' + i));
  }
  EXPECT_EQ(RoundTrip(buckets), buckets);
}

TEST(BboltWriter, KeysLargerThanAPageComeBack) {
  // Branch pages of such keys have to overflow as well.
  for (const int keys : {1, 2, 3, 4, 5, 6, 7, 20}) {
    Buckets buckets;
    for (int i = 0; i < keys; ++i) buckets["key"][Key(i) + std::string(32000, 'k')] = "v";
    EXPECT_EQ(RoundTrip(buckets), buckets) << keys;
  }
}

TEST(BboltWriter, RandomContentComesBack) {
  base::SeededRandom random(7);
  for (int round = 0; round < 20; ++round) {
    Buckets buckets;
    for (int b = 0; b < 4; ++b) {
      auto& entries = buckets["bucket" + std::to_string(b)];
      const std::uint64_t keys = random.Below(3000);
      const std::uint64_t key_max = 1 + random.Below(random.Below(4) == 0 ? 3000 : 60);
      for (std::uint64_t i = 0; i < keys; ++i) {
        std::string key(1 + random.Below(key_max), 'x');
        for (std::size_t at = 0; at < key.size() && at < 6; ++at) {
          key[at] = static_cast<char>(random.Next());
        }
        entries[key] = std::string(random.Below(random.Below(50) == 0 ? 20000 : 200), 'y');
      }
    }
    EXPECT_EQ(RoundTrip(buckets), buckets) << "round " << round;
  }
}

// bbolt merges nodes with one child; the file never has such a page, nor a page twice, nor a gap.
TEST(BboltWriter, EveryPageIsUsedAndNoBranchHasOneChild) {
  for (const int keys : {5440, 5441, 5472, 5473, 5505, 11000}) {
    Buckets buckets;
    for (int i = 0; i < keys; ++i) buckets["key"][Key(i)] = std::string(100, 'v');
    const std::string image = BboltImage(buckets);
    for (std::uint64_t id = 2; id < image.size() / kWrittenPageBytes; ++id) {
      const char* page = image.data() + id * kWrittenPageBytes;
      ASSERT_EQ(Load<std::uint64_t>(page), id);
      if (FlagsOf(image, id) == kBranchPage) {
        EXPECT_GE(Load<std::uint16_t>(page + 10), 2) << "page " << id << " of " << keys;
      }
    }
  }
}

TEST(BboltWriter, BothMetasAreValidAndThePageOfTheNewerFollowsItsTxid) {
  const std::string image = BboltImage({{"a", {{"k", "v"}}}});
  for (const std::uint64_t id : {0, 1}) {
    const char* meta = image.data() + id * kWrittenPageBytes + kPageHeaderBytes;
    EXPECT_EQ(Load<std::uint64_t>(meta + 56), MetaChecksum({meta, 56}));
    EXPECT_EQ(Load<std::uint64_t>(meta + 48) % 2, id);
    EXPECT_EQ(Load<std::uint64_t>(meta + 40) * kWrittenPageBytes, image.size());
    EXPECT_EQ(FlagsOf(image, id), kMetaPage);
  }
}

}  // namespace
}  // namespace etcd::bbolt
