// What must never cost a volume, and what is not ours.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/kube/times.h"
#include "world.h"

namespace etcd::loop {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using Json = World::Json;

constexpr char kServices[] = "/api/v1/namespaces/n/services/";
constexpr char kClusterPath[] = "/apis/etcdpp.dev/v1alpha1/namespaces/n/etcdclusters/c";
const std::string kMembers = "/apis/etcdpp.dev/v1alpha1/namespaces/n/etcdmembers/";

std::vector<std::string> ImagesOf(World& world) {
  std::vector<std::string> images;
  for (const Json& pod : world.All("pods")) images.push_back(pod["spec"]["containers"][0]["image"]);
  return images;
}

void LoseStatusOf(World& world, const std::string& member) {
  Json record = world.server.Read(kMembers + member);
  record["status"] = Json::object();
  world.server.Put(kMembers + member + "/status", record);
}

void ExpectUntouched(World& world, const std::vector<std::string>& members) {
  EXPECT_EQ(world.Members(), members);
  EXPECT_THAT(world.All("pods"), SizeIs(members.size()));
  EXPECT_THAT(world.All("persistentvolumeclaims"), SizeIs(members.size()));
  EXPECT_EQ(world.etcd.voters(), members.size());
  for (const std::string& name : members) {
    EXPECT_EQ(world.server.Read(kMembers + name)["status"]["phase"], "Voter") << name;
  }
  EXPECT_THAT(world.faults(), IsEmpty());
}

TEST(PeerUrls, AnOperatorWithAnotherDomainTouchesNothing) {
  World world;
  ASSERT_TRUE(world.Settle());
  const std::vector<std::string> members = world.Members();
  desired::Settings other = world.settings();
  other.cluster_domain = "other.example";
  world.Restart(other);
  ASSERT_TRUE(world.Settle());
  ExpectUntouched(world, members);
  EXPECT_EQ(world.Condition("Available")["reason"], "QuorumHealthy");
  EXPECT_EQ(world.Condition("Degraded")["status"], "False");
  // What it makes from now on has the domain that the cluster began with.
  world.Scale(5);
  ASSERT_TRUE(world.Settle());
  for (const member::ListedMember& listed : world.etcd.members()) {
    EXPECT_THAT(listed.peer_urls, Each(HasSubstr(".svc.cluster.local:2380")));
  }
  EXPECT_EQ(world.etcd.voters(), 5U);
}

TEST(PeerUrls, AnotherDomainAndLostRecordsAreReportedAndCostNothing) {
  World world;
  ASSERT_TRUE(world.Settle());
  const std::vector<std::string> members = world.Members();
  for (const std::string& name : members) {
    Json record = world.server.Read(kMembers + name);
    record["status"].erase("initialCluster");
    world.server.Put(kMembers + name + "/status", record);
  }
  desired::Settings other = world.settings();
  other.cluster_domain = "other.example";
  world.Restart(other);
  for (int i = 0; i < 30; ++i) world.Turn();
  ExpectUntouched(world, members);
  const Json degraded = world.Condition("Degraded");
  EXPECT_EQ(degraded["reason"], "PeerURLMismatch");
  EXPECT_THAT(degraded["message"].get<std::string>(), HasSubstr("etcdctl member update"));
}

TEST(PeerUrls, AMemberThatAUserGaveAnotherOneKeepsItsVolume) {
  World world;
  ASSERT_TRUE(world.Settle());
  const std::vector<std::string> members = world.Members();
  const std::string url = world.etcd.members().at(1).peer_urls.at(0);
  world.etcd.UpdatePeerUrl(members.at(1), "http://elsewhere:2380");
  world.Scale(5);
  for (int i = 0; i < 30; ++i) world.Turn();
  ExpectUntouched(world, members);
  EXPECT_EQ(world.Condition("Degraded")["reason"], "PeerURLMismatch");
  world.etcd.UpdatePeerUrl(members.at(1), url);
  ASSERT_TRUE(world.Settle());
  EXPECT_EQ(world.etcd.voters(), 5U);
}

TEST(PeerUrls, SeveralThatVanishAtOnceAreGivenUpOnlyWhenAUserSaysSo) {
  World world(Json({{"replicas", 5}}));
  ASSERT_TRUE(world.Settle());
  const std::vector<std::string> members = world.Members();
  world.etcd.RemoveByHand(members.at(3));
  world.etcd.RemoveByHand(members.at(4));
  for (int i = 0; i < 30; ++i) world.Turn();
  EXPECT_EQ(world.Members(), members);
  EXPECT_THAT(world.All("persistentvolumeclaims"), SizeIs(5));
  EXPECT_EQ(world.Condition("Degraded")["reason"], "MembersVanished");
  world.server.Remove(kMembers + members.at(3));
  world.server.Remove(kMembers + members.at(4));
  ASSERT_TRUE(world.Settle(2000));
  EXPECT_EQ(world.etcd.voters(), 5U);
  EXPECT_THAT(world.All("persistentvolumeclaims"), SizeIs(5));
}

// By the record and by the first list of each turn it has left; by the list that is asked for
// before anything goes it has not.
TEST(PeerUrls, WhatIsListedAgainKeepsItsVolume) {
  World world;
  ASSERT_TRUE(world.Settle());
  const std::string name = world.Members().at(2);
  Json record = world.server.Read(kMembers + name);
  record["status"]["phase"] = "Removed";
  world.server.Put(kMembers + name + "/status", record);
  world.etcd.hides =
      MemberId(std::stoull(record["status"]["memberID"].get<std::string>(), nullptr, 16));
  world.Restart();
  for (int i = 0; i < 30; ++i) world.Turn();
  EXPECT_THAT(world.All("persistentvolumeclaims"), SizeIs(3));
  EXPECT_FALSE(world.server.Read("/api/v1/namespaces/n/pods/" + name).is_null());
  EXPECT_THAT(world.faults(), IsEmpty());
}

TEST(Status, OfAMemberThatIsLostIsFoundAgain) {
  World world;
  ASSERT_TRUE(world.Settle());
  const std::vector<std::string> members = world.Members();
  LoseStatusOf(world, members.at(1));
  ASSERT_TRUE(world.Settle());
  ExpectUntouched(world, members);
  const Json status = world.server.Read(kMembers + members.at(1))["status"];
  EXPECT_EQ(status["joinedOnce"], true);
  EXPECT_FALSE(status["pvcUID"].get<std::string>().empty());
}

TEST(ForeignObjects, AreLeftAsTheyAreAndReported) {
  for (const char* suffix : {"-client", "-peer"}) {
    World world;
    const std::string path = std::string(kServices) + "c" + suffix;
    world.server.Put(path, {{"apiVersion", "v1"},
                            {"kind", "Service"},
                            {"metadata", {{"name", std::string("c") + suffix}, {"namespace", "n"}}},
                            {"spec", {{"selector", {{"app", "somebody"}}}}}});
    for (int i = 0; i < 20; ++i) world.Turn();
    const Json service = world.server.Read(path);
    EXPECT_EQ(service["spec"]["selector"], Json({{"app", "somebody"}}));
    EXPECT_FALSE(service["metadata"].contains("ownerReferences"));
    EXPECT_EQ(world.Condition("Reconciled")["reason"], "ForeignObject");
    EXPECT_THAT(world.Condition("Reconciled")["message"].get<std::string>(),
                HasSubstr("delete or rename it"));
    EXPECT_THAT(world.All("pods"), IsEmpty());
    world.server.Remove(path);
    ASSERT_TRUE(world.Settle());
    EXPECT_EQ(world.etcd.voters(), 3U);
  }
}

TEST(ForeignObjects, DoNotStopAClusterThatRuns) {
  World world;
  const std::string path = "/apis/policy/v1/namespaces/n/poddisruptionbudgets/c";
  world.server.Put(path, {{"apiVersion", "policy/v1"},
                          {"kind", "PodDisruptionBudget"},
                          {"metadata", {{"name", "c"}, {"namespace", "n"}}},
                          {"spec", {{"minAvailable", 7}}}});
  for (int i = 0; i < 300; ++i) world.Turn();
  EXPECT_EQ(world.etcd.voters(), 3U);
  EXPECT_EQ(world.server.Read(path)["spec"]["minAvailable"], 7);
  EXPECT_EQ(world.Condition("Reconciled")["reason"], "ForeignObject");
}

TEST(Images, OfAClusterStayWhatTheyWereUnderAnotherOperator) {
  World world;
  ASSERT_TRUE(world.Settle());
  desired::Settings other = world.settings();
  other.server_image = "localhost/etcd:v3.7.0";
  world.Restart(other);
  world.LosePod(world.Members().at(0));
  world.Scale(5);
  ASSERT_TRUE(world.Settle());
  EXPECT_THAT(ImagesOf(world), SizeIs(5));
  EXPECT_THAT(ImagesOf(world), Each("localhost/etcd:v3.6.16"));
  EXPECT_EQ(world.Cluster()["status"]["targetVersion"], "3.6.16");
  // Also when all pods are gone at the same time.
  for (const std::string& name : world.Members()) world.LosePod(name);
  world.Restart(other);
  ASSERT_TRUE(world.Settle());
  EXPECT_THAT(ImagesOf(world), Each("localhost/etcd:v3.6.16"));
}

// The cluster's finalizer is taken away and it is deleted: nobody took it apart.
void RemoveByForce(World& world) {
  Json cluster = world.Cluster();
  cluster["metadata"]["finalizers"] = Json::array();
  world.server.Put(kClusterPath, cluster);
  world.DeleteCluster();
  ASSERT_TRUE(world.Cluster().is_null());
}

TEST(Orphans, OfAClusterThatIsGoneGoWithoutTheirVolumes) {
  World world;
  ASSERT_TRUE(world.Settle());
  RemoveByForce(world);
  for (int i = 0; i < 10; ++i) world.Turn();
  EXPECT_THAT(world.Members(), IsEmpty());
  EXPECT_THAT(world.All("pods"), IsEmpty());
  EXPECT_THAT(world.All("persistentvolumeclaims"), SizeIs(3));
}

TEST(Orphans, OfAnotherOwnerAreLeftAlone) {
  World world;
  ASSERT_TRUE(world.Settle());
  const std::string name = world.Members().at(0);
  Json record = world.server.Read(kMembers + name);
  record["metadata"]["ownerReferences"][0]["name"] = "another";
  world.server.Put(kMembers + name, record);
  RemoveByForce(world);
  for (int i = 0; i < 10; ++i) world.Turn();
  EXPECT_THAT(world.Members(), ::testing::ElementsAre(name));
}

TEST(Orphans, GoBeforeAClusterOfTheSameNameBegins) {
  World world;
  ASSERT_TRUE(world.Settle());
  const std::vector<std::string> before = world.Members();
  const Json spec = world.Cluster()["spec"];
  RemoveByForce(world);
  world.kubelet_runs = false;  // the old pods are there as long as their node is silent
  world.server.Put(kClusterPath, {{"apiVersion", "etcdpp.dev/v1alpha1"},
                                  {"kind", "EtcdCluster"},
                                  {"metadata", {{"name", "c"}, {"namespace", "n"}}},
                                  {"spec", spec}});
  for (int i = 0; i < 20; ++i) world.Turn();
  EXPECT_THAT(world.Members(), IsEmpty());
  EXPECT_THAT(world.All("pods"), SizeIs(3));
  EXPECT_EQ(world.Condition("Degraded")["reason"], "ForeignObject");
  for (const std::string& name : before) world.LosePod(name);
  // As the garbage collector does, since their owner is gone.
  for (const Json& service : world.All("services")) {
    world.server.Remove(kServices + service["metadata"]["name"].get<std::string>());
  }
  world.server.Remove("/api/v1/namespaces/n/serviceaccounts/c-member");
  world.server.Remove("/apis/policy/v1/namespaces/n/poddisruptionbudgets/c");
  world.etcd.Forget();
  world.kubelet_runs = true;
  ASSERT_TRUE(world.Settle(2000)) << world.Cluster()["status"].dump(1);
  EXPECT_EQ(world.etcd.voters(), 3U);
  for (const std::string& name : before)
    EXPECT_THAT(world.Members(), Not(::testing::Contains(name)));
  EXPECT_THAT(world.All("persistentvolumeclaims"), SizeIs(6));
}

TEST(Rights, ThatAreMissingAreNamed) {
  World world;
  ASSERT_TRUE(world.Settle());
  const std::vector<std::string> members = world.Members();
  world.server.Inject({.method = "GET", .target_part = "/pods", .times = 1, .code = 403});
  world.Restart();
  world.Turn();
  EXPECT_EQ(world.Condition("Reconciled")["reason"], "DependencyMissing");
  EXPECT_EQ(world.Condition("Available")["reason"], "QuorumHealthy");
  ASSERT_TRUE(world.Settle());
  EXPECT_EQ(world.Condition("Reconciled")["status"], "True");
  ExpectUntouched(world, members);
}

// The seed's pod was made; `status` is what its kubelet says from then on.
struct Seed {
  explicit Seed(const Json& spec) : world(spec) {
    // When the API server makes all its objects.
    world.clock.Set(
        base::Clock::Monotonic(kube::ParseTime("2026-01-01T00:00:00Z").value().time_since_epoch()));
    world.kubelet_runs = false;
    for (int i = 0; i < 20 && world.All("pods").empty(); ++i) world.Turn();
    EXPECT_THAT(world.All("pods"), SizeIs(1));
    uid = Uid();
  }
  std::string Uid() {
    const std::vector<Json> pods = world.All("pods");
    return pods.empty() ? std::string() : pods.at(0)["metadata"]["uid"].get<std::string>();
  }
  void Say(const Json& status) {
    Json pod = world.All("pods").at(0);
    pod["spec"]["nodeName"] = "node";
    const std::string path =
        "/api/v1/namespaces/n/pods/" + pod["metadata"]["name"].get<std::string>();
    pod = world.server.Put(path, pod);
    pod["status"] = status;
    world.server.Put(path + "/status", pod);
  }
  // Whether its pod is still the same when that much time has passed.
  bool Stays(std::chrono::minutes time) {
    world.clock.Set(world.clock.Now() + time);
    for (int i = 0; i < 6; ++i) world.Turn();
    return Uid() == uid;
  }
  World world;
  std::string uid;
};

Json Creating(const char* reason) {
  return {{"phase", "Pending"},
          {"containerStatuses",
           Json::array({{{"name", "etcd"}, {"state", {{"waiting", {{"reason", reason}}}}}}})}};
}

TEST(Seed, IsNotGivenUpWhileItsImageIsPulled) {
  Seed seed(Json::object());
  seed.Say(Creating("ContainerCreating"));
  EXPECT_TRUE(seed.Stays(std::chrono::minutes(50)));
  EXPECT_FALSE(seed.Stays(std::chrono::minutes(15)));
}

TEST(Seed, IsGivenUpWhenItsImageCannotBePulled) {
  Seed seed(Json::object());
  seed.Say(Creating("ImagePullBackOff"));
  EXPECT_FALSE(seed.Stays(std::chrono::minutes(11)));
}

TEST(Seed, IsNotGivenUpWhileItIsRestored) {
  Seed seed(Json::object());
  Json status = Creating("PodInitializing");
  status["initContainerStatuses"] =
      Json::array({{{"name", "restore"}, {"state", {{"running", Json::object()}}}}});
  seed.Say(status);
  EXPECT_TRUE(seed.Stays(std::chrono::minutes(300)));
  const std::string now = kube::FormatTime(seed.world.clock.WallNow());
  status["initContainerStatuses"][0]["state"] = {
      {"terminated", {{"exitCode", 0}, {"finishedAt", now}}}};
  status["containerStatuses"][0]["state"] = {{"waiting", {{"reason", "CrashLoopBackOff"}}}};
  seed.Say(status);
  EXPECT_TRUE(seed.Stays(std::chrono::minutes(9)));
  EXPECT_FALSE(seed.Stays(std::chrono::minutes(2)));
}

TEST(ForeignEntries, EachHaveTheirTenMinutes) {
  World world;
  ASSERT_TRUE(world.Settle());
  const MemberId first = world.etcd.AddForeign("http://first:2380");
  const auto has = [&](MemberId id) {
    return std::ranges::any_of(world.etcd.members(),
                               [&](const member::ListedMember& one) { return one.id == id; });
  };
  const auto pass = [&](int minutes) {
    const auto end = world.clock.Now() + std::chrono::minutes(minutes);
    while (world.clock.Now() < end) world.Turn();
  };
  pass(9);
  EXPECT_TRUE(has(first));
  const MemberId second = world.etcd.AddForeign("http://second:2380");
  pass(2);
  EXPECT_FALSE(has(first));
  EXPECT_TRUE(has(second));
  pass(7);
  EXPECT_TRUE(has(second));
  pass(2);
  EXPECT_FALSE(has(second));
}

}  // namespace
}  // namespace etcd::loop
