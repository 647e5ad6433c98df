#include "operator/kube/elector.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "kube_fixture.h"

namespace etcd::kube {
namespace {

using Effect = testing::FakeKube::Effect;
using std::chrono::seconds;

constexpr char kLeasePath[] = "/apis/coordination.k8s.io/v1/namespaces/sys/leases/op";

struct ElectorTest : ::testing::Test {
  std::unique_ptr<Elector> Candidate(const std::string& identity) {
    return std::make_unique<Elector>(
        client, clock,
        Election::Options{.ns = "sys",
                          .name = "op",
                          .identity = identity,
                          .lease_duration = seconds(2),
                          .renew_deadline = seconds(1),
                          .retry_period = std::chrono::milliseconds(50)},
        1,
        Elector::Callbacks{.on_elected = [this] { signal.Do([this] { ++elected; }); },
                           .on_lost = [this] { signal.Do([this] { ++lost; }); }});
  }

  testing::FakeKube server;
  base::SystemClock clock;
  CredentialSource credentials{CredentialConfig{}};
  Client client{server, credentials, clock, [](auto) { return true; }, 1, {}};
  Signal signal;
  int elected = 0, lost = 0;
};

TEST_F(ElectorTest, LeadsAndHandsOverWhenItStops) {
  auto a = Candidate("a");
  EXPECT_FALSE(a->is_leader());
  a->Start();
  ASSERT_TRUE(signal.WaitUntil([&] { return elected == 1; }));
  EXPECT_TRUE(a->is_leader());
  EXPECT_TRUE(a->MayAct(std::chrono::milliseconds(10)));
  EXPECT_FALSE(a->MayAct(seconds(1)));
  auto b = Candidate("b");
  b->Start();
  a->Stop();
  EXPECT_FALSE(a->is_leader());
  ASSERT_TRUE(signal.WaitUntil([&] { return elected == 2; }));
  EXPECT_TRUE(b->is_leader());
  EXPECT_EQ(server.Read(kLeasePath)["spec"]["holderIdentity"], "b");
  EXPECT_EQ(lost, 0);
}

TEST_F(ElectorTest, SaysSoWhenItLoses) {
  auto a = Candidate("a");
  a->Start();
  ASSERT_TRUE(signal.WaitUntil([&] { return elected == 1; }));
  server.Inject({.target_part = "leases", .times = 1'000'000, .effect = Effect::kLoseRequest});
  ASSERT_TRUE(signal.WaitUntil([&] { return lost == 1; }));
  EXPECT_FALSE(a->is_leader());
}

TEST_F(ElectorTest, SurvivesAFewFaults) {
  server.Inject({.target_part = "leases", .effect = Effect::kLoseAnswer});
  server.Inject({.method = "POST", .effect = Effect::kLoseAnswer});
  auto a = Candidate("a");
  a->Start();
  ASSERT_TRUE(signal.WaitUntil([&] { return elected == 1; }));
}

}  // namespace
}  // namespace etcd::kube
