#include "server/api/http/peer_handler.h"

#include <etcdserverpb/rpc.pb.h>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "server/base/ids.h"
#include "tests/support/collecting_responder.h"
#include "tests/unit/api/v3/api_fixture.h"

namespace etcd::api::http {
namespace {

using testing::Api;
using testing::CollectingResponder;

class PeerHandlerTest : public ::testing::Test {
 protected:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  PeerHandlerTest()
      : handler_(MakePeerHandler({.node = api_.node,
                                  .store = api_.member->store(),
                                  .lessor = api_.member->lessor(),
                                  .background = executor_,
                                  .bulk = executor_,
                                  .member = &*api_.member,
                                  .server_version = "3.6.16"})) {
    EXPECT_TRUE(api_.member.WaitFor([&] { return api_.member->ClusterVersion() == "3.6.0"; }));
  }

  std::shared_ptr<CollectingResponder> Send(const std::string& method, const std::string& path,
                                            std::string body = "", Headers headers = {}) {
    auto responder = std::make_shared<CollectingResponder>();
    base::HttpRequest request;
    request.method = method;
    request.target = request.path = path;
    request.headers = std::move(headers);
    request.body = std::move(body);
    handler_->Start(std::move(request), responder);
    EXPECT_TRUE(api_.member.WaitFor([&] { return responder->ended; })) << path;
    return responder;
  }
  // "200 body"
  std::string Ask(const std::string& method, const std::string& path, std::string body = "") {
    const auto answer = Send(method, path, std::move(body));
    return std::to_string(answer->status) + " " + answer->body;
  }
  void Grant(std::int64_t id, std::int64_t ttl) {
    etcdserverpb::LeaseGrantRequest grant;
    grant.set_id(id);
    grant.set_ttl(ttl);
    ASSERT_TRUE(api_.StatusOf("/etcdserverpb.Lease/LeaseGrant", grant).ok());
  }
  static std::string KeepAlive(std::int64_t id) {
    etcdserverpb::LeaseKeepAliveRequest request;
    request.set_id(id);
    return request.SerializeAsString();
  }

  Api api_;
  base::Executor& executor_ = api_.member.scheduler.NewExecutor();
  std::unique_ptr<base::HttpHandler> handler_;
};

TEST_F(PeerHandlerTest, ListsTheMembersWithTheClustersId) {
  const auto answer = Send("GET", "/members");
  EXPECT_EQ(answer->status, 200);
  const node::MemberInfo self = api_.member->Members()[0];
  EXPECT_EQ(answer->body, "[{\"id\":" + std::to_string(self.id.value()) + ",\"peerURLs\":[\"" +
                              self.peer_urls[0] + "\"],\"name\":\"" + self.name +
                              "\",\"clientURLs\":[\"" + self.client_urls[0] + "\"]}]\n");
  EXPECT_EQ(answer->headers["X-Etcd-Cluster-ID"],
            base::FormatHex(api_.member->cluster_id().value()));
  EXPECT_EQ(Ask("GET", "/members/"), "404 404 page not found\n");
  EXPECT_EQ(Ask("POST", "/members"), "405 Method Not Allowed\n");
}

TEST_F(PeerHandlerTest, TellsTheVersionThatItReportsAndTheTrueOne) {
  EXPECT_EQ(Ask("GET", "/version"),
            "200 {\"etcdserver\":\"3.6.16\",\"etcdcluster\":\"3.6.0\",\"storage\":\"3.6.0\","
            "\"server\":\"3.6.16\"}");
}

TEST_F(PeerHandlerTest, TellsNoStorageVersionAsAMemberOfAnOlderCluster) {
  etcdserverpb::DowngradeRequest downgrade;
  downgrade.set_action(etcdserverpb::DowngradeRequest::ENABLE);
  downgrade.set_version("3.5");
  ASSERT_TRUE(api_.StatusOf("/etcdserverpb.Maintenance/Downgrade", downgrade).ok());
  ASSERT_TRUE(api_.member.WaitFor([&] { return api_.member->ClusterVersion() == "3.5.0"; }));
  EXPECT_EQ(Ask("GET", "/version"),
            "200 {\"etcdserver\":\"3.5.99\",\"etcdcluster\":\"3.5.0\",\"server\":\"3.6.16\"}");
}

TEST_F(PeerHandlerTest, HashesAtARevision) {
  EXPECT_EQ(Ask("GET", "/members/hashkv", "{\"revision\":0}"),
            "200 {\"header\":{\"revision\":1},\"hash\":1084519789,\"compact_revision\":-1,"
            "\"hash_revision\":1}");
  EXPECT_EQ(Ask("GET", "/members/hashkv", "{\"revision\":9}"),
            "400 mvcc: required revision is a future revision\n");
  EXPECT_EQ(Ask("GET", "/members/hashkv", ""), "400 error unmarshalling request\n");
  EXPECT_EQ(Ask("GET", "/members/hashkv", "{\"revision\":\"1\"}"),
            "400 error unmarshalling request\n");
  EXPECT_EQ(Send("GET", "/members/hashkv", "{}", {{"x-etcd-cluster-id", "77"}})->status, 412);
}

TEST_F(PeerHandlerTest, RefusesPromotionsByCodeAndText) {
  EXPECT_EQ(Ask("POST", "/members/promote/abc"), "404 member abc not found in cluster\n");
  EXPECT_EQ(Ask("POST", "/members/promote/17"), "404 membership: ID not found\n");
  EXPECT_EQ(Ask("POST", "/members/promote/" + std::to_string(api_.member->member_id().value())),
            "412 membership: can only promote a learner member\n");
  EXPECT_EQ(Ask("GET", "/members/promote/17"), "405 Method Not Allowed\n");
}

TEST_F(PeerHandlerTest, RefusesRebuildsByCodeAndText) {
  const Headers cluster = {
      {"x-etcd-cluster-id", base::FormatHex(api_.member->cluster_id().value())}};
  const auto ask = [&](const std::string& body) {
    const auto answer = Send("POST", "/members/rebuild", body, cluster);
    return std::to_string(answer->status) + " " + answer->body;
  };
  const std::string self = std::to_string(api_.member->member_id().value());
  EXPECT_EQ(ask("{\"id\":17,\"peerURLs\":[\"http://a:1\"]}"), "404 etcdserver: member not found\n");
  EXPECT_EQ(ask("{\"id\":" + self + ",\"peerURLs\":[\"http://a:1\"]}"),
            "412 member " + base::FormatHex(api_.member->member_id().value()) + " is up\n");
  for (const char* body : {"", "[]", "{\"id\":-1,\"peerURLs\":[\"a\"]}", "{\"id\":1}",
                           "{\"id\":1,\"peerURLs\":[]}", "{\"id\":1,\"peerURLs\":[7]}"}) {
    EXPECT_EQ(ask(body), "400 error unmarshalling request\n") << body;
  }
  // It removes a member: not without knowing the cluster.
  EXPECT_EQ(Ask("POST", "/members/rebuild", "{\"id\":17,\"peerURLs\":[\"http://a:1\"]}"),
            "412 cluster ID mismatch\n");
  EXPECT_EQ(Ask("GET", "/members/rebuild"), "405 Method Not Allowed\n");
}

TEST_F(PeerHandlerTest, RenewsLeasesForFollowers) {
  Grant(5, 60);
  EXPECT_EQ(Ask("POST", "/leases", KeepAlive(5)), std::string("200 \x10\x05\x18\x3c"));
  EXPECT_EQ(Ask("POST", "/leases", KeepAlive(6)), "404 lease not found\n");
  EXPECT_EQ(Ask("POST", "/leases", "\xff"), "400 error unmarshalling request\n");
  EXPECT_EQ(Ask("GET", "/leases"), "405 Method Not Allowed\n");
}

// etcd issue 20615: whoever cannot prove that it leads renews nothing.
TEST_F(PeerHandlerTest, AMemberThatDoesNotLeadRenewsNothing) {
  Grant(5, 60);
  node::Status status = api_.member->status();
  status.leader = MemberId(77);
  api_.node.shown_status = status;
  EXPECT_EQ(Ask("POST", "/leases", KeepAlive(5)), "400 not a primary lessor\n");
}

// The same when it is replaced while it proves that it leads; and it must prove it.
TEST_F(PeerHandlerTest, Bug20615LeadershipLostDuringTheConfirmationRenewsNothing) {
  Grant(5, 60);
  api_.node.before_read_index = [&] {
    node::Status deposed = api_.member->status();
    deposed.term = deposed.term + 1;
    deposed.leader = MemberId(77);
    api_.node.shown_status = deposed;
  };
  EXPECT_EQ(Ask("POST", "/leases", KeepAlive(5)), "400 not a primary lessor\n");
  // It leads again, in another term than the one that it asked in.
  api_.node.shown_status.reset();
  api_.node.before_read_index = [&] {
    node::Status later = api_.member->status();
    later.term = later.term + 1;
    api_.node.shown_status = later;
  };
  EXPECT_EQ(Ask("POST", "/leases", KeepAlive(5)), "400 not a primary lessor\n");
  // Nobody confirms.
  api_.node.before_read_index = nullptr;
  api_.node.shown_status.reset();
  api_.node.read_index = Error(Errc::kTimeout);
  EXPECT_EQ(Ask("POST", "/leases", KeepAlive(5)), "400 not a primary lessor\n");
}

TEST_F(PeerHandlerTest, WaitsForWhatIsCommittedBeforeALeaseCall) {
  Grant(5, 60);
  node::Status status = api_.member->status();
  status.committed = status.applied + 1;
  api_.node.shown_status = status;
  EXPECT_EQ(Ask("POST", "/leases", KeepAlive(5)),
            "408 waiting for node to catch up its applied index has timed out\n");
}

TEST_F(PeerHandlerTest, TellsTheTimeToLive) {
  Grant(5, 60);
  EXPECT_EQ(Ask("POST", "/leases/internal", std::string("\x0a\x02\x08\x05")),
            std::string("200 \x0a\x08\x0a\x00\x10\x05\x18\x3c\x20\x3c", 14));
  EXPECT_EQ(Ask("POST", "/leases/internal", std::string("\x0a\x02\x08\x06")),
            "404 lease not found\n");
  EXPECT_EQ(Ask("POST", "/leases/internal", "x"), "400 error unmarshalling request\n");
  EXPECT_EQ(Ask("POST", "/lease/internal", "x"), "404 404 page not found\n");
}

TEST_F(PeerHandlerTest, SaysWhetherADowngradeIsUnderWay) {
  EXPECT_EQ(Ask("GET", "/downgrade/enabled"), "200 false");
}

}  // namespace
}  // namespace etcd::api::http
