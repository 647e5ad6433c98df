#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "kube_fixture.h"

namespace etcd::kube {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using Effect = testing::FakeKube::Effect;

struct ClientReadTest : KubeFixture, ::testing::Test {
  void PutPods(int count) {
    for (int i = 0; i < count; ++i) {
      server.Put("/api/v1/namespaces/n/pods/p" + std::to_string(i),
                 {{"metadata", {{"labels", {{"odd", i % 2 == 1 ? "yes" : "no"}}}}}});
    }
  }
  absl::Status WatchFrom(const std::string& version, std::vector<WatchEvent>& events) {
    return client.Watch(kPods, {.ns = "n", .resource_version = version, .timeout = seconds(1)},
                        [&](WatchEvent event) {
                          events.push_back(std::move(event));
                          return absl::OkStatus();
                        },
                        {});
  }
  absl::Status WatchBytes(const std::string& bytes, std::vector<WatchEvent>& events) {
    server.Inject({.method = "WATCH", .code = 200, .body = bytes});
    return WatchFrom("1", events);
  }
};

TEST_F(ClientReadTest, ListsPageByPage) {
  PutPods(7);
  const ObjectList list = *client.List(kPods, {.ns = "n", .page_size = 3});
  ASSERT_THAT(list.items, SizeIs(7));
  EXPECT_EQ(list.items[6].name(), "p6");
  EXPECT_EQ(list.items[0].json()["kind"], "Pod");
  EXPECT_EQ(list.items[0].json()["apiVersion"], "v1");
  EXPECT_FALSE(list.resource_version.empty());
  EXPECT_THAT(server.requests(),
              ElementsAre(HasSubstr("?limit=3"), HasSubstr("continue="), HasSubstr("continue=")));
}

TEST_F(ClientReadTest, ListsByLabelsEverywhere) {
  PutPods(7);
  server.Put("/api/v1/namespaces/other/pods/q", {{"metadata", {{"labels", {{"odd", "yes"}}}}}});
  EXPECT_THAT(client.List(kPods, {.label_selector = "odd=yes"})->items, SizeIs(4));
}

TEST_F(ClientReadTest, ReadsEverythingAgainWhenThePagesAreGone) {
  PutPods(7);
  server.Inject(
      {.method = "GET", .target_part = "continue=", .effect = Effect::kNone, .before = [this] {
         server.Compact();
       }});
  EXPECT_THAT(client.List(kPods, {.ns = "n", .page_size = 3})->items, SizeIs(7));
  EXPECT_THAT(server.requests(), ElementsAre(HasSubstr("?limit=3"), HasSubstr("continue="),
                                             ::testing::EndsWith("/pods")));
}

TEST_F(ClientReadTest, RefusesListsThatAreNone) {
  for (const char* body : {R"({"items":[]})", R"({"metadata":{"resourceVersion":"1"},"items":{}})",
                           R"({"metadata":{"resourceVersion":"1"},"items":[1]})",
                           R"({"metadata":{"resourceVersion":"1"},"items":[{}]})"}) {
    server.Inject({.method = "GET", .code = 200, .body = body});
    EXPECT_TRUE(Is(client.List(kPods, {}).status(), ApiErrc::kBadAnswer)) << body;
  }
  server.Inject({.method = "GET",
                 .code = 200,
                 .body = R"({"metadata":{"resourceVersion":"1"},"items":null})"});
  EXPECT_THAT(client.List(kPods, {})->items, SizeIs(0));
}

TEST_F(ClientReadTest, WatchesWithBookmarksAndATimeout) {
  std::vector<WatchEvent> events;
  const std::string object = R"({"metadata":{"name":"a","resourceVersion":"5"}})";
  ASSERT_TRUE(
      WatchBytes(R"({"type":"ADDED","object":)" + object + "}\n" +
                     R"({"type":"MODIFIED","object":)" + object +
                     R"(}{"type":"DELETED","object":)" + object +
                     R"(} {"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}})",
                 events)
          .ok());
  ASSERT_THAT(events, SizeIs(4));
  EXPECT_EQ(events[0].type, WatchEventType::kAdded);
  EXPECT_EQ(events[1].type, WatchEventType::kModified);
  EXPECT_EQ(events[2].type, WatchEventType::kDeleted);
  EXPECT_EQ(events[2].object.name(), "a");
  EXPECT_EQ(events[3].type, WatchEventType::kBookmark);
  EXPECT_EQ(events[3].resource_version, "9");
  EXPECT_THAT(server.requests().back(),
              HasSubstr("?watch=1&resourceVersion=1&allowWatchBookmarks=true&timeoutSeconds=1"));
}

TEST_F(ClientReadTest, ErrorsOfAWatchComeInItsBodyOrAsACode) {
  std::vector<WatchEvent> events;
  EXPECT_TRUE(Is(WatchBytes(R"({"type":"ERROR","object":{"code":410,"reason":"Expired"}})", events),
                 ApiErrc::kExpired));
  EXPECT_TRUE(
      Is(WatchBytes(R"({"type":"ERROR","object":{"code":200}})", events), ApiErrc::kServerError));
  server.Inject({.method = "WATCH", .code = 410});
  EXPECT_TRUE(Is(WatchFrom("1", events), ApiErrc::kExpired));
  EXPECT_THAT(events, SizeIs(0));
}

TEST_F(ClientReadTest, AWatchThatEndsWithinAnEventWasCut) {
  std::vector<WatchEvent> events;
  EXPECT_TRUE(Is(WatchBytes(R"({"type":"ADDED","object":{"meta)", events), ApiErrc::kNoAnswer));
}

TEST_F(ClientReadTest, RefusesEventsThatItCannotRead) {
  std::vector<WatchEvent> events;
  for (const char* bytes :
       {R"({"type":"ADDED"})", R"({"type":"ADDED","object":[]})",
        R"({"type":"ADDED","object":{"metadata":{"name":"a"}}})",
        R"({"type":"SYNC","object":{"metadata":{"name":"a","resourceVersion":"1"}}})",
        R"({"type":"ADDED","object":{"metadata":{"resourceVersion":"1"}}})", "hello", "[]"}) {
    EXPECT_TRUE(Is(WatchBytes(bytes, events), ApiErrc::kBadAnswer)) << bytes;
  }
  EXPECT_THAT(events, SizeIs(0));
}

}  // namespace
}  // namespace etcd::kube
