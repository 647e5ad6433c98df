#include "server/base/sha256.h"

#include <string>

#include <gtest/gtest.h>

namespace etcd::base {
namespace {

// FIPS 180-2, appendix B.1.
TEST(Sha256, OfPiecesIsThatOfTheWhole) {
  Sha256 digest;
  digest.Add("a");
  digest.Add("");
  digest.Add("bc");
  // The literal has a zero byte.
  constexpr char kDigest[] =
      "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23"
      "\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad";
  EXPECT_EQ(digest.Finish(), std::string(kDigest, kSha256Bytes));
}

}  // namespace
}  // namespace etcd::base
