#include "operator/kube/client.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "kube_fixture.h"
#include "server/base/status.h"
#include "tests/support/temp_dir.h"

namespace etcd::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Effect = testing::FakeKube::Effect;

constexpr char kPodA[] = "/api/v1/namespaces/n/pods/a";
const ObjectKey kA{"n", "a"};

struct ClientTest : KubeFixture, ::testing::Test {
  static Json Body(const std::string& name = "a", const std::string& owner = "") {
    Json body = {{"apiVersion", "v1"},
                 {"kind", "Pod"},
                 {"metadata", {{"name", name}, {"namespace", "n"}}},
                 {"spec", {{"x", 1}}}};
    if (!owner.empty()) {
      body["metadata"]["ownerReferences"] = {{{"uid", owner}, {"controller", true}}};
    }
    return body;
  }
};

TEST_F(ClientTest, CreatesReadsAndDeletes) {
  const Object created = *client.Create(kPods, Body());
  EXPECT_EQ(client.Get(kPods, kA)->uid(), created.uid());
  EXPECT_TRUE(client.Delete(kPods, kA, {.uid = std::string(created.uid())}).ok());
  EXPECT_TRUE(Is(client.Get(kPods, kA).status(), ApiErrc::kNotFound));
  EXPECT_TRUE(client.Delete(kPods, kA, {}).ok());
}

TEST_F(ClientTest, RepeatsReadsAfterFaultsOfTheServerThreeTimes) {
  server.Put(kPodA, Body());
  server.Inject({.method = "GET", .times = 3, .effect = Effect::kLoseRequest});
  EXPECT_TRUE(client.Get(kPods, kA).ok());
  EXPECT_THAT(waits, SizeIs(3));
  EXPECT_LT(waits[0], milliseconds(300));
  EXPECT_GT(waits[2], milliseconds(700));
  server.Inject({.method = "GET", .times = 4, .code = 500});
  EXPECT_TRUE(Is(client.Get(kPods, kA).status(), ApiErrc::kServerError));
  EXPECT_THAT(server.requests(), SizeIs(8));
}

TEST_F(ClientTest, ObeysRetryAfter) {
  server.Put(kPodA, Body());
  server.Inject({.method = "GET", .code = 429, .retry_after_s = 7});
  EXPECT_TRUE(client.Get(kPods, kA).ok());
  EXPECT_THAT(waits, ElementsAre(seconds(7)));
}

TEST_F(ClientTest, LeavesAWaitBeyondTheDeadlineToTheCaller) {
  server.Inject({.method = "GET", .code = 503, .retry_after_s = 60});
  const absl::Status status = client.Get(kPods, kA).status();
  EXPECT_TRUE(Is(status, ApiErrc::kUnavailable));
  EXPECT_EQ(RetryAfterOf(status), seconds(60));
  EXPECT_THAT(waits, IsEmpty());
}

TEST_F(ClientTest, RepeatsACreationThatWasRefusedForNow) {
  server.Inject({.method = "POST", .code = 429});
  EXPECT_TRUE(client.Create(kPods, Body()).ok());
}

TEST_F(ClientTest, LooksBeforeItCreatesAgain) {
  server.Inject({.method = "POST", .effect = Effect::kLoseRequest});
  EXPECT_TRUE(client.Create(kPods, Body()).ok());
  EXPECT_THAT(server.requests(),
              ElementsAre(HasSubstr("POST"), HasSubstr("GET"), HasSubstr("POST")));
}

TEST_F(ClientTest, DoesNotCreateTwiceWhenTheAnswerWasLost) {
  server.Inject({.method = "POST", .effect = Effect::kLoseAnswer});
  EXPECT_TRUE(Is(client.Create(kPods, Body()).status(), ApiErrc::kAlreadyExists));
  EXPECT_THAT(server.requests(), ElementsAre(HasSubstr("POST"), HasSubstr("GET")));
}

TEST_F(ClientTest, TakesOverWhatItCreatedBefore) {
  server.Inject({.method = "POST", .effect = Effect::kLoseAnswer});
  const absl::StatusOr<Object> object = client.CreateOwned(kPods, Body("a", "owner-1"));
  ASSERT_TRUE(object.ok()) << object.status();
  EXPECT_EQ(object->controller_uid(), "owner-1");
}

TEST_F(ClientTest, NeverAdoptsAForeignObject) {
  server.Put(kPodA, Body("a", "owner-2"));
  EXPECT_TRUE(Is(client.CreateOwned(kPods, Body("a", "owner-1")).status(), ApiErrc::kForeignOwner));
  server.Put("/api/v1/namespaces/n/pods/b", Body("b"));
  EXPECT_TRUE(Is(client.CreateOwned(kPods, Body("b", "owner-1")).status(), ApiErrc::kForeignOwner));
}

TEST_F(ClientTest, UpdatesWithAnOldVersionConflict) {
  const Object first = *client.Create(kPods, Body());
  Json changed = first.json();
  changed["spec"]["x"] = 2;
  const Object second = *client.Update(kPods, changed);
  EXPECT_NE(second.resource_version(), first.resource_version());
  changed["spec"]["x"] = 3;
  EXPECT_TRUE(Is(client.Update(kPods, changed).status(), ApiErrc::kConflict));
}

TEST_F(ClientTest, ApplyGivesUpFieldsThatAreLeftOut) {
  Json body = Body();
  body["spec"] = {{"x", 1}, {"y", 2}};
  ASSERT_TRUE(client.Apply(kPods, body).ok());
  body["spec"] = {{"x", 5}};
  const Object object = *client.Apply(kPods, body);
  EXPECT_EQ(object.json()["spec"], (Json{{"x", 5}}));
  EXPECT_THAT(server.requests().back(), HasSubstr("fieldManager=op&force=true"));
}

TEST_F(ClientTest, ApplyToTheStatusLeavesTheSpecAlone) {
  ASSERT_TRUE(client.Create(kPods, Body()).ok());
  const Json status = {{"apiVersion", "v1"},
                       {"kind", "Pod"},
                       {"metadata", {{"name", "a"}, {"namespace", "n"}}},
                       {"spec", {{"x", 99}}},
                       {"status", {{"phase", "Running"}}}};
  const Object object = *client.Apply(kPods, status, "status", "op-status");
  EXPECT_EQ(object.json()["status"]["phase"], "Running");
  EXPECT_EQ(object.json()["spec"]["x"], 1);
  EXPECT_THAT(server.requests().back(), HasSubstr("/pods/a/status?fieldManager=op-status"));
}

TEST_F(ClientTest, ApplyWithAVersionIsLocked) {
  const Object first = *client.Create(kPods, Body());
  Json body = Body();
  body["metadata"]["resourceVersion"] = std::string(first.resource_version());
  body["spec"]["x"] = 2;
  EXPECT_TRUE(client.Apply(kPods, body).ok());
  body["spec"]["x"] = 3;
  EXPECT_TRUE(Is(client.Apply(kPods, body).status(), ApiErrc::kConflict));
}

TEST_F(ClientTest, PatchLockedComputesAnewAfterAConflict) {
  server.Put(kPodA, Body());
  // Somebody else writes between our reading and our writing, twice.
  server.Inject({.method = "PATCH", .times = 2, .effect = Effect::kNone, .before = [this] {
                   Json other = server.Read(kPodA);
                   other["spec"]["x"] = other["spec"]["x"].get<int>() + 10;
                   server.Put(kPodA, other);
                 }});
  const auto add_one = [](const Object& now) -> absl::StatusOr<Json> {
    return Json{{"spec", {{"x", now.json()["spec"]["x"].get<int>() + 1}}}};
  };
  const Object object = *client.PatchLocked(kPods, kA, add_one);
  EXPECT_EQ(object.json()["spec"]["x"], 22);
  ASSERT_THAT(waits, SizeIs(2));
  EXPECT_GE(waits[0], milliseconds(9));
  EXPECT_LE(waits[0], milliseconds(11));
}

TEST_F(ClientTest, PatchLockedGivesUpAfterFiveTries) {
  server.Put(kPodA, Body());
  server.Inject({.method = "PATCH", .times = 100, .code = 409});
  const auto change = [](const Object&) -> absl::StatusOr<Json> {
    return Json{{"spec", {{"x", 2}}}};
  };
  EXPECT_TRUE(Is(client.PatchLocked(kPods, kA, change).status(), ApiErrc::kConflict));
  EXPECT_THAT(server.requests(), SizeIs(10));
}

TEST_F(ClientTest, PatchLockedMayDoNothing) {
  server.Put(kPodA, Body());
  const auto nothing = [](const Object&) -> absl::StatusOr<Json> { return Json(); };
  EXPECT_TRUE(client.PatchLocked(kPods, kA, nothing).ok());
  EXPECT_THAT(server.requests(), SizeIs(1));
}

TEST_F(ClientTest, JsonPatchWithATestFailsWhenItDoesNotHold) {
  server.Put(kPodA, Body());
  const Json patch = Json::array({{{"op", "test"}, {"path", "/spec/x"}, {"value", 2}},
                                  {{"op", "replace"}, {"path", "/spec/x"}, {"value", 3}}});
  EXPECT_TRUE(Is(client.Patch(kPods, kA, PatchType::kJson, patch).status(), ApiErrc::kInvalid));
}

TEST_F(ClientTest, ScaleChangesTheReplicasOnly) {
  server.Put(kPodA, Body());
  EXPECT_TRUE(client.SetScale(kPods, kA, 5).ok());
  EXPECT_EQ(server.Read(kPodA)["spec"], (Json{{"x", 1}, {"replicas", 5}}));
}

TEST_F(ClientTest, DeletesOnlyTheIncarnationThatIsMeant) {
  const Object first = *client.Create(kPods, Body());
  const std::string old_uid(first.uid());
  server.Remove(kPodA);
  server.Put(kPodA, Body());
  EXPECT_TRUE(client.Delete(kPods, kA, {.uid = old_uid}).ok());
  EXPECT_FALSE(server.Read(kPodA).is_null());
}

TEST_F(ClientTest, ADeletionOfAnotherStateConflicts) {
  const Object first = *client.Create(kPods, Body());
  Json changed = first.json();
  changed["spec"]["x"] = 2;
  server.Put(kPodA, changed);
  const DeleteOptions options = {.uid = std::string(first.uid()),
                                 .resource_version = std::string(first.resource_version())};
  EXPECT_TRUE(Is(client.Delete(kPods, kA, options), ApiErrc::kConflict));
  EXPECT_FALSE(server.Read(kPodA).is_null());
}

TEST_F(ClientTest, ADeletionWhoseAnswerWasLostIsDone) {
  server.Put(kPodA, Body());
  server.Inject({.method = "DELETE", .effect = Effect::kLoseAnswer});
  EXPECT_TRUE(client.Delete(kPods, kA, {}).ok());
}

TEST_F(ClientTest, ReadsARefusedTokenAgainOnce) {
  const testing::TempDir dir;
  const std::string file = dir.path() + "/token";
  std::ofstream(file) << "old";
  CredentialSource source({.token_file = file});
  Client with_token(server, source, clock, [](std::chrono::nanoseconds) { return true; }, 1, {});
  server.Put(kPodA, Body());
  EXPECT_TRUE(with_token.Get(kPods, kA).ok());
  std::ofstream(file) << "new";
  server.Inject({.method = "GET", .code = 401});
  EXPECT_TRUE(with_token.Get(kPods, kA).ok());
  EXPECT_EQ((*source.Current(clock))->token, "new");
  server.Inject({.method = "GET", .times = 2, .code = 401});
  EXPECT_TRUE(Is(with_token.Get(kPods, kA).status(), ApiErrc::kUnauthorized));
}

TEST_F(ClientTest, LimitsItselfButNotTheLease) {
  Client limited(server, credentials, clock,
                 [this](std::chrono::nanoseconds wait) {
                   waits.push_back(wait);
                   return true;
                 },
                 1, {.requests_per_second = 10, .burst = 1});
  server.Put(kPodA, Body());
  EXPECT_TRUE(limited.Get(kPods, kA).ok());
  EXPECT_THAT(waits, IsEmpty());
  EXPECT_TRUE(limited.Get(kPods, kA).ok());
  EXPECT_THAT(waits, ElementsAre(milliseconds(100)));
  CallOptions lease;
  lease.is_rate_limited = false;
  EXPECT_TRUE(limited.Get(kPods, kA, lease).ok());
  EXPECT_THAT(waits, SizeIs(1));
}

TEST_F(ClientTest, RefusesAnswersThatAreNoObjects) {
  for (const char* body :
       {"{", "[]", "null", "{\"metadata\":[]}", "<html>", "{\"metadata\":{\"name\":{}}}"}) {
    server.Inject({.method = "GET", .code = 200, .body = body});
    EXPECT_TRUE(Is(client.Get(kPods, kA).status(), ApiErrc::kBadAnswer)) << body;
  }
}

TEST_F(ClientTest, StopsWithItsCaller) {
  std::stop_source stop;
  stop.request_stop();
  CallOptions call;
  call.stop = stop.get_token();
  EXPECT_TRUE(Is(client.Get(kPods, kA, call).status(), ApiErrc::kStopped));
}

TEST_F(ClientTest, ReadsTheVersionAndWhatIsServed) {
  EXPECT_EQ(*client.Version(), (ServerVersion{1, 34}));
  server.Inject(
      {.method = "GET", .code = 200, .body = R"({"resources":[{"name":"certificates"}]})"});
  constexpr Resource kCertificates{"cert-manager.io", "v1", "certificates", "Certificate"};
  EXPECT_TRUE(*client.Serves(kCertificates));
  EXPECT_FALSE(*client.Serves(kCertificates));
}

}  // namespace
}  // namespace etcd::kube
