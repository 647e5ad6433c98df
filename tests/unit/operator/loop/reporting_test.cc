// What users see and say besides the spec: seeds that never start, annotations, conditions,
// figures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "world.h"

namespace etcd::loop {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using Json = World::Json;

constexpr char kOfCluster[] = "/apis/etcdpp.dev/v1alpha1/namespaces/n/etcdclusters/c";
constexpr char kOfMembers[] = "/apis/etcdpp.dev/v1alpha1/namespaces/n/etcdmembers/";
constexpr char kOfPods[] = "/api/v1/namespaces/n/pods/";
constexpr char kOfPolicy[] = "/apis/networking.k8s.io/v1/namespaces/n/networkpolicies/c";

// A seed whose pod was made and does not run.
void MakeSeed(World& world) {
  world.kubelet_runs = false;
  for (int i = 0; i < 20 && world.All("pods").empty(); ++i) world.Turn();
  ASSERT_THAT(world.All("pods"), SizeIs(1));
}

void PutPodStatus(World& world, const std::string& name, const Json& status) {
  Json pod = world.server.Read(kOfPods + name);
  pod["status"] = status;
  world.server.Put(kOfPods + name + "/status", pod);
}

void Annotate(World& world, const std::string& path, const std::string& name,
              const std::string& value) {
  Json object = world.server.Read(path);
  object["metadata"]["annotations"][name] = value;
  world.server.Put(path, object);
}

void Turns(World& world, int count) {
  for (int i = 0; i < count; ++i) world.Turn();
}

TEST(Reporting, ASeedThatNeverStartsIsTriedAgainUnderAnotherName) {
  World world;
  MakeSeed(world);
  const std::string first = world.Members().at(0);
  EXPECT_EQ(world.Cluster()["status"]["operation"]["attempt"], 1);
  world.clock.Set(world.clock.Now() + std::chrono::minutes(11));
  for (int i = 0; i < 20 && (world.Members().empty() || world.Members().at(0) == first); ++i) {
    world.Turn();
  }
  world.Turn();
  EXPECT_EQ(world.Cluster()["status"]["operation"]["attempt"], 2);
  EXPECT_THAT(world.Events(), Contains("Stalled"));
  world.kubelet_runs = true;
  ASSERT_TRUE(world.Settle());
  EXPECT_THAT(world.Members(), Not(Contains(first)));
  EXPECT_EQ(world.etcd.voters(), 3U);
  EXPECT_THAT(world.All("persistentvolumeclaims"), SizeIs(3));
  EXPECT_THAT(world.faults(), IsEmpty());
}

TEST(Reporting, ARestoreTakesTheTimeThatItTakes) {
  World world;
  MakeSeed(world);
  const std::string first = world.Members().at(0);
  const auto restores = [](const char* state, const Json& more) {
    return Json{{"phase", "Pending"},
                {"initContainerStatuses",
                 Json::array({{{"name", "restore"}, {"state", {{state, more}}}}})}};
  };
  PutPodStatus(world, first, restores("running", Json::object()));
  world.clock.Set(world.clock.Now() + std::chrono::hours(2));
  Turns(world, 10);
  EXPECT_THAT(world.Members(), Contains(first));
  // From its end on the deadline counts.
  const std::string now = kube::FormatTime(world.clock.WallNow());
  PutPodStatus(world, first, restores("terminated", {{"exitCode", 0}, {"finishedAt", now}}));
  Turns(world, 10);
  EXPECT_THAT(world.Members(), Contains(first));
  world.clock.Set(world.clock.Now() + std::chrono::minutes(11));
  Turns(world, 10);
  EXPECT_THAT(world.Members(), Not(Contains(first)));
}

TEST(Reporting, AnAnnotationPausesAsTheSpecDoes) {
  World world;
  ASSERT_TRUE(world.Settle());
  Annotate(world, kOfCluster, "etcdpp.dev/paused", "true");
  world.Scale(5);
  Turns(world, 10);
  EXPECT_THAT(world.Members(), SizeIs(3));
  EXPECT_EQ(world.Condition("Progressing")["reason"], "Paused");
  EXPECT_THAT(world.Condition("Progressing")["message"].get<std::string>(),
              HasSubstr("etcdpp.dev/paused"));
  Annotate(world, kOfCluster, "etcdpp.dev/paused", "false");
  ASSERT_TRUE(world.Settle());
  EXPECT_EQ(world.etcd.voters(), 5U);
  EXPECT_THAT(world.Events(), ::testing::IsSupersetOf({"Paused", "Resumed"}));
}

TEST(Reporting, AClusterThatBeginsPausedGetsNothingButAStatus) {
  World world(Json{{"paused", true}});
  Turns(world, 5);
  EXPECT_FALSE(world.Cluster()["metadata"].contains("finalizers"));
  EXPECT_EQ(world.Cluster()["status"]["phase"], "Paused");
  EXPECT_THAT(world.All("services"), IsEmpty());
}

TEST(Reporting, AnAnnotationReplacesAMember) {
  World world;
  ASSERT_TRUE(world.Settle());
  const std::string name = world.Members().at(1);
  Annotate(world, kOfMembers + name, "etcdpp.dev/replace", "true");
  ASSERT_TRUE(world.Settle());
  EXPECT_THAT(world.Members(), Not(Contains(name)));
  EXPECT_EQ(world.etcd.voters(), 3U);
  EXPECT_THAT(world.Events(), Contains("MemberReplaced"));
  EXPECT_THAT(world.Figures(),
              HasSubstr("etcd_operator_member_replacements_total{cause=\"UserRequest\"} 1\n"));
  EXPECT_THAT(world.faults(), IsEmpty());
}

TEST(Reporting, ABlockedReplacementIsCountedOnceByItsGate) {
  World world(Json{{"replicas", 1}});
  ASSERT_TRUE(world.Settle());
  world.server.Remove(kOfMembers + world.Members().at(0));
  Turns(world, 5);
  EXPECT_EQ(world.Condition("Degraded")["reason"], "ReplacementBlocked");
  EXPECT_THAT(world.Figures(),
              HasSubstr("etcd_operator_replacement_blocked_total{gate=\"Voters\"} 1\n"));
}

TEST(Reporting, ServicesOfSlotsGoWhenTheyAreNotWantedAnyMore) {
  World world;
  ASSERT_TRUE(world.Settle());
  ASSERT_THAT(world.All("services"), SizeIs(5));
  world.Spec({{"service", {{"perMember", false}}}});
  Turns(world, 3);
  EXPECT_THAT(world.All("services"), SizeIs(2));
}

TEST(Reporting, ThePolicyGoesWhenItIsNotWantedAnyMore) {
  World world(Json{{"networkPolicy", {{"enabled", true}}}});
  ASSERT_TRUE(world.Settle());
  ASSERT_FALSE(world.server.Read(kOfPolicy).is_null());
  world.Spec({{"networkPolicy", {{"enabled", false}}}});
  world.Restart();  // nothing is remembered of it
  Turns(world, 3);
  EXPECT_TRUE(world.server.Read(kOfPolicy).is_null());
  // One that is not ours stays.
  world.server.Put(kOfPolicy, {{"kind", "NetworkPolicy"}, {"metadata", {{"name", "c"}}}});
  world.Restart();
  Turns(world, 3);
  EXPECT_FALSE(world.server.Read(kOfPolicy).is_null());
}

TEST(Reporting, AnImageOfAnotherVersionIsAnInvalidSpec) {
  World world(Json{{"version", "3.5.1"}});
  ASSERT_TRUE(world.Settle());
  EXPECT_EQ(world.Condition("Reconciled")["reason"], "InvalidSpec");
  EXPECT_THAT(world.Condition("Reconciled")["message"].get<std::string>(),
              HasSubstr("runs etcd 3.6.16 but spec.version says 3.5.1"));
}

TEST(Reporting, MembersHaveTheirZonesAndTheClusterItsVersion) {
  World world;
  world.server.Put(
      "/api/v1/nodes/n1",
      {{"kind", "Node"},
       {"metadata", {{"name", "n1"}, {"labels", {{"topology.kubernetes.io/zone", "z1"}}}}}});
  ASSERT_TRUE(world.Settle());
  const std::string name = world.Members().at(0);
  Json pod = world.server.Read(kOfPods + name);
  pod["spec"]["nodeName"] = "n1";
  world.server.Put(kOfPods + name, pod);
  Turns(world, 2);
  const Json status = world.Cluster()["status"];
  EXPECT_EQ(status["members"][0]["zone"], "z1");
  EXPECT_EQ(status["members"][0]["node"], "n1");
  EXPECT_FALSE(status["members"][1].contains("zone"));
  EXPECT_EQ(status["clusterVersion"], "3.6.0");
}

TEST(Reporting, SaysThatNoNodeKeepsTheMembersApart) {
  World world;
  MakeSeed(world);
  PutPodStatus(
      world, world.Members().at(0),
      {{"phase", "Pending"},
       {"conditions",
        Json::array({{{"type", "PodScheduled"},
                      {"status", "False"},
                      {"message", "0/3 nodes: 3 didn't match pod anti-affinity rules"}}})}});
  Turns(world, 2);
  EXPECT_EQ(world.Condition("Degraded")["reason"], "SpreadUnsatisfied");
  EXPECT_THAT(world.Condition("Degraded")["message"].get<std::string>(),
              HasSubstr("3 didn't match pod anti-affinity rules"));
}

TEST(Reporting, FiguresHaveTheNamesAndLabelsOfTheSpecification) {
  World world;
  ASSERT_TRUE(world.Settle());
  const std::string text = world.Figures();
  for (const char* series :
       {"etcd_operator_build_info{version=\"test\",revision=\"rev\"} 1\n",
        "etcd_operator_cluster_info{namespace=\"n\",cluster=\"c\"} 1\n",
        "etcd_operator_cluster_voters{namespace=\"n\",cluster=\"c\"} 3\n",
        "etcd_operator_cluster_condition{namespace=\"n\",cluster=\"c\",type=\"Available\"} 1\n",
        "etcd_operator_operations_total{type=\"Promote\",result=\"success\"} 2\n",
        "etcd_operator_operation_duration_seconds_count{type=\"Promote\",result=\"success\"} 2\n",
        "etcd_operator_leader ", "etcd_operator_workqueue_depth{queue=\"main\"} "}) {
    EXPECT_THAT(text, HasSubstr(series));
  }
  world.DeleteCluster();
  ASSERT_TRUE(world.Settle());
  EXPECT_THAT(world.Figures(), Not(HasSubstr("cluster=\"c\"")));
}

}  // namespace
}  // namespace etcd::loop
