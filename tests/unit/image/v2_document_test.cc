#include "server/image/v2_document.h"

#include <vector>

#include <gtest/gtest.h>

#include "server/v2store/document.h"

namespace etcd::image {
namespace {

TEST(V2Document, IsReadBackAsItWasWritten) {
  membership::View view;
  view.members[MemberId(1)] = {
      MemberId(1), {"http://a:1"}, /*is_learner=*/true, "m1", {"http://c:1"}};
  view.members[MemberId(2)] = {MemberId(2), {"http://b:1"}, /*is_learner=*/false, "", {}};
  view.removed = {MemberId(7), MemberId(9)};
  view.cluster_version = "3.5.0";
  const auto read = ParseV2Document(RenderV2Document(view));
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->members.size(), 2U);
  for (const auto& [id, member] : view.members) {
    EXPECT_EQ(membership::EncodeMember(read->members.at(id)), membership::EncodeMember(member));
  }
  EXPECT_EQ(read->removed, view.removed);
  EXPECT_EQ(read->cluster_version, view.cluster_version);
  EXPECT_FALSE(ParseV2Document("{").ok());
}

// What 3.4 and 3.5 read from it must be what the backend says.
TEST(V2Document, HasMembersRemovedMembersAndVersion) {
  membership::View view;
  view.members[MemberId(1)] = {
      MemberId(1), {"http://a:1"}, /*is_learner=*/false, "m1", {"http://c:1"}};
  view.members[MemberId(2)] = {MemberId(2), {"http://b:1"}, /*is_learner=*/true, "", {}};
  view.removed = {MemberId(7), MemberId(9)};
  view.cluster_version = "3.5.0";
  const auto document = v2store::Parse(RenderV2Document(view));
  ASSERT_TRUE(document.ok()) << document.status();
  ASSERT_EQ(document->members.size(), 2U);
  EXPECT_EQ(document->members[0].id, MemberId(1));
  EXPECT_EQ(document->members[0].raft_attributes, R"({"peerURLs":["http://a:1"]})");
  EXPECT_EQ(document->members[0].attributes, R"({"name":"m1","clientURLs":["http://c:1"]})");
  EXPECT_EQ(document->members[1].raft_attributes,
            R"({"peerURLs":["http://b:1"],"isLearner":true})");
  EXPECT_EQ(document->members[1].attributes, "");  // it has published nothing
  EXPECT_EQ(document->removed, (std::vector<MemberId>{MemberId(7), MemberId(9)}));
  EXPECT_EQ(document->version, "3.5.0");
}

}  // namespace
}  // namespace etcd::image
