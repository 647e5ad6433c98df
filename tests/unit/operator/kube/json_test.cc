#include "operator/kube/json.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "operator/kube/api_error.h"
#include "operator/kube/json_splitter.h"

namespace etcd::kube {
namespace {

struct Split {
  std::vector<std::string> objects;
  absl::Status status;
  bool is_empty = false;
};

Split SplitInPieces(const std::string& stream, std::size_t piece, std::size_t object_max) {
  Split split;
  JsonSplitter splitter(object_max);
  for (std::size_t at = 0; at < stream.size() && split.status.ok(); at += piece) {
    split.status = splitter.Feed(stream.substr(at, piece), [&](std::string_view object) {
      split.objects.emplace_back(object);
      return absl::OkStatus();
    });
  }
  split.is_empty = splitter.empty();
  return split;
}

TEST(JsonSplitter, FindsTheSameObjectsHoweverTheBytesAreCut) {
  const std::string a = R"({"a":"}{\"\\","b":[{},{"c":1}]})";
  const std::string b = R"({})";
  const std::string stream = a + b + "\n \t" + a + "\r\n";
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    const Split split = SplitInPieces(stream, piece, 1000);
    ASSERT_TRUE(split.status.ok()) << split.status;
    EXPECT_EQ(split.objects, (std::vector<std::string>{a, b, a})) << piece;
    EXPECT_TRUE(split.is_empty);
  }
}

TEST(JsonSplitter, KnowsThatAnObjectIsNotWhole) {
  EXPECT_FALSE(SplitInPieces(R"({"a":1}{"b")", 3, 1000).is_empty);
}

TEST(JsonSplitter, RefusesWhatIsNoObject) {
  for (const char* stream : {"null", "[]", "x", "{}]", "\"", "{}}"}) {
    EXPECT_TRUE(Is(SplitInPieces(stream, 100, 1000).status, ApiErrc::kBadAnswer)) << stream;
  }
}

TEST(JsonSplitter, KeepsNoMoreThanTheBound) {
  const std::string text = R"({"a":")" + std::string(100, 'x') + R"("})";
  for (const std::size_t piece : {1UL, 7UL, 1000UL}) {
    EXPECT_TRUE(SplitInPieces(text, piece, text.size()).status.ok());
    EXPECT_TRUE(Is(SplitInPieces(text, piece, text.size() - 1).status, ApiErrc::kTooLarge))
        << piece;
  }
}

TEST(Json, RefusesDeepNestingBeforeAnythingRecurses) {
  const std::size_t million = 1'000'000;
  const std::string text = "{\"a\":" + std::string(million, '[') + std::string(million, ']') + "}";
  EXPECT_TRUE(Is(ParseJson(text).status(), ApiErrc::kBadAnswer));
  const std::string deep =
      std::string(kJsonDepthMax - 1, '[') + std::string(kJsonDepthMax - 1, ']');
  EXPECT_TRUE(ParseJson("{\"a\":" + deep + "}").ok());
}

TEST(Json, RefusesBrokenTextsWithoutThrowing) {
  for (const char* text :
       {"", "{", "{\"a\":}", "{}{}", "{\"a\":1", "{\"\xff\":1}", "{]", "[1]", "{\"a\":01}"}) {
    EXPECT_TRUE(Is(ParseJson(text).status(), ApiErrc::kBadAnswer)) << text;
  }
}

TEST(Json, ReadsWhatHasTheRightTypeOnly) {
  const Json json =
      *ParseJson(R"({"a":{"t":"x","n":-3,"u":18446744073709551615,"f":1.5,"b":true}})");
  EXPECT_EQ(TextAt(json, {"a", "t"}), "x");
  EXPECT_EQ(TextAt(json, {"a", "n"}), "");
  EXPECT_EQ(TextAt(json, {"a", "t", "deeper"}), "");
  EXPECT_EQ(IntAt(json, {"a", "n"}), -3);
  EXPECT_EQ(IntAt(json, {"a", "u"}), std::nullopt);
  EXPECT_EQ(IntAt(json, {"a", "f"}), std::nullopt);
  EXPECT_EQ(IntAt(json, {"none"}), std::nullopt);
  EXPECT_TRUE(BoolAt(json, {"a", "b"}));
  EXPECT_FALSE(BoolAt(json, {"a", "t"}));
}

TEST(Json, PrintsBytesThatAreNoUtf8) {
  EXPECT_EQ(DumpJson(Json{{"a", "x\xff"}}), "{\"a\":\"x\xEF\xBF\xBD\"}");
}

}  // namespace
}  // namespace etcd::kube
