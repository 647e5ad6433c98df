#include "operator/kube/event_recorder.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "kube_fixture.h"

namespace etcd::kube {
namespace {

using Effect = testing::FakeKube::Effect;

struct EventRecorderTest : ::testing::Test {
  static EventText Text(const std::string& note) {
    return {.regarding = {"etcdpp.dev/v1alpha1", "EtcdCluster", "n", "c", "u1"},
            .reason = "R",
            .action = "A",
            .note = note};
  }
  std::size_t CountOf(const std::string& method) {
    std::size_t count = 0;
    for (const std::string& request : server.requests()) count += request.starts_with(method);
    return count;
  }

  testing::FakeKube server;
  base::SystemClock clock;
  CredentialSource credentials{CredentialConfig{}};
  Client client{server, credentials,
                clock,  [](auto) { return true; },
                1,      {.requests_per_second = 1e6, .burst = 1e6}};
  EventRecorder recorder{client,
                         clock,
                         {.controller = "x/op", .instance = "op-1"},
                         {.tries = 3, .retry_after = std::chrono::milliseconds(1)}};
};

TEST_F(EventRecorderTest, WritesEventsAndTheirSeries) {
  recorder.Start();
  recorder.Record(Text("one"));
  recorder.Record(Text("two"));
  recorder.Record(Text("one"));
  recorder.Record(Text("one"));
  EXPECT_TRUE(Eventually([&] { return CountOf("POST") == 2 && CountOf("PATCH") == 1; }));
  recorder.Stop();
  EXPECT_EQ(recorder.dropped(), 0U);
}

TEST_F(EventRecorderTest, TriesAgainThroughAFault) {
  server.Inject({.method = "POST", .times = 2, .code = 500});
  recorder.Start();
  recorder.Record(Text("one"));
  EXPECT_TRUE(Eventually([&] { return CountOf("POST") >= 3; }));
  recorder.Stop();
  EXPECT_EQ(recorder.dropped(), 0U);
}

TEST_F(EventRecorderTest, GivesUpWhatIsForbidden) {
  server.Inject({.method = "POST", .code = 403});
  recorder.Start();
  recorder.Record(Text("one"));
  EXPECT_TRUE(Eventually([&] { return recorder.dropped() == 1; }));
  recorder.Record(Text("two"));
  EXPECT_TRUE(Eventually([&] { return CountOf("POST") == 2; }));
}

TEST_F(EventRecorderTest, DropsTheOldestWhenFullAndNeverBlocks) {
  for (int i = 0; i < 1500; ++i) recorder.Record(Text(std::to_string(i)));
  EXPECT_EQ(recorder.dropped(), 500U);
  recorder.Start();
  EXPECT_TRUE(Eventually([&] { return CountOf("POST") == 1000; }));
}

}  // namespace
}  // namespace etcd::kube
