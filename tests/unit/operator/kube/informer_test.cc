#include "operator/kube/informer.h"

#include <map>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "kube_fixture.h"

namespace etcd::kube {
namespace {

using Effect = testing::FakeKube::Effect;

// An informer with short waits against the server in memory; the changes that it reports, put
// together again, must be what its store has.
struct InformerTest : ::testing::Test, InformerObserver {
  InformerTest() {
    const Reflector::Options options = {
        .backoff = {.first = std::chrono::milliseconds(1), .cap = std::chrono::milliseconds(4)}};
    informer = std::make_unique<Informer>(
        client, clock,
        InformerOptions{.resource = kPods,
                        .reflector = options,
                        .observer = this,
                        .trim = [](Json& json) { json.erase("spec"); }},
        [this](const Change& change) {
          signal.Do([&] {
            ++changes;
            if (change.type == ChangeType::kDeleted) {
              seen.erase(change.before.name());
            } else {
              seen[change.after.name()] = std::string(change.after.resource_version());
            }
          });
        });
  }
  void OnWatchEnded(const Resource&, const absl::Status& reason) override {
    signal.Do([&] { watch_end = ApiErrcOf(reason); });
  }
  void OnListed(const Resource&, std::size_t) override {
    signal.Do([&] { ++lists; });
  }
  void OnListFailed(const Resource&, const absl::Status&) override {
    signal.Do([&] { ++failed_lists; });
  }

  static std::string Pod(const std::string& name) { return "/api/v1/namespaces/n/pods/" + name; }
  void Put(const std::string& name) {
    Json object = server.Read(Pod(name));
    if (object.is_null()) object = Json::object();
    object["spec"]["x"] = ++next_x;
    server.Put(Pod(name), object);
  }
  // Both the reports and the store have exactly what the server has.
  bool IsSame(std::map<std::string, std::string> wanted) {
    return Eventually([&] {
      std::map<std::string, std::string> stored;
      for (const Object& object : informer->store().All()) {
        stored[object.name()] = std::string(object.resource_version());
      }
      bool same = false;
      signal.Do([&] { same = seen == wanted && stored == wanted; });
      return same;
    });
  }
  std::map<std::string, std::string> OnServer(std::vector<std::string> names) {
    std::map<std::string, std::string> all;
    for (const std::string& name : names) {
      all[name] = server.Read(Pod(name))["metadata"]["resourceVersion"];
    }
    return all;
  }
  bool IsWatching() {
    return Eventually([&] { return server.running_watches() == 1; });
  }

  testing::FakeKube server;
  base::SystemClock clock;
  CredentialSource credentials{CredentialConfig{}};
  Client client{server, credentials,
                clock,  [](auto) { return true; },
                1,      {.requests_per_second = 1e6, .burst = 1e6}};
  Signal signal;
  std::map<std::string, std::string> seen;
  std::optional<ApiErrc> watch_end;
  int changes = 0, lists = 0, failed_lists = 0, next_x = 0;
  std::unique_ptr<Informer> informer;
};

TEST_F(InformerTest, FollowsWhatHappens) {
  Put("a");
  Put("b");
  informer->Start();
  EXPECT_TRUE(IsSame(OnServer({"a", "b"})));
  EXPECT_TRUE(informer->has_synced());
  Put("c");
  Put("a");
  server.Remove(Pod("b"));
  EXPECT_TRUE(IsSame(OnServer({"a", "c"})));
  EXPECT_EQ(lists, 1);
}

TEST_F(InformerTest, KeepsNothingThatItIsToldToDrop) {
  Put("listed");
  informer->Start();
  ASSERT_TRUE(IsWatching());
  Put("watched");
  ASSERT_TRUE(IsSame(OnServer({"listed", "watched"})));
  ASSERT_TRUE(server.Read(Pod("listed")).contains("spec"));
  for (const Object& object : informer->store().All()) {
    EXPECT_FALSE(object.json().contains("spec")) << object.name();
    EXPECT_FALSE(object.uid().empty());
  }
}

TEST_F(InformerTest, MissesNothingWhenWatchesBreak) {
  informer->Start();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(IsWatching());
    Put("a" + std::to_string(i));
    server.CutWatches();
    Put("b");
  }
  EXPECT_TRUE(IsSame([&] {
    std::vector<std::string> names = {"b"};
    for (int i = 0; i < 20; ++i) names.push_back("a" + std::to_string(i));
    return OnServer(names);
  }()));
  EXPECT_EQ(lists, 1);
}

TEST_F(InformerTest, ReportsWhatVanishedWhileItsVersionWasGone) {
  Put("a");
  Put("b");
  informer->Start();
  ASSERT_TRUE(IsSame(OnServer({"a", "b"})));
  ASSERT_TRUE(IsWatching());
  server.Inject({.method = "WATCH", .times = 1'000'000, .effect = Effect::kLoseRequest});
  server.CutWatches();
  ASSERT_TRUE(Eventually([&] { return server.running_watches() == 0; }));
  server.Remove(Pod("a"));
  Put("c");
  server.Compact();
  Put("d");
  server.ClearFaults();
  EXPECT_TRUE(IsSame(OnServer({"b", "c", "d"})));
}

TEST_F(InformerTest, ABookmarkSavesTheListAfterACompaction) {
  Put("a");
  informer->Start();
  ASSERT_TRUE(IsWatching());
  const base::Clock::Monotonic before = informer->last_alive();
  // Changes of another kind move the server on; only the bookmark tells.
  server.Put("/api/v1/namespaces/n/services/s", Json::object());
  server.SendBookmarks();
  ASSERT_TRUE(Eventually([&] { return informer->last_alive() > before; }));
  server.Compact();
  server.EndWatches();
  ASSERT_TRUE(Eventually([&] { return server.requests().size() >= 3; }));
  Put("b");
  EXPECT_TRUE(IsSame(OnServer({"a", "b"})));
  EXPECT_EQ(lists, 1);
}

TEST_F(InformerTest, GetsThereThroughFaultsOfEveryKind) {
  Put("a");
  server.Inject({.method = "GET", .code = 500});
  server.Inject({.method = "GET", .effect = Effect::kLoseAnswer});
  server.Inject({.method = "GET", .code = 200, .body = "{\"items\""});
  server.Inject({.method = "WATCH", .code = 403});
  server.Inject({.method = "WATCH", .code = 200, .body = "garbage"});
  server.Inject(
      {.method = "WATCH", .code = 200, .body = R"({"type":"ADDED","object":{"metadata":{)"});
  server.Inject({.method = "WATCH",
                 .code = 504,
                 .body = R"({"details":{"causes":[{"reason":"ResourceVersionTooLarge"}]}})"});
  informer->Start();
  ASSERT_TRUE(IsWatching());
  Put("b");
  EXPECT_TRUE(IsSame(OnServer({"a", "b"})));
  EXPECT_EQ(failed_lists, 3);
}

TEST_F(InformerTest, StopsWithinAWatchAtOnce) {
  informer->Start();
  ASSERT_TRUE(IsWatching());
  const auto begin = std::chrono::steady_clock::now();
  informer->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  EXPECT_EQ(server.running_watches(), 0);
}

}  // namespace
}  // namespace etcd::kube
