#include "server/api/gateway/json_splitter.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace etcd::api::gateway {
namespace {

using testing::ElementsAre;

std::vector<std::string> Values(JsonSplitter& splitter) {
  std::vector<std::string> values;
  while (auto value = splitter.Next()) values.push_back(*value);
  return values;
}

TEST(JsonSplitter, CutsValuesWhereverTheBytesAreCut) {
  const std::string text = R"({"a":"}\"]\\"} [1,{"b":[]}]null {"c":2}"s\"t" 12 )";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    JsonSplitter splitter;
    splitter.Add(text.substr(0, cut));
    std::vector<std::string> values = Values(splitter);
    splitter.Add(text.substr(cut));
    for (std::string& value : Values(splitter)) values.push_back(std::move(value));
    EXPECT_THAT(values, ElementsAre(R"({"a":"}\"]\\"})", R"( [1,{"b":[]}])", "null", R"( {"c":2})",
                                    R"("s\"t")", " 12"))
        << cut;
    EXPECT_EQ(splitter.rest(), " ");
  }
}

TEST(JsonSplitter, WaitsForTheEndOfAValue) {
  JsonSplitter splitter;
  for (const char* piece : {" ", "{", "\"a\":", "[1", "]"}) {
    splitter.Add(piece);
    EXPECT_EQ(splitter.Next(), std::nullopt) << piece;
  }
  EXPECT_EQ(splitter.rest(), " {\"a\":[1]");
  splitter.Add("}{");
  EXPECT_EQ(splitter.Next(), " {\"a\":[1]}");
  EXPECT_EQ(splitter.rest(), "{");
}

TEST(JsonSplitter, GarbageComesOutForTheReaderToJudge) {
  JsonSplitter splitter;
  splitter.Add("}x y{]");
  EXPECT_THAT(Values(splitter), ElementsAre("}", "x", " y", "{]"));
}

}  // namespace
}  // namespace etcd::api::gateway
