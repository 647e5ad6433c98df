#include "server/net/localhost.h"

#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace etcd::net {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Texts(const std::vector<Address>& addresses) {
  std::vector<std::string> texts;
  for (const Address& address : addresses) texts.push_back(ToText(address));
  return texts;
}

std::vector<std::string> Listed(std::string_view hosts, std::string host = "localhost") {
  return Texts(ListedInHosts({std::move(host), "7", {}}, hosts));
}

TEST(Localhost, HasNamesThatNobodyElseMayAnswer) {
  for (const char* own :
       {"localhost", "LocalHost", "localhost.", "a.localhost", "a.b.LOCALHOST."}) {
    EXPECT_TRUE(IsLocalhost(own)) << own;
  }
  for (const char* other : {"", ".", "local", "localhost.example", "mylocalhost", "localhost..",
                            "localhost4", "127.0.0.1"}) {
    EXPECT_FALSE(IsLocalhost(other)) << other;
  }
}

TEST(HostsFile, GivesTheAddressesOfAName) {
  EXPECT_THAT(Listed("127.0.0.1 localhost\n::1\tlocalhost ip6-localhost\n10.0.0.1 other\n"),
              ElementsAre("127.0.0.1:7", "[::1]:7"));
  EXPECT_THAT(Listed("127.0.0.5 one two LOCALHOST", "LocalHost."), ElementsAre("127.0.0.5:7"));
  EXPECT_THAT(Listed("127.0.0.1 localhost\n", "a.localhost"), IsEmpty());
}

TEST(HostsFile, MayHoldAnything) {
  EXPECT_THAT(Listed(""), IsEmpty());
  EXPECT_THAT(Listed("\n\n# 127.0.0.1 localhost\n127.0.0.1 # localhost\n"), IsEmpty());
  EXPECT_THAT(Listed("localhost 127.0.0.1\nlocalhost\nx localhost\n127.0.0.1\n"), IsEmpty());
  EXPECT_THAT(Listed("\t 127.0.0.2 \t localhost \r\n127.0.0.3 localhost"),
              ElementsAre("127.0.0.2:7", "127.0.0.3:7"));
}

// On any machine, with or without a hosts file; the server's test takes the file away.
TEST(Localhost, IsAnsweredHere) {
  const auto own = Resolve({"localhost", "7", {}});
  ASSERT_TRUE(own.ok());
  EXPECT_EQ(ToText(own->front()), "127.0.0.1:7");
  const auto below = Resolve({"no-such-host.localhost", "7", {}});
  ASSERT_TRUE(below.ok());
  EXPECT_THAT(Texts(*below), ElementsAre("127.0.0.1:7", "[::1]:7"));
  EXPECT_FALSE(Resolve({"localhost", "x", {}}).ok());
}

}  // namespace
}  // namespace etcd::net
