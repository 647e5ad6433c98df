#include "server/rafthttp/peer_head.h"

#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/rafthttp/prober.h"
#include "server/rafthttp/version_text.h"

namespace etcd::rafthttp {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;
using ::testing::Pair;

TEST(VersionText, TakesWholeVersionsOnly) {
  EXPECT_EQ(ParseVersion("3.6.16"), (Version{3, 6}));
  EXPECT_EQ(ParseVersion("3.10.0-rc.1"), (Version{3, 10}));
  EXPECT_EQ(ParseVersion("3.6.0+git"), (Version{3, 6}));
  for (const std::string_view bad : {"", "3", "3.4", "3.4.", "v3.4.0", "3.4.0.1", "3.x.0", "-1.0.0",
                                     "3..0", " 3.4.0", "3.4.0 ", "99999999999999999999.0.0"}) {
    EXPECT_FALSE(ParseVersion(bad)) << bad;
  }
}

Identity Self(const std::string& version) {
  Identity self;
  self.id = MemberId(0xa1);
  self.cluster_id = ClusterId(0xc1);
  self.advertise_urls = {"http://a:2380", "http://b:2380"};
  self.server_version = [version] { return version; };
  return self;
}

PeerHead Head(std::string_view version, std::string_view min, std::string_view cluster) {
  return {.from = "b2",
          .server_version = version,
          .min_cluster_version = min,
          .cluster_id = cluster,
          .to = "",
          .urls = ""};
}

TEST(PeerHeaders, AreGosOwn) {
  EXPECT_THAT(
      MakePeerHeaders(Self("3.6.16"), MemberId(0xb2)),
      ElementsAre(Pair("X-Etcd-Cluster-Id", "c1"), Pair("X-Min-Cluster-Version", "3.0.0"),
                  Pair("X-Peerurls", "http://a:2380,http://b:2380"), Pair("X-Server-From", "a1"),
                  Pair("X-Server-Version", "3.6.16"), Pair("X-Raft-To", "b2")));
}

TEST(PeerHeaders, TheVersionIsCheckedBeforeTheCluster) {
  const Identity self = Self("3.6.16");
  EXPECT_EQ(CheckPeer(Head("3.4.23", "3.0.0", "c1"), self), Compatibility::kGood);
  EXPECT_EQ(CheckPeer(Head("3.9.1", "3.6.0", "c1"), self), Compatibility::kGood);
  EXPECT_EQ(CheckPeer(Head("3.9.1", "3.7.0", "c1"), self), Compatibility::kIncompatibleVersion);
  EXPECT_EQ(CheckPeer(Head("2.3.8", "", "c9"), self), Compatibility::kIncompatibleVersion);
  EXPECT_EQ(CheckPeer(Head("", "", "c1"), self), Compatibility::kIncompatibleVersion);
  EXPECT_EQ(CheckPeer(Head("3.4.23", "3.0.0", "C1"), self), Compatibility::kOtherCluster);
  EXPECT_EQ(CheckPeer(Head("3.4.23", "3.0.0", ""), self), Compatibility::kOtherCluster);
  EXPECT_EQ(CheckPeer(Head("3.4", "3.0.0", "c1"), self), Compatibility::kAbort);
  EXPECT_EQ(CheckPeer(Head("3.4.0", "v3.0.0", "c1"), self), Compatibility::kAbort);
}

TEST(PeerHeaders, IdsAreHexOf64Bits) {
  EXPECT_EQ(ParseHexId("fb60bb85edd88fdf"), 0xfb60bb85edd88fdfULL);
  EXPECT_EQ(ParseHexId("0"), 0U);
  for (const std::string_view bad : {"", "x", "-1", "0x1", "1 ", "fb60bb85edd88fdf0"}) {
    EXPECT_FALSE(ParseHexId(bad)) << bad;
  }
}

TEST(PeerHeaders, UrlsAreListsOfPeerUrls) {
  EXPECT_THAT(ParsePeerUrls("http://b:1,http://a:1"),
              Optional(ElementsAre("http://a:1", "http://b:1")));
  for (const std::string_view bad : {"", "a:1", "http://a", "http://a:1/x", "http://a:1,"}) {
    EXPECT_FALSE(ParsePeerUrls(bad)) << bad;
  }
}

TEST(StreamPaths, NameTheKindAndTheDialer) {
  StreamPath path = ParseStreamPath("/raft/stream/message/a1");
  EXPECT_EQ(path.kind, StreamKind::kMessage);
  EXPECT_EQ(path.from, MemberId(0xa1));
  path = ParseStreamPath("/raft/stream/msgapp/zz");
  EXPECT_EQ(path.kind, StreamKind::kMsgApp);
  EXPECT_FALSE(path.from);
  for (const std::string_view bad :
       {"/raft/stream/", "/raft/stream/message", "/raft/stream/message/a/b", "/raft/stream/x/a"}) {
    EXPECT_FALSE(ParseStreamPath(bad).kind) << bad;
  }
}

TEST(ProbeText, IsRfc3339WithoutTrailingZeros) {
  using std::chrono::nanoseconds;
  const auto at = [](std::int64_t nanos) {
    return std::chrono::system_clock::time_point(nanoseconds(nanos));
  };
  EXPECT_EQ(ProbeAnswer(at(1'763'687'772'969'238'469)),
            "{\"OK\":true,\"Now\":\"2025-11-21T01:16:12.969238469Z\"}\n");
  EXPECT_EQ(ProbeAnswer(at(1'763'687'772'500'000'000)),
            "{\"OK\":true,\"Now\":\"2025-11-21T01:16:12.5Z\"}\n");
  EXPECT_EQ(ProbeAnswer(at(1'763'687'772'000'000'000)),
            "{\"OK\":true,\"Now\":\"2025-11-21T01:16:12Z\"}\n");
  for (const std::int64_t nanos : {1'763'687'772'969'238'469, 1'763'687'772'000'000'000}) {
    const auto back = ParseProbeAnswer(ProbeAnswer(at(nanos)));
    ASSERT_TRUE(back);
    EXPECT_LT(std::chrono::abs(*back - at(nanos)), std::chrono::microseconds(1));
  }
}

TEST(ProbeText, OddAnswersAreRefused) {
  for (const std::string_view bad :
       {"", "{}", "[]", R"({"OK":false,"Now":"2025-11-21T01:16:12Z"})", R"({"OK":true,"Now":7})",
        R"({"OK":true,"Now":"yesterday"})", R"({"OK":true,"Now":"9999-11-21T01:16:12Z"})",
        R"({"OK":true,"Now":"2025-11-21T01:16:12.9e99Z"})", R"({"OK":true)"}) {
    EXPECT_FALSE(ParseProbeAnswer(bad)) << bad;
  }
}

}  // namespace
}  // namespace etcd::rafthttp
