#include "server/membership/member.h"

#include <gtest/gtest.h>

namespace etcd::membership {
namespace {

// Observed on etcd 3.6.16 (raft-peer-storage.md 4).
TEST(MemberIds, AreThoseOfARealCluster) {
  const MemberId a = MakeMemberId({"http://127.0.0.1:25102"}, "a36", std::nullopt);
  const MemberId b = MakeMemberId({"http://127.0.0.1:25112"}, "a36", std::nullopt);
  const MemberId c = MakeMemberId({"http://127.0.0.1:25122"}, "a36", std::nullopt);
  EXPECT_EQ(base::FormatHex(a.value()), "a975876fd977f5b6");
  EXPECT_EQ(base::FormatHex(b.value()), "7c2c5e7ce787a389");
  EXPECT_EQ(base::FormatHex(c.value()), "fb60bb85edd88fdf");
  EXPECT_EQ(base::FormatHex(MakeClusterId({a, b, c}).value()), "63be2efe2a065412");
}

TEST(MemberIds, DoNotDependOnTheOrderOfUrls) {
  EXPECT_EQ(MakeMemberId({"http://a:1", "http://b:1"}, "t", std::nullopt),
            MakeMemberId({"http://b:1", "http://a:1"}, "t", std::nullopt));
}

TEST(MemberIds, OfAddedMembersDependOnTheSecond) {
  EXPECT_NE(MakeMemberId({"http://a:1"}, "", 1), MakeMemberId({"http://a:1"}, "", 2));
}

// The context of entry 1 in raft-peer-storage.md 11.3.
TEST(MemberJson, OfABootstrapEntryIsGos) {
  const Member member{MemberId(8947630450231714697U), {"http://127.0.0.1:25112"}, false, "n1", {}};
  EXPECT_EQ(EncodeMember(member),
            R"({"id":8947630450231714697,"peerURLs":["http://127.0.0.1:25112"],"name":"n1"})");
}

TEST(MemberJson, OfAPromotionIsGos) {
  EXPECT_EQ(EncodePromotion(MemberId(8947630450231714697U)),
            R"({"id":8947630450231714697,"peerURLs":null,"isPromote":true})");
}

TEST(MemberJson, KeepsAll64BitsOfAnId) {
  const auto decoded = DecodeMember(R"({"id":18446744073709551615,"peerURLs":["u"]})");
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->member.id.value(), 18446744073709551615U);
}

TEST(MemberJson, MatchesNamesInAnyCaseAndIgnoresOthers) {
  const auto decoded = DecodeMember(R"({"ID":7,"PeerUrls":null,"isPROMOTE":true,"x":{}})");
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->member.id, MemberId(7));
  EXPECT_TRUE(decoded->is_promote);
}

TEST(MemberJson, ThatIsNoMemberIsRefused) {
  EXPECT_FALSE(DecodeMember("").ok());
  EXPECT_FALSE(DecodeMember("[1]").ok());
  EXPECT_FALSE(DecodeMember(R"({"id":-1,"peerURLs":[]})").ok());
  EXPECT_FALSE(DecodeMember(R"({"id":1.5})").ok());
}

TEST(MemberJson, EscapesAsGoDoes) {
  EXPECT_EQ(QuoteJson("a<b>&\"\n"), "\"a\\u003cb\\u003e\\u0026\\\"\\n\"");
}

TEST(ConfStateJson, SurvivesARoundTripOfAttributes) {
  const Member member{MemberId(1), {"http://p"}, true, "n", {"http://c"}};
  EXPECT_EQ(EncodeAttributes(member), R"({"name":"n","clientURLs":["http://c"]})");
  EXPECT_EQ(EncodeRaftAttributes(member), R"({"peerURLs":["http://p"],"isLearner":true})");
  EXPECT_EQ(DecodeAttributes(EncodeAttributes(member))->client_urls, member.client_urls);
  EXPECT_TRUE(DecodeRaftAttributes(EncodeRaftAttributes(member))->is_learner);
}

}  // namespace
}  // namespace etcd::membership
