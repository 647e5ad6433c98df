#include "server/base/crc32c.h"

#include <string_view>

#include <gtest/gtest.h>

namespace etcd::base {
namespace {

// RFC 3720 B.4 check value.
TEST(Crc32c, MatchesThePublishedCheckValue) {
  EXPECT_EQ(UpdateCrc32c(0, "123456789"), 0xE3069283U);
}

TEST(Crc32c, ChainsAcrossCallsAtEverySplit) {
  constexpr std::string_view kText = "the running crc goes over the data of all records";
  const std::uint32_t whole = UpdateCrc32c(0, kText);
  for (std::size_t at = 0; at <= kText.size(); ++at) {
    EXPECT_EQ(UpdateCrc32c(UpdateCrc32c(0, kText.substr(0, at)), kText.substr(at)), whole);
  }
}

}  // namespace
}  // namespace etcd::base
