#include "server/v2store/document.h"

#include <gtest/gtest.h>

namespace etcd::v2store {
namespace {

Document Example() {
  return {.members = {{MemberId(1), R"({"peerURLs":["http://a"]})", R"({"name":"n1"})"},
                      {MemberId(0x48e193ea58d48d0), R"({"peerURLs":["http://b"]})", ""}},
          .removed = {MemberId(0xabc)},
          .version = "3.6.0"};
}

TEST(V2Document, IsReadBackAsWritten) {
  const auto parsed = Parse(Render(Example()));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(*parsed, Example());
}

TEST(V2Document, HasTheShapeThatGoAccepts) {
  const std::string json = Render({{{MemberId(0xa), "R", "A"}}, {}, ""});
  EXPECT_EQ(
      json,
      R"({"Root":{"Path":"/","CreatedIndex":0,"ModifiedIndex":0,"ExpireTime":"0001-01-01T00:00:00Z",)"
      R"("Value":"","Children":{"0":{"Path":"/0","CreatedIndex":0,"ModifiedIndex":0,"ExpireTime":)"
      R"("0001-01-01T00:00:00Z","Value":"","Children":{"members":{"Path":"/0/members","CreatedIndex":1,)"
      R"("ModifiedIndex":1,"ExpireTime":"0001-01-01T00:00:00Z","Value":"","Children":{"a":{"Path":)"
      R"("/0/members/a","CreatedIndex":1,"ModifiedIndex":1,"ExpireTime":"0001-01-01T00:00:00Z","Value":"",)"
      R"("Children":{"raftAttributes":{"Path":"/0/members/a/raftAttributes","CreatedIndex":1,)"
      R"("ModifiedIndex":1,"ExpireTime":"0001-01-01T00:00:00Z","Value":"R","Children":null},"attributes":)"
      R"({"Path":"/0/members/a/attributes","CreatedIndex":2,"ModifiedIndex":2,"ExpireTime":)"
      R"("0001-01-01T00:00:00Z","Value":"A","Children":null}}}}}}},"1":{"Path":"/1","CreatedIndex":0,)"
      R"("ModifiedIndex":0,"ExpireTime":"0001-01-01T00:00:00Z","Value":"","Children":{}}}},)"
      R"("CurrentIndex":2,"CurrentVersion":2})");
}

TEST(V2Document, ThatIsDamagedIsRefused) {
  EXPECT_FALSE(Parse("").ok());
  EXPECT_FALSE(Parse("{}").ok());
  EXPECT_FALSE(
      Parse(R"({"Root":{"Children":{"0":{"Children":{"members":{"Children":{"zz":{}}}}}}}})").ok());
}

TEST(V2Document, WithoutContentIsEmpty) { EXPECT_EQ(*Parse(Render({})), Document()); }

}  // namespace
}  // namespace etcd::v2store
