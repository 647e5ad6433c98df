// operator/kube against the API server that $KUBECONFIG names, which should have nothing else in
// it.
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "operator/kube/access.h"
#include "operator/kube/elector.h"
#include "operator/kube/event_recorder.h"
#include "operator/kube/informer.h"
#include "server/base/status.h"

namespace etcd::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::SizeIs;

constexpr Resource kDeployments{"apps", "v1", "deployments", "Deployment"};

template <class Condition>
bool Eventually(const Condition& condition) {
  const auto deadline = std::chrono::steady_clock::now() + seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

struct RealApi : ::testing::Test {
  void SetUp() override {
    const ObjectList list = *client.List(kConfigMaps, {.ns = "default"});
    for (const Object& object : list.items) {
      if (object.name().starts_with("t-")) {
        ASSERT_TRUE(client.Delete(kConfigMaps, object.key(), {}).ok());
      }
    }
  }
  static Json ConfigMap(const std::string& name, const Json& data) {
    return {{"apiVersion", "v1"},
            {"kind", "ConfigMap"},
            {"metadata", {{"name", name}, {"namespace", "default"}, {"labels", {{"t", "yes"}}}}},
            {"data", data}};
  }

  base::SystemClock clock;
  Access access = *FindAccess("", ProcessEnvironment());
  CurlTransport transport{access.server, "etcd-operator/test (linux/amd64)"};
  CredentialSource credentials{access.credential};
  Client client{transport, credentials, clock, RealSleep({}), 1, {.field_manager = "op"}};
};

TEST_F(RealApi, SaysItsVersionAndWhatItServes) {
  EXPECT_GE(*client.Version(), (ServerVersion{1, 29}));
  EXPECT_TRUE(*client.Serves(kLeases));
  EXPECT_TRUE(*client.Serves(kPods));
  EXPECT_FALSE(*client.Serves({"cert-manager.io", "v1", "certificates", "Certificate"}));
}

TEST_F(RealApi, IsNotTrustedWithoutItsCa) {
  CredentialSource no_ca({.token = access.credential.token});
  Client other(transport, no_ca, clock, RealSleep({}), 1, {});
  CallOptions call;
  call.retries = 0;
  EXPECT_TRUE(Is(other.Get(kConfigMaps, {"default", "x"}, call).status(), ApiErrc::kNotSent));
}

TEST_F(RealApi, IsTrustedUnderTheNameOfItsCertificateOnly) {
  ServerAddress address = access.server;
  address.tls_server_name = "kubernetes.invalid";
  CurlTransport wrong(address, "x");
  address.tls_server_name = "kubernetes";
  CurlTransport right(address, "x");
  CallOptions call;
  call.retries = 0;
  Client refused(wrong, credentials, clock, RealSleep({}), 1, {});
  EXPECT_TRUE(Is(refused.Get(kNodes, {"", "x"}, call).status(), ApiErrc::kNotSent));
  Client accepted(right, credentials, clock, RealSleep({}), 1, {});
  EXPECT_TRUE(Is(accepted.Get(kNodes, {"", "x"}, call).status(), ApiErrc::kNotFound));
}

TEST_F(RealApi, RefusesAWrongToken) {
  CredentialConfig config = access.credential;
  config.token = "wrong";
  CredentialSource wrong(config);
  Client other(transport, wrong, clock, RealSleep({}), 1, {});
  EXPECT_TRUE(Is(other.Get(kNodes, {"", "x"}).status(), ApiErrc::kUnauthorized));
}

TEST_F(RealApi, LocksByTheResourceVersion) {
  const Object first = *client.Create(kConfigMaps, ConfigMap("t-a", {{"x", "1"}}));
  EXPECT_TRUE(
      Is(client.Create(kConfigMaps, ConfigMap("t-a", {})).status(), ApiErrc::kAlreadyExists));
  Json body = first.json();
  body["data"]["x"] = "2";
  EXPECT_TRUE(client.Update(kConfigMaps, body).ok());
  EXPECT_TRUE(Is(client.Update(kConfigMaps, body).status(), ApiErrc::kConflict));
  const auto append = [](const Object& now) -> absl::StatusOr<Json> {
    return Json{{"data", {{"x", std::string(TextAt(now.json(), {"data", "x"})) + "3"}}}};
  };
  EXPECT_EQ(TextAt(client.PatchLocked(kConfigMaps, first.key(), append)->json(), {"data", "x"}),
            "23");
  Json old = {{"metadata", {{"resourceVersion", std::string(first.resource_version())}}}};
  EXPECT_TRUE(Is(client.Patch(kConfigMaps, first.key(), PatchType::kMerge, old).status(),
                 ApiErrc::kConflict));
}

TEST_F(RealApi, DeletesTheIncarnationThatIsMeant) {
  const Object first = *client.Create(kConfigMaps, ConfigMap("t-a", {}));
  const std::string uid(first.uid());
  EXPECT_TRUE(client.Delete(kConfigMaps, first.key(), {.uid = uid}).ok());
  ASSERT_TRUE(client.Create(kConfigMaps, ConfigMap("t-a", {})).ok());
  EXPECT_TRUE(client.Delete(kConfigMaps, first.key(), {.uid = uid}).ok());
  const Object second = *client.Get(kConfigMaps, first.key());
  const DeleteOptions stale = {.uid = std::string(second.uid()), .resource_version = "1"};
  EXPECT_TRUE(Is(client.Delete(kConfigMaps, first.key(), stale), ApiErrc::kConflict));
}

TEST_F(RealApi, AppliesAndGivesUpFields) {
  ASSERT_TRUE(client.Apply(kConfigMaps, ConfigMap("t-a", {{"x", "1"}, {"y", "2"}})).ok());
  const Object object = *client.Apply(kConfigMaps, ConfigMap("t-a", {{"x", "5"}}));
  EXPECT_EQ(*Find(object.json(), {"data"}), (Json{{"x", "5"}}));
  Json body = ConfigMap("t-a", {{"x", "6"}});
  body["metadata"]["resourceVersion"] = "1";
  EXPECT_TRUE(Is(client.Apply(kConfigMaps, body).status(), ApiErrc::kConflict));
}

TEST_F(RealApi, ChangesStatusAndScaleBySubresources) {
  const ObjectKey key{"default", "t-d"};
  ASSERT_TRUE(client.Delete(kDeployments, key, {}).ok());
  const Json labels = {{"app", "t"}};
  const Json body = {{"apiVersion", "apps/v1"},
                     {"kind", "Deployment"},
                     {"metadata", {{"name", "t-d"}, {"namespace", "default"}}},
                     {"spec",
                      {{"replicas", 1},
                       {"selector", {{"matchLabels", labels}}},
                       {"template",
                        {{"metadata", {{"labels", labels}}},
                         {"spec", {{"containers", {{{"name", "c"}, {"image", "i"}}}}}}}}}}};
  ASSERT_TRUE(client.Create(kDeployments, body).ok());
  ASSERT_TRUE(client.SetScale(kDeployments, key, 5).ok());
  EXPECT_EQ(*client.GetScale(kDeployments, key), 5);
  const Json status = {{"apiVersion", "apps/v1"},
                       {"kind", "Deployment"},
                       {"metadata", {{"name", "t-d"}, {"namespace", "default"}}},
                       {"spec", {{"replicas", 9}}},
                       {"status", {{"replicas", 3}}}};
  const absl::StatusOr<Object> applied = client.Apply(kDeployments, status, "status", "op-status");
  ASSERT_TRUE(applied.ok()) << applied.status();
  EXPECT_EQ(IntAt(applied->json(), {"status", "replicas"}), 3);
  EXPECT_EQ(IntAt(applied->json(), {"spec", "replicas"}), 5);
  EXPECT_TRUE(client.Delete(kDeployments, key, {}).ok());
}

TEST_F(RealApi, SaysWhatIsInvalid) {
  const absl::Status status = client.Create(kConfigMaps, ConfigMap("t-UPPER", {})).status();
  EXPECT_TRUE(Is(status, ApiErrc::kInvalid));
  EXPECT_NE(base::MessageOf(status).find("lowercase"), std::string_view::npos);
}

TEST_F(RealApi, ListsPageByPage) {
  for (int i = 0; i < 7; ++i) {
    ASSERT_TRUE(client.Create(kConfigMaps, ConfigMap("t-" + std::to_string(i), {})).ok());
  }
  const ObjectList list =
      *client.List(kConfigMaps, {.ns = "default", .label_selector = "t=yes", .page_size = 2});
  EXPECT_THAT(list.items, SizeIs(7));
}

TEST_F(RealApi, AnInformerFollows) {
  ASSERT_TRUE(client.Create(kConfigMaps, ConfigMap("t-a", {})).ok());
  Reflector::Options reflector;
  reflector.watch_timeout_min = reflector.watch_timeout_max = seconds(2);
  Informer informer(client, clock,
                    {.resource = kConfigMaps, .label_selector = "t=yes", .reflector = reflector},
                    [](const Change&) {});
  informer.Start();
  const auto names = [&] {
    std::set<std::string> all;
    for (const Object& object : informer.store().All()) all.insert(object.name());
    return all;
  };
  EXPECT_TRUE(Eventually([&] { return names() == std::set<std::string>{"t-a"}; }));
  // Longer than one watch, so that it goes on in the next.
  const auto end = std::chrono::steady_clock::now() + seconds(5);
  for (int i = 0; std::chrono::steady_clock::now() < end; ++i) {
    const std::string name = "t-" + std::to_string(i);
    ASSERT_TRUE(client.Create(kConfigMaps, ConfigMap(name, {})).ok());
    EXPECT_TRUE(Eventually([&] { return names() == std::set<std::string>{"t-a", name}; }));
    ASSERT_TRUE(client.Delete(kConfigMaps, {"default", name}, {}).ok());
    EXPECT_TRUE(Eventually([&] { return names() == std::set<std::string>{"t-a"}; }));
  }
  informer.Stop();
}

TEST_F(RealApi, OneOfTwoLeadsAndHandsOver) {
  ASSERT_TRUE(client.Delete(kLeases, {"default", "t-lease"}, {}).ok());
  const auto candidate = [&](const std::string& identity) {
    return std::make_unique<Elector>(client, clock,
                                     Election::Options{.ns = "default",
                                                       .name = "t-lease",
                                                       .identity = identity,
                                                       .retry_period = milliseconds(200)},
                                     1, Elector::Callbacks{[] {}, [] {}});
  };
  auto a = candidate("a");
  auto b = candidate("b");
  a->Start();
  ASSERT_TRUE(Eventually([&] { return a->is_leader(); }));
  b->Start();
  a->Stop();
  EXPECT_TRUE(Eventually([&] { return b->is_leader(); }));
  EXPECT_FALSE(a->is_leader());
}

TEST_F(RealApi, TakesEventsAndTheirSeries) {
  const Object object = *client.Create(kConfigMaps, ConfigMap("t-a", {}));
  EventRecorder recorder(client, clock, {.controller = "etcdpp.dev/operator", .instance = "op-1"});
  recorder.Start();
  for (int i = 0; i < 2; ++i) {
    recorder.Record({.regarding = ReferenceTo(object),
                     .is_warning = true,
                     .reason = "MemberFailed",
                     .action = "Observe",
                     .note = "a note"});
  }
  const auto is_written = [&] {
    const ObjectList list = *client.List(kEvents, {.ns = "default"});
    for (const Object& event : list.items) {
      if (TextAt(event.json(), {"regarding", "uid"}) != object.uid()) continue;
      if (IntAt(event.json(), {"series", "count"}) == 2) return true;
    }
    return false;
  };
  EXPECT_TRUE(Eventually(is_written));
  recorder.Stop();
  EXPECT_EQ(recorder.dropped(), 0U);
}

}  // namespace
}  // namespace etcd::kube
