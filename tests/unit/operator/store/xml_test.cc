#include "operator/store/xml.h"

#include <random>

#include <gtest/gtest.h>

namespace etcd::store {
namespace {

TEST(StoreXml, ReadsWhatS3Sends) {
  const auto root = ParseXml(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- x --><s3:A xmlns=\"http://a/>\" b='<'>\n"
      "  <B> text &#x41;&#66; </B><C/><!-- y --><B>second</B>\n</s3:A >\n");
  ASSERT_TRUE(root.ok()) << root.status();
  EXPECT_EQ(root->name, "A");
  EXPECT_EQ(root->TextOf("B"), "text AB");
  EXPECT_NE(root->Child("C"), nullptr);
  EXPECT_EQ(root->Child("D"), nullptr);
}

TEST(StoreXml, RefusesWhatIsNone) {
  for (const char* const text : {"",
                                 "text",
                                 "<",
                                 "<>",
                                 "<a",
                                 "<a>",
                                 "<a></b>",
                                 "<a/><b/>",
                                 "<a>&x;</a>",
                                 "<a>&#0;</a>",
                                 "<a>&#x110000;</a>",
                                 "<a>&#99999999999;</a>",
                                 "<a>&amp</a>",
                                 "<!DOCTYPE a><a/>",
                                 "<a b=\">",
                                 "<a><!-- </a>",
                                 "<?xml <a/>",
                                 "<a></a",
                                 "<a <b/>",
                                 "</a>"}) {
    EXPECT_FALSE(ParseXml(text).ok()) << text;
  }
}

TEST(StoreXml, BoundsDepthAndNumber) {
  std::string deep;
  for (std::size_t i = 0; i <= kXmlDepthMax; ++i) deep += "<a>";
  EXPECT_FALSE(ParseXml(deep).ok());
  std::string many = "<a>";
  for (std::size_t i = 0; i <= kXmlNodesMax; ++i) many += "<b/>";
  EXPECT_FALSE(ParseXml(many + "</a>").ok());
}

TEST(StoreXml, SurvivesAnything) {
  const std::string seed = "<?xml?><A x=\"1\"><B>t&amp;&#x41;</B><C/><!-- c --><D><E>f</E></D></A>";
  std::mt19937 random(3);
  for (int round = 0; round < 20'000; ++round) {
    std::string text = seed;
    for (int change = 0; change < 3; ++change) {
      const std::size_t at = random() % text.size();
      if (random() % 2 == 0) {
        text[at] = static_cast<char>(random());
      } else {
        text.erase(at, random() % 4);
      }
      if (text.empty()) break;
    }
    (void)ParseXml(text);
  }
}

}  // namespace
}  // namespace etcd::store
