// HashKV over the peer port: answers as members give them, etcd's and ours.
#include "server/node/peer_hashes.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/status.h"

namespace etcd::node {
namespace {

TEST(HashReply, IsReadAsMembersWriteIt) {
  const auto hash = ParseHashReply(
      {200, {}, R"({"header":{"revision":6066},"hash":4294967295,"compact_revision":3})"});
  ASSERT_TRUE(hash.ok()) << hash.status();
  EXPECT_EQ(hash->hash, 4294967295U);
  EXPECT_EQ(hash->compact_revision, Revision(3));
  EXPECT_EQ(hash->current, Revision(6066));
  const auto fresh = ParseHashReply(
      {200, {}, R"({"header":{"revision":1},"hash":5,"compact_revision":-1,"hash_revision":1})"});
  ASSERT_TRUE(fresh.ok());
  EXPECT_EQ(fresh->compact_revision, Revision(-1));
  EXPECT_EQ(fresh->hash_revision, Revision(1));
}

TEST(HashReply, TellsTheKnownRefusalsApart) {
  const auto errc = [](int status, const std::string& body) {
    return ErrcOf(ParseHashReply({status, {}, body}).status());
  };
  EXPECT_EQ(errc(412, "cluster ID mismatch\n"), Errc::kClusterIdMismatch);
  EXPECT_EQ(errc(400, "mvcc: required revision has been compacted\n"), Errc::kCompacted);
  EXPECT_EQ(errc(400, "mvcc: required revision is a future revision\n"), Errc::kFutureRevision);
  EXPECT_EQ(errc(500, "mvcc: required revision has been compacted\n"), std::nullopt);
}

TEST(HashReply, OfAnyOtherShapeIsNoHash) {
  for (const char* body : {"", "x", "[]", "{}", R"({"header":7,"hash":1})", R"({"hash":1})"}) {
    EXPECT_FALSE(ParseHashReply({200, {}, body}).ok()) << body;
  }
}

// Answers at once, by URL.
class Urls final : public ports::PeerClient {
 public:
  std::map<std::string, ports::PeerReply> replies;
  std::vector<std::pair<std::string, ports::PeerRequest>> asked;

  void Ask(std::string url, ports::PeerRequest request, std::chrono::nanoseconds,
           absl::AnyInvocable<void(absl::StatusOr<ports::PeerReply>)> done) override {
    const auto found = replies.find(url);
    asked.emplace_back(url, std::move(request));
    if (found != replies.end()) return done(found->second);
    done(base::MakeStatus(absl::StatusCode::kUnavailable, "refused"));
  }
};

std::vector<PeerHash> AskAll(Urls& urls, const std::vector<membership::Member>& members) {
  std::vector<PeerHash> out;
  int answers = 0;
  AskPeerHashes(urls, {MemberId(1), ClusterId(0xc1), Revision(7), std::chrono::seconds(1)}, members,
                [&](std::vector<PeerHash> peers) {
                  out = std::move(peers);
                  ++answers;
                });
  EXPECT_EQ(answers, 1);
  return out;
}

TEST(PeerHashes, AreAskedOfEveryOtherMemberUrlByUrl) {
  Urls urls;
  urls.replies["http://b2"] = {200, {}, R"({"header":{"revision":8},"hash":3})"};
  const auto peers = AskAll(urls, {{MemberId(1), {"http://a"}, false, "a", {}},
                                   {MemberId(2), {"http://b1", "http://b2"}, false, "b", {}},
                                   {MemberId(3), {"http://c"}, true, "c", {}},
                                   {MemberId(4), {}, false, "", {}}});
  ASSERT_EQ(peers.size(), 3U);
  EXPECT_EQ(peers[0].id, MemberId(2));
  ASSERT_TRUE(peers[0].hash.ok());
  EXPECT_EQ(peers[0].hash->hash, 3U);
  EXPECT_EQ(peers[1].id, MemberId(3));
  EXPECT_FALSE(peers[1].hash.ok());
  EXPECT_FALSE(peers[2].hash.ok());
  ASSERT_EQ(urls.asked.size(), 3U);
  const ports::PeerRequest& request = urls.asked[0].second;
  EXPECT_EQ(request.method + " " + request.path + " " + request.body,
            "GET /members/hashkv {\"revision\":7}");
  EXPECT_EQ(request.headers[1].second, "c1");
}

TEST(PeerHashes, OfAMemberAloneAreNone) {
  Urls urls;
  EXPECT_TRUE(AskAll(urls, {{MemberId(1), {"http://a"}, false, "a", {}}}).empty());
}

}  // namespace
}  // namespace etcd::node
