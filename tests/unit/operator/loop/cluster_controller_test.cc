// The whole loop against an API server and an etcd in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "world.h"

namespace etcd::loop {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Json = World::Json;

Json PodOf(World& world, const std::string& name) {
  return world.server.Read("/api/v1/namespaces/n/pods/" + name);
}

TEST(ClusterController, MakesThreeVoters) {
  World world;
  ASSERT_TRUE(world.Settle());
  EXPECT_EQ(world.etcd.voters(), 3U);
  EXPECT_THAT(world.All("pods"), SizeIs(3));
  EXPECT_THAT(world.All("persistentvolumeclaims"), SizeIs(3));
  for (const Json& pod : world.All("pods")) {
    EXPECT_EQ(pod["metadata"]["labels"]["etcdpp.dev/role"], "voter");
  }
  EXPECT_THAT(world.faults(), IsEmpty());
}

TEST(ClusterController, SaysWhatIsTrue) {
  World world;
  ASSERT_TRUE(world.Settle());
  const Json status = world.Cluster()["status"];
  EXPECT_EQ(status["clusterID"], "abc");
  EXPECT_EQ(status["voters"], 3);
  EXPECT_EQ(status["learners"], 0);
  EXPECT_EQ(status["readyReplicas"], 3);
  EXPECT_EQ(status["replicas"], 3);
  EXPECT_EQ(status["leader"], world.etcd.leader());
  EXPECT_EQ(status["currentVersion"], "3.6.16");
  EXPECT_EQ(status["targetVersion"], "3.6.16");
  EXPECT_EQ(status["phase"], "Running");
  EXPECT_EQ(status["selector"], "etcdpp.dev/cluster=c");
  EXPECT_FALSE(status.contains("operation"));
  EXPECT_EQ(world.Condition("Available")["reason"], "QuorumHealthy");
  EXPECT_EQ(world.Condition("Progressing")["reason"], "Stable");
  EXPECT_EQ(world.Condition("Degraded")["status"], "False");
  EXPECT_EQ(world.Condition("Reconciled")["status"], "True");
}

TEST(ClusterController, MakesServicesAndABudgetOfTheQuorum) {
  World world;
  ASSERT_TRUE(world.Settle());
  EXPECT_THAT(world.All("services"), SizeIs(5));
  const Json budget = world.server.Read("/apis/policy/v1/namespaces/n/poddisruptionbudgets/c");
  EXPECT_EQ(budget["spec"]["minAvailable"], 2);
}

TEST(ClusterController, APolicyGoesWhenItIsNoLongerWanted) {
  World world(Json{{"networkPolicy", {{"enabled", true}}}});
  const std::string policy = "/apis/networking.k8s.io/v1/namespaces/n/networkpolicies/c";
  ASSERT_TRUE(world.Settle());
  ASSERT_FALSE(world.server.Read(policy).is_null());
  world.Spec({{"networkPolicy", {{"enabled", false}}}});
  ASSERT_TRUE(world.Settle());
  EXPECT_TRUE(world.server.Read(policy).is_null());
  // Another's of the same name stays.
  world.server.Put(policy, {{"apiVersion", "networking.k8s.io/v1"},
                            {"kind", "NetworkPolicy"},
                            {"metadata", {{"name", "c"}, {"namespace", "n"}}}});
  world.Restart();
  ASSERT_TRUE(world.Settle());
  EXPECT_FALSE(world.server.Read(policy).is_null());
}

TEST(ClusterController, OnlyTheSeedStartsANewCluster) {
  World world;
  ASSERT_TRUE(world.Settle());
  int fresh = 0;
  for (const Json& pod : world.All("pods")) {
    for (const Json& argument : pod["spec"]["containers"][0]["args"]) {
      if (argument == "--initial-cluster-state=new") ++fresh;
    }
  }
  EXPECT_EQ(fresh, 1);
}

TEST(ClusterController, IsIdleOnceAllIsWell) {
  World world;
  ASSERT_TRUE(world.Settle());
  world.Turn();
  const int before = world.writes;
  for (int i = 0; i < 5; ++i) world.Turn();
  EXPECT_EQ(world.writes, before);
}

TEST(ClusterController, ScalesThereAndBackWithoutUsingANameAgain) {
  World world;
  for (const int replicas : {3, 5, 3, 1, 3}) {
    world.Scale(replicas);
    ASSERT_TRUE(world.Settle()) << replicas;
    EXPECT_EQ(world.etcd.voters(), static_cast<std::size_t>(replicas));
    EXPECT_THAT(world.All("pods"), SizeIs(replicas));
    EXPECT_THAT(world.All("persistentvolumeclaims"), SizeIs(replicas));
    EXPECT_THAT(world.Members(), SizeIs(replicas));
  }
  EXPECT_EQ(world.Cluster()["status"]["memberSeq"], 7);
  EXPECT_THAT(world.faults(), IsEmpty());
}

TEST(ClusterController, ForgetsNoNameWhenItsStatusIsLost) {
  World world;
  ASSERT_TRUE(world.Settle());
  Json cluster = world.Cluster();
  cluster["status"] = Json::object();
  world.server.Put("/apis/etcdpp.dev/v1alpha1/namespaces/n/etcdclusters/c/status", cluster);
  world.Restart();
  world.Scale(5);
  ASSERT_TRUE(world.Settle());
  EXPECT_EQ(world.Cluster()["status"]["clusterID"], "abc");
  EXPECT_EQ(world.etcd.voters(), 5U);
  EXPECT_THAT(world.faults(), IsEmpty());
}

TEST(ClusterController, ALostPodComesBackOnItsVolumeWithAGuard) {
  World world;
  ASSERT_TRUE(world.Settle());
  const std::string name = world.Members().at(1);
  world.LosePod(name);
  EXPECT_EQ(world.etcd.voters(), 3U);
  ASSERT_TRUE(world.Settle());
  const Json pod = PodOf(world, name);
  ASSERT_FALSE(pod.is_null());
  EXPECT_EQ(pod["spec"]["initContainers"][0]["name"], "data-guard");
  EXPECT_EQ(pod["metadata"]["labels"]["etcdpp.dev/role"], "voter");
  EXPECT_THAT(world.faults(), IsEmpty());
}

TEST(ClusterController, AnEvictedPodMakesRoom) {
  World world;
  ASSERT_TRUE(world.Settle());
  const std::string name = world.Members().at(2);
  Json pod = PodOf(world, name);
  const Json uid = pod["metadata"]["uid"];
  pod["status"] = {{"phase", "Failed"}, {"reason", "Evicted"}, {"podIP", "10.9.9.9"}};
  world.server.Put("/api/v1/namespaces/n/pods/" + name + "/status", pod);
  ASSERT_TRUE(world.Settle());
  EXPECT_NE(PodOf(world, name)["metadata"]["uid"], uid);
  EXPECT_EQ(world.Condition("Available")["reason"], "QuorumHealthy");
}

TEST(ClusterController, NeverStartsAVoterOnAnotherVolume) {
  World world;
  ASSERT_TRUE(world.Settle());
  const std::string name = world.Members().at(1);
  const std::string claim = "/api/v1/namespaces/n/persistentvolumeclaims/data-" + name;
  Json copy = world.server.Read(claim);
  world.server.Remove(claim);
  world.server.Put(claim, copy);  // the same name, another uid
  world.LosePod(name);
  for (int i = 0; i < 10; ++i) world.Turn();
  EXPECT_TRUE(PodOf(world, name).is_null());
  EXPECT_EQ(world.Condition("StorageReady")["reason"], "Lost");
  EXPECT_EQ(world.Condition("Degraded")["status"], "True");
  EXPECT_THAT(world.faults(), IsEmpty());
}

TEST(ClusterController, ReportsALostQuorumAndTouchesNothing) {
  World world;
  ASSERT_TRUE(world.Settle());
  const std::vector<std::string> names = world.Members();
  world.etcd.Silence(names.at(0), true);
  world.etcd.Silence(names.at(1), true);
  world.Scale(5);
  const int before = world.etcd.changes;
  for (int i = 0; i < 200; ++i) world.Turn();
  const Json available = world.Condition("Available");
  EXPECT_EQ(available["status"], "False");
  EXPECT_EQ(available["reason"], "QuorumLost");
  EXPECT_THAT(available["message"].get<std::string>(), HasSubstr("1 of 3 members answer"));
  EXPECT_EQ(world.Cluster()["status"]["phase"], "QuorumLost");
  EXPECT_EQ(world.etcd.changes, before);
  EXPECT_THAT(world.Members(), SizeIs(3));
  world.etcd.Silence(names.at(0), false);
  world.etcd.Silence(names.at(1), false);
  ASSERT_TRUE(world.Settle());
  EXPECT_EQ(world.etcd.voters(), 5U);
}

TEST(ClusterController, ChangesNothingThatItsLeaseMayNotCover) {
  World world;
  ASSERT_TRUE(world.Settle());
  world.Scale(5);
  world.may_act = false;
  for (int i = 0; i < 20; ++i) world.Turn();
  EXPECT_THAT(world.Members(), SizeIs(3));
  EXPECT_THAT(world.All("pods"), SizeIs(3));
  world.may_act = true;
  ASSERT_TRUE(world.Settle());
  EXPECT_EQ(world.etcd.voters(), 5U);
}

TEST(ClusterController, DoesNothingWhilePaused) {
  World world;
  ASSERT_TRUE(world.Settle());
  world.Spec({{"paused", true}, {"replicas", 5}});
  const std::string name = world.Members().at(1);
  world.LosePod(name);
  for (int i = 0; i < 20; ++i) world.Turn();
  EXPECT_TRUE(PodOf(world, name).is_null());
  EXPECT_THAT(world.Members(), SizeIs(3));
  EXPECT_EQ(world.Cluster()["status"]["phase"], "Paused");
  EXPECT_EQ(world.Condition("Reconciled")["reason"], "Paused");
  EXPECT_EQ(world.Condition("Available")["reason"], "QuorumDegraded");
  world.Spec({{"paused", false}});
  ASSERT_TRUE(world.Settle());
  EXPECT_EQ(world.etcd.voters(), 5U);
}

TEST(ClusterController, ADeletedClusterLeavesItsVolumes) {
  World world;
  ASSERT_TRUE(world.Settle());
  world.DeleteCluster();
  ASSERT_TRUE(world.Settle());
  EXPECT_TRUE(world.Cluster().is_null());
  EXPECT_THAT(world.All("pods"), IsEmpty());
  EXPECT_THAT(world.Members(), IsEmpty());
  EXPECT_THAT(world.All("persistentvolumeclaims"), SizeIs(3));
}

TEST(ClusterController, ADeletedClusterStopsItsLeaderLast) {
  World world;
  ASSERT_TRUE(world.Settle());
  const std::string leader = world.etcd.leader();
  world.DeleteCluster();
  for (int i = 0; i < 20 && world.All("pods").size() == 3; ++i) {
    world.Turn();
    if (world.All("pods").size() == 3) {
      EXPECT_FALSE(PodOf(world, leader)["metadata"].contains("deletionTimestamp"));
    }
  }
  EXPECT_FALSE(PodOf(world, leader).is_null());
  EXPECT_EQ(world.Cluster()["status"]["phase"], "Deleting");
  ASSERT_TRUE(world.Settle());
  EXPECT_TRUE(world.Cluster().is_null());
}

TEST(ClusterController, ADeletedClusterTakesItsVolumesAlongWhenToldSo) {
  World world(Json({{"storage", {{"pvcRetention", {{"whenDeleted", "Delete"}}}}}}));
  ASSERT_TRUE(world.Settle());
  world.DeleteCluster();
  ASSERT_TRUE(world.Settle());
  EXPECT_TRUE(world.Cluster().is_null());
  EXPECT_THAT(world.All("persistentvolumeclaims"), IsEmpty());
}

TEST(ClusterController, KeepsTheVolumesOfRemovedMembersWhenToldSo) {
  World world(Json({{"storage", {{"pvcRetention", {{"whenRemoved", "Retain"}}}}}}));
  ASSERT_TRUE(world.Settle());
  world.Scale(1);
  ASSERT_TRUE(world.Settle());
  int detached = 0;
  for (const Json& claim : world.All("persistentvolumeclaims")) {
    if (claim["metadata"]["labels"].contains("etcdpp.dev/detached")) ++detached;
  }
  EXPECT_EQ(detached, 2);
}

TEST(ClusterController, APodThatIsNotOursIsReportedAndLeftAlone) {
  World world;
  ASSERT_TRUE(world.Settle());
  const std::string name = world.Members().at(1);
  Json pod = PodOf(world, name);
  world.LosePod(name);
  pod["metadata"]["ownerReferences"][0]["uid"] = "another";
  world.server.Put("/api/v1/namespaces/n/pods/" + name, pod);
  for (int i = 0; i < 5; ++i) world.Turn();
  EXPECT_EQ(world.Condition("Reconciled")["reason"], "ForeignObject");
  EXPECT_FALSE(PodOf(world, name).is_null());
}

TEST(ClusterController, ADeletedRecordIsReplacedByAnotherMember) {
  World world;
  ASSERT_TRUE(world.Settle());
  const std::string name = world.Members().at(1);
  world.server.Remove("/apis/etcdpp.dev/v1alpha1/namespaces/n/etcdmembers/" + name);
  ASSERT_TRUE(world.Settle());
  EXPECT_EQ(world.etcd.voters(), 3U);
  EXPECT_THAT(world.Members(), ::testing::Not(::testing::Contains(name)));
  EXPECT_THAT(world.faults(), IsEmpty());
}

TEST(ClusterController, ALearnerThatNeverStartsIsGivenUp) {
  World world(Json({{"replicas", 1}}));
  ASSERT_TRUE(world.Settle());
  world.kubelet_runs = true;
  world.Scale(3);
  while (world.etcd.members().size() == 1) world.Turn();
  world.etcd.Silence(world.Members().at(1), true);
  const std::string stalled = world.Members().at(1);
  for (int i = 0; i < 5000 && world.Members().size() == 2; ++i) world.Turn();
  EXPECT_THAT(world.Members(), ::testing::Not(::testing::Contains(stalled)));
  for (int i = 0; i < 5; ++i) world.Turn();
  EXPECT_EQ(world.Condition("Degraded")["reason"], "LearnerStalled");
  EXPECT_EQ(world.etcd.voters(), 1U);
  ASSERT_TRUE(world.Settle(2000));
  EXPECT_EQ(world.etcd.voters(), 3U);
}

// A world whose seed's pod was made and does not run.
void MakeSeedOnly(World& world) {
  world.kubelet_runs = false;
  for (int i = 0; i < 20 && world.All("pods").empty(); ++i) world.Turn();
  ASSERT_THAT(world.All("pods"), SizeIs(1));
}

TEST(ClusterController, SaysWhatToDoAboutAWrongImage) {
  World world;
  MakeSeedOnly(world);
  const std::string name = world.Members().at(0);
  Json pod = PodOf(world, name);
  pod["status"] = {
      {"phase", "Pending"},
      {"containerStatuses",
       Json::array({{{"name", "etcd"},
                     {"state",
                      {{"waiting",
                        {{"reason", "ImagePullBackOff"}, {"message", "no such manifest"}}}}}}})}};
  world.server.Put("/api/v1/namespaces/n/pods/" + name + "/status", pod);
  for (int i = 0; i < 3; ++i) world.Turn();
  const auto message = world.Condition("Degraded")["message"].get<std::string>();
  EXPECT_EQ(world.Condition("Degraded")["status"], "True");
  EXPECT_THAT(message, HasSubstr("ImagePullBackOff: no such manifest"));
  EXPECT_THAT(message, HasSubstr("correct the image"));
  EXPECT_EQ(world.Condition("Available")["reason"], "Bootstrapping");
  EXPECT_FALSE(PodOf(world, name).is_null());
}

TEST(ClusterController, SaysThatAVolumeIsNotBound) {
  World world;
  MakeSeedOnly(world);
  const std::string path =
      "/api/v1/namespaces/n/persistentvolumeclaims/data-" + world.Members().at(0);
  Json claim = world.server.Read(path);
  claim["status"] = {{"phase", "Pending"}};
  world.server.Put(path + "/status", claim);
  for (int i = 0; i < 3; ++i) world.Turn();
  EXPECT_EQ(world.Condition("StorageReady")["reason"], "Pending");
  EXPECT_THAT(world.Condition("StorageReady")["message"].get<std::string>(),
              HasSubstr("look at the StorageClass"));
}

TEST(ClusterController, ReportsAStepThatTakesTooLong) {
  World world;
  MakeSeedOnly(world);
  world.clock.Set(world.clock.Now() + std::chrono::minutes(11));
  for (int i = 0; i < 3; ++i) world.Turn();
  EXPECT_EQ(world.Condition("Progressing")["reason"], "Stalled");
}

TEST(ClusterController, ReportsARefusedRight) {
  World world;
  world.server.Inject(
      {.method = "POST", .target_part = "persistentvolumeclaims", .times = 3, .code = 403});
  for (int i = 0; i < 5; ++i) world.Turn();
  EXPECT_EQ(world.Condition("Reconciled")["reason"], "DependencyMissing");
  ASSERT_TRUE(world.Settle());
  EXPECT_EQ(world.Condition("Reconciled")["status"], "True");
}

TEST(ClusterController, LeavesTheBackupPartOfTheStatusToOthers) {
  World world;
  ASSERT_TRUE(world.Settle());
  Json cluster = world.Cluster();
  cluster["status"]["backup"] = {{"lastBackup", "b"}};
  world.server.Put("/apis/etcdpp.dev/v1alpha1/namespaces/n/etcdclusters/c/status", cluster);
  world.Scale(5);
  ASSERT_TRUE(world.Settle());
  EXPECT_EQ(world.Cluster()["status"]["backup"]["lastBackup"], "b");
}

}  // namespace
}  // namespace etcd::loop
