#include "server/node/join.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/base/status.h"

namespace etcd::node {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<std::string> NoResolver(const std::string& host) {
  return base::MakeStatus(absl::StatusCode::kNotFound, "lookup " + host);
}

ListedCluster TwoMembers() {
  ListedCluster out;
  out.id = ClusterId(9);
  out.members = {{MemberId(1), {"http://10.0.0.1:2380"}, false, "a", {"http://10.0.0.1:2379"}},
                 {MemberId(2), {"http://10.0.0.2:2380"}, true, "", {}}};
  return out;
}

TEST(Join, TakesIdsAndTheClusterFromTheRunningMembers) {
  const auto joined =
      MatchCluster({{"a", {"http://10.0.0.1:2380"}}, {"b", {"http://10.0.0.2:2380"}}}, "b",
                   TwoMembers(), NoResolver);
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->own_id, MemberId(2));
  EXPECT_EQ(joined->id, ClusterId(9));
  EXPECT_EQ(joined->members.size(), 2U);
}

TEST(Join, NamesOfHostsAreResolvedWhereTextsDiffer) {
  const auto joined =
      MatchCluster({{"a", {"http://a.local:2380"}}, {"b", {"http://10.0.0.2:2380"}}}, "b",
                   TwoMembers(), [](const std::string& host) -> absl::StatusOr<std::string> {
                     return host == "a.local:2380" ? std::string("10.0.0.1:2380") : host;
                   });
  EXPECT_TRUE(joined.ok()) << joined.status();
}

TEST(Join, IsRefusedWhenTheListsDoNotMatch) {
  const auto fewer = MatchCluster({{"b", {"http://10.0.0.2:2380"}}}, "b", TwoMembers(), NoResolver);
  EXPECT_THAT(std::string(base::MessageOf(fewer.status())), HasSubstr("member count is unequal"));
  const auto other =
      MatchCluster({{"a", {"http://10.0.0.9:2380"}}, {"b", {"http://10.0.0.2:2380"}}}, "b",
                   TwoMembers(), NoResolver);
  EXPECT_THAT(
      std::string(base::MessageOf(other.status())),
      HasSubstr("PeerURLs: no match found for existing member (1, [http://10.0.0.1:2380])"));
}

TEST(Join, ReadsWhatAMemberAnswers) {
  ports::PeerReply reply;
  reply.status = 200;
  reply.headers = {{"x-etcd-cluster-id", "1f"}};
  reply.body = R"([{"id":18446744073709551613,"peerURLs":["http://h:1"]}])";
  const auto listed = ParseMembersReply(reply);
  ASSERT_TRUE(listed.ok()) << listed.status();
  EXPECT_EQ(listed->id, ClusterId(31));
  EXPECT_EQ(listed->members[0].id, MemberId(18446744073709551613ULL));
  for (const char* body : {"[]", "{}", "", "[1]"}) {
    reply.body = body;
    EXPECT_FALSE(ParseMembersReply(reply).ok()) << body;
  }
  reply.body = R"([{"id":1,"peerURLs":[]}])";
  reply.headers.clear();
  EXPECT_FALSE(ParseMembersReply(reply).ok());
}

TEST(Join, VersionsMustBeWithinReach) {
  const auto check = [](std::vector<std::string> versions, bool downgrade = false) {
    std::vector<PeerVersions> peers;
    for (std::string& v : versions) peers.push_back({"3.6.1", std::move(v), ""});
    const auto found = CheckJoinVersions(peers, downgrade, "3.6.16");
    return found.ok() ? *found : std::string(base::MessageOf(found.status()));
  };
  EXPECT_EQ(check({"3.4.0", "not_decided"}), "3.4.0");
  EXPECT_EQ(check({"3.6.0"}), "3.6.0");
  const std::string refused = "incompatible with current running cluster";
  EXPECT_EQ(check({"3.7.0"}), refused);
  EXPECT_EQ(check({"3.6.0", "3.7.0"}), refused);
  EXPECT_EQ(check({}), refused);
  EXPECT_EQ(check({"not_decided"}), refused);
  EXPECT_EQ(check({"3.6.0"}, true), refused);
  EXPECT_EQ(check({"3.7.0"}, true), "3.7.0");
}

TEST(Join, AMemberWithClientUrlsHasServedBefore) {
  EXPECT_TRUE(IsBootstrapped(TwoMembers(), MemberId(1)));
  EXPECT_FALSE(IsBootstrapped(TwoMembers(), MemberId(2)));
  EXPECT_FALSE(IsBootstrapped(TwoMembers(), MemberId(3)));
}

}  // namespace
}  // namespace etcd::node
