#include "server/base/utf8.h"

#include <gtest/gtest.h>

namespace etcd::base {
namespace {

TEST(Utf8, WholeCharactersOfEveryLengthAreValid) {
  EXPECT_TRUE(IsValidUtf8(""));
  EXPECT_TRUE(IsValidUtf8("ascii \x7f \xc2\x80 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf"));
}

TEST(Utf8, DamagedCharactersAreInvalid) {
  for (const char* text : {"\x80", "\xc2", "\xc2\x20", "\xff", "\xe2\x82", "\xf0\x9f\x98"}) {
    EXPECT_FALSE(IsValidUtf8(text)) << text;
  }
}

TEST(Utf8, OverlongFormsSurrogatesAndTooLargeAreInvalid) {
  for (const char* text : {"\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80",
                           "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80"}) {
    EXPECT_FALSE(IsValidUtf8(text)) << text;
  }
}

}  // namespace
}  // namespace etcd::base
