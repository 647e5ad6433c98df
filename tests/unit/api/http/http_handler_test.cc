#include "server/api/http/http_handler.h"

#include <etcdserverpb/rpc.pb.h>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "server/api/http/gzip.h"
#include "server/api/http/reply.h"
#include "server/base/errc.h"
#include "tests/support/collecting_responder.h"
#include "tests/unit/api/v3/api_fixture.h"

namespace etcd::api::http {
namespace {

using testing::Api;
using testing::CollectingResponder;

class EchoGateway final : public base::HttpHandler {
 public:
  void Start(base::HttpRequest request, base::HttpResponderPtr responder) override {
    responder->Reply(200, {}, "gateway " + request.path);
  }
};

class Counts final : public HealthObserver {
 public:
  void OnHealth(bool ok) override { (ok ? healthy : unhealthy)++; }
  void OnCheck(std::string_view type, std::string_view name, bool ok) override {
    checks.push_back(std::string(type) + "/" + std::string(name) + (ok ? "+" : "-"));
  }
  int healthy = 0;
  int unhealthy = 0;
  std::vector<std::string> checks;
};

class HttpHandlerTest : public ::testing::Test {
 protected:
  HttpHandlerTest() { Make({}); }

  Deps MakeDeps() {
    return {.node = api_.node,
            .store = api_.member->store(),
            .background = executor_,
            .gateway = &gateway_,
            .metrics = [] { return std::string("etcd_server_has_leader 1\n"); },
            .debug_vars = [] { return std::string("{\"cmdline\":[]}"); },
            .observer = &counts_};
  }
  void Make(Options options) { handler_ = MakeHttpHandler(MakeDeps(), std::move(options)); }

  using Headers = std::vector<std::pair<std::string, std::string>>;
  std::shared_ptr<CollectingResponder> Send(const std::string& method, const std::string& target,
                                            Headers headers = {}) {
    auto responder = std::make_shared<CollectingResponder>();
    base::HttpRequest request;
    request.method = method;
    request.target = target;
    request.path = target.substr(0, target.find('?'));
    if (request.path.size() < target.size()) request.query = target.substr(request.path.size() + 1);
    request.headers = std::move(headers);
    handler_->Start(std::move(request), responder);
    EXPECT_TRUE(api_.member.WaitFor([&] { return responder->ended; })) << target;
    return responder;
  }
  std::shared_ptr<CollectingResponder> Get(const std::string& target, Headers headers = {}) {
    return Send("GET", target, std::move(headers));
  }
  void RaiseAlarm(etcdserverpb::AlarmType type) {
    etcdserverpb::AlarmRequest alarm;
    alarm.set_action(etcdserverpb::AlarmRequest::ACTIVATE);
    alarm.set_alarm(type);
    ASSERT_TRUE(api_.StatusOf("/etcdserverpb.Maintenance/Alarm", alarm).ok());
  }

  Api api_;
  base::Executor& executor_ = api_.member.scheduler.NewExecutor();
  EchoGateway gateway_;
  Counts counts_;
  std::unique_ptr<base::HttpHandler> handler_;
};

TEST_F(HttpHandlerTest, VersionTellsServerClusterAndStorage) {
  ASSERT_TRUE(api_.member.WaitFor([&] { return api_.node.StorageVersion() == "3.6.0"; }));
  const auto answer = Get("/version");
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->headers["Content-Type"], "application/json");
  EXPECT_EQ(answer->body, R"({"etcdserver":"3.6.16","etcdcluster":"3.6.0","storage":"3.6.0"})");
}

TEST_F(HttpHandlerTest, VersionTellsAnOlderStorageByItsTerm) {
  ASSERT_TRUE(api_.member.WaitFor([&] { return api_.node.StorageVersion() == "3.6.0"; }));
  etcdserverpb::DowngradeRequest downgrade;
  downgrade.set_action(etcdserverpb::DowngradeRequest::ENABLE);
  downgrade.set_version("3.5");
  ASSERT_TRUE(api_.StatusOf("/etcdserverpb.Maintenance/Downgrade", downgrade).ok());
  ASSERT_TRUE(api_.member.WaitFor([&] { return api_.node.ClusterVersion() == "3.5.0"; }));
  EXPECT_EQ(Get("/version")->body,
            R"({"etcdserver":"3.6.16","etcdcluster":"3.5.0","storage":"3.5.0"})");
}

TEST_F(HttpHandlerTest, OtherMethodsAre405) {
  for (const char* path :
       {"/version", "/health", "/livez", "/readyz", "/livez/serializable_read", "/debug/vars"}) {
    for (const char* method : {"POST", "HEAD"}) {
      const auto answer = Send(method, path);
      EXPECT_EQ(answer->status, 405) << method << path;
      EXPECT_EQ(answer->headers["Allow"], "GET");
      EXPECT_EQ(answer->body, "Method Not Allowed\n");
    }
  }
}

TEST_F(HttpHandlerTest, UnknownPathIs404) {
  for (const char* path :
       {"/", "/nothing", "/livez/nothing", "/livez/", "/readyzz", "/v3alpha/x"}) {
    const auto answer = Get(path);
    EXPECT_EQ(answer->status, 404) << path;
    EXPECT_EQ(answer->body, "404 page not found\n");
  }
}

TEST_F(HttpHandlerTest, GatewayPathsGoToTheGateway) {
  EXPECT_EQ(Send("POST", "/v3/kv/range")->body, "gateway /v3/kv/range");
  EXPECT_EQ(Send("POST", "/v3beta/kv/range")->body, "gateway /v3beta/kv/range");
  EXPECT_EQ(Send("POST", "/v3")->body, "gateway /v3");
}

TEST_F(HttpHandlerTest, OptionsIs200WithCorsEverywhere) {
  for (const char* path : {"/v3/kv/range", "/nothing"}) {
    const auto answer = Send("OPTIONS", path);
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, "");
    EXPECT_EQ(answer->headers["Access-Control-Allow-Methods"], "POST, GET, OPTIONS, PUT, DELETE");
    EXPECT_EQ(answer->headers["Access-Control-Allow-Origin"], "*");
    EXPECT_EQ(answer->headers["Access-Control-Allow-Headers"],
              "accept, content-type, authorization");
  }
}

TEST_F(HttpHandlerTest, CorsListAnswersItsOriginsOnly) {
  Make({.cors_origins = {"http://a.test:80", "http://b.test:80"}, .host_whitelist = {}});
  const auto known = Get("/version", {{"origin", "http://b.test:80"}});
  EXPECT_EQ(known->headers["Access-Control-Allow-Origin"], "http://b.test:80");
  for (const Headers& headers : {Headers{}, Headers{{"origin", "http://c.test:80"}}}) {
    const auto answer = Get("/version", headers);
    EXPECT_EQ(answer->status, 200);  // still served
    EXPECT_FALSE(answer->headers.contains("Access-Control-Allow-Origin"));
    EXPECT_FALSE(answer->headers.contains("Access-Control-Allow-Methods"));
  }
}

TEST_F(HttpHandlerTest, HostsOutsideTheWhitelistAreMisdirected) {
  Make({.cors_origins = {}, .host_whitelist = {"good.test"}});
  EXPECT_EQ(Get("/health", {{"host", "good.test:2379"}})->status, 200);
  for (const char* host : {"bad.test", "127.0.0.1:2379", "", "[::1]:2379"}) {
    const auto answer = Get("/health", {{"host", host}});
    EXPECT_EQ(answer->status, 421) << host;
    EXPECT_TRUE(answer->body.starts_with(
        "\netcd received your request, but the Host header was unrecognized."));
    EXPECT_FALSE(answer->headers.contains("Access-Control-Allow-Origin"));
  }
}

TEST_F(HttpHandlerTest, HealthIsTrueAsAString) {
  const auto answer = Get("/health");
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, R"({"health":"true","reason":""})");
  EXPECT_EQ(counts_.healthy, 1);
}

TEST_F(HttpHandlerTest, HealthNamesAlarmsUnlessExcluded) {
  RaiseAlarm(etcdserverpb::NOSPACE);
  const auto answer = Get("/health");
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->body, "{\"health\":\"false\",\"reason\":\"ALARM NOSPACE\"}\n");
  EXPECT_EQ(counts_.unhealthy, 1);
  EXPECT_EQ(Get("/health?exclude=NOSPACE")->status, 200);
  RaiseAlarm(etcdserverpb::CORRUPT);
  EXPECT_EQ(Get("/health?exclude=NOSPACE")->body,
            "{\"health\":\"false\",\"reason\":\"ALARM CORRUPT\"}\n");
  EXPECT_EQ(Get("/health?exclude=NOSPACE&exclude=CORRUPT")->status, 200);
}

TEST_F(HttpHandlerTest, HealthWithoutLeaderFailsUnlessSerializable) {
  api_.node.shown_status = node::Status();
  EXPECT_EQ(Get("/health")->body, "{\"health\":\"false\",\"reason\":\"RAFT NO LEADER\"}\n");
  EXPECT_EQ(Get("/health?serializable=true")->status, 200);
  EXPECT_EQ(Get("/health?serializable=1")->status, 503);
}

TEST_F(HttpHandlerTest, HealthTellsAFailedRead) {
  api_.node.read_index = Error(Errc::kTimeout);
  EXPECT_EQ(Get("/health")->body,
            "{\"health\":\"false\",\"reason\":\"RANGE ERROR:etcdserver: request timed out\"}\n");
}

TEST_F(HttpHandlerTest, ChecksAnswerOkOrListThemselves) {
  const auto answer = Get("/readyz");
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "ok\n");
  EXPECT_EQ(answer->headers["Content-Type"], "text/plain; charset=utf-8");
  EXPECT_EQ(answer->headers["X-Content-Type-Options"], "nosniff");
  EXPECT_EQ(Get("/livez?verbose")->body, "[+]serializable_read ok\nok\n");
  EXPECT_EQ(Get("/readyz?verbose")->body,
            "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n"
            "[+]non_learner ok\nok\n");
  EXPECT_EQ(Get("/readyz/linearizable_read?verbose")->body, "[+]linearizable_read ok\nok\n");
}

TEST_F(HttpHandlerTest, FailedChecksAre503WithEveryLine) {
  api_.node.read_index = Error(Errc::kTimeout);
  const auto answer = Get("/readyz");
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->body,
            "[+]data_corruption ok\n[+]serializable_read ok\n"
            "[-]linearizable_read failed: etcdserver: request timed out\n[+]non_learner ok\n\n");
  EXPECT_EQ(Get("/livez")->status, 200);
  EXPECT_EQ(Get("/readyz?exclude=linearizable_read")->status, 200);
  EXPECT_EQ(Get("/readyz/linearizable_read?exclude=linearizable_read")->status, 503);
  EXPECT_EQ(counts_.checks[2], "readyz/linearizable_read-");
}

TEST_F(HttpHandlerTest, ReadyzKnowsCorruptionAndLearnersButNotSpace) {
  RaiseAlarm(etcdserverpb::NOSPACE);
  EXPECT_EQ(Get("/readyz")->status, 200);
  RaiseAlarm(etcdserverpb::CORRUPT);
  EXPECT_EQ(Get("/readyz/data_corruption")->body,
            "[-]data_corruption failed: alarm activated: CORRUPT\n\n");
  node::Status learner;
  learner.is_learner = true;
  api_.node.shown_status = learner;
  EXPECT_EQ(Get("/readyz/non_learner")->body,
            "[-]non_learner failed: not supported for learner\n\n");
}

TEST_F(HttpHandlerTest, MetricsAreTextAndGzippedWhenAskedFor) {
  const auto plain = Send("POST", "/metrics");
  EXPECT_EQ(plain->status, 200);
  EXPECT_EQ(plain->headers["Content-Type"],
            "text/plain; version=0.0.4; charset=utf-8; escaping=underscores");
  EXPECT_EQ(plain->body, "etcd_server_has_leader 1\n");
  const auto packed = Get("/metrics", {{"accept-encoding", "deflate, gzip;q=1"}});
  EXPECT_EQ(packed->headers["Content-Encoding"], "gzip");
  EXPECT_TRUE(packed->body.starts_with("\x1f\x8b"));
  EXPECT_FALSE(AcceptsGzip("gzip;q=0, br"));
}

TEST_F(HttpHandlerTest, DebugVarsIsJson) {
  const auto answer = Get("/debug/vars");
  EXPECT_EQ(answer->headers["Content-Type"], "application/json; charset=utf-8");
  EXPECT_EQ(answer->body, "{\"cmdline\":[]}");
}

TEST_F(HttpHandlerTest, MetricsPortServesMetricsAndHealthOnly) {
  handler_ = MakeMetricsHandler(MakeDeps());
  EXPECT_EQ(Get("/metrics")->status, 200);
  EXPECT_EQ(Get("/health")->status, 200);
  EXPECT_EQ(Get("/readyz")->status, 200);
  EXPECT_FALSE(Get("/metrics")->headers.contains("Access-Control-Allow-Origin"));
  for (const char* path : {"/version", "/debug/vars", "/v3/kv/range"}) {
    EXPECT_EQ(Get(path)->status, 404) << path;
  }
}

TEST(ParseQuery, DecodesPairs) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(ParseQuery("a=1&b&&c=%2f+x&d=%zz"),
            (Pairs{{"a", "1"}, {"b", ""}, {"c", "/ x"}, {"d", "%zz"}}));
}

}  // namespace
}  // namespace etcd::api::http
