#include "server/base/base64.h"

#include <string>

#include <gtest/gtest.h>

namespace etcd::base {
namespace {

// RFC 4648, section 10.
TEST(Base64, EncodesWithAndWithoutPadding) {
  EXPECT_EQ(EncodeBase64("", true), "");
  EXPECT_EQ(EncodeBase64("f", true), "Zg==");
  EXPECT_EQ(EncodeBase64("fo", true), "Zm8=");
  EXPECT_EQ(EncodeBase64("foo", true), "Zm9v");
  EXPECT_EQ(EncodeBase64("foob", false), "Zm9vYg");
  EXPECT_EQ(EncodeBase64("fooba", false), "Zm9vYmE");
  EXPECT_EQ(EncodeBase64("foobar", false), "Zm9vYmFy");
  EXPECT_EQ(EncodeBase64("\xfb\xff", false), "+/8");
}

TEST(Base64, DecodesTheLettersOfBothAlphabets) {
  EXPECT_EQ(DecodeBase64Letters(""), "");
  EXPECT_EQ(DecodeBase64Letters("Zg"), "f");
  EXPECT_EQ(DecodeBase64Letters("+/8"), "\xfb\xff");
  EXPECT_EQ(DecodeBase64Letters("-_8"), "\xfb\xff");
}

TEST(Base64, EveryByteComesBack) {
  std::string all;
  for (int i = 0; i < 256; ++i) {
    all.push_back(static_cast<char>(i));
    EXPECT_EQ(DecodeBase64Letters(EncodeBase64(all, false)), all);
  }
}

TEST(Base64, OtherCharactersAndLoneLettersAreRefused) {
  for (const std::string_view bad : {"Z", "Zg==", "Zm9vY", "Z g", "Zm\n9v", "Zm9\xc3"}) {
    EXPECT_FALSE(DecodeBase64Letters(bad)) << bad;
  }
}

}  // namespace
}  // namespace etcd::base
