#include "server/base/bytes.h"

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace etcd::base {
namespace {

TEST(Varint, RoundTripsAtEveryLength) {
  for (std::uint64_t value = 1; value != 0; value <<= 1) {
    for (const std::uint64_t v : {value - 1, value, ~value}) {
      std::string bytes;
      AppendVarint(bytes, v);
      EXPECT_EQ(bytes.size(), VarintSize(v));
      std::string_view in = bytes;
      std::uint64_t back = 0;
      ASSERT_TRUE(ConsumeVarint(in, back));
      EXPECT_EQ(back, v);
      EXPECT_TRUE(in.empty());
    }
  }
}

TEST(Varint, CutShortIsRefused) {
  std::string bytes;
  AppendVarint(bytes, std::numeric_limits<std::uint64_t>::max());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    std::string_view in(bytes.data(), size);
    std::uint64_t value = 0;
    EXPECT_FALSE(ConsumeVarint(in, value));
  }
}

TEST(Varint, MoreThan64BitsAreRefused) {
  const std::string bytes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
  std::string_view in = bytes;
  std::uint64_t value = 0;
  EXPECT_FALSE(ConsumeVarint(in, value));
}

TEST(BigEndian, StoresTheHighByteFirst) {
  std::string out;
  AppendBigEndian64(out, 0x0102030405060708);
  EXPECT_EQ(out, "\x01\x02\x03\x04\x05\x06\x07\x08");
  EXPECT_EQ(LoadBigEndian64(out.data()), 0x0102030405060708U);
}

}  // namespace
}  // namespace etcd::base
