// What must never cost a volume, nor begin a second cluster.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "steps.h"

namespace etcd::plan {
namespace {

using ::testing::IsEmpty;

TEST(PlanHazard, AMemberUnderAnotherUrlIsReportedAndNotTouched) {
  SimEtcd sim = ClusterOf(3);
  sim.wanted.replicas = 5;
  // All of them: the operator was started with another domain.
  sim.wanted.peer_url_suffix = ".c-peer.n.svc.elsewhere:2380";
  Observed observed = ClusterOf(3).Observe();
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Wait PeerURLMismatch");
  // Its name alone tells, too.
  for (Record& record : observed.records) record.id = {};
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Wait PeerURLMismatch");
}

TEST(PlanHazard, AMemberIsKnownByAnyOfItsUrls) {
  const SimEtcd sim = ClusterOf(3);
  Observed observed = sim.Observe();
  for (Listed& listed : *observed.members) {
    listed.peer_urls.insert(listed.peer_urls.begin(), "http://10.0.0.1:2380");
  }
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Done");
}

TEST(PlanHazard, SeveralThatVanishAtOnceAreAUsersToGiveUp) {
  const SimEtcd sim = ClusterOf(5);
  Observed observed = sim.Observe();
  const Listed first = observed.members->at(0), second = observed.members->at(1);
  observed.members->erase(observed.members->begin(), observed.members->begin() + 2);
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Wait MembersVanished");
  for (Record& record : observed.records) record.is_unwanted = record.name == second.name;
  const Step step = Decide(sim.wanted, observed);
  ASSERT_EQ(Title(step), "UpdateRecord");
  EXPECT_EQ(std::get<UpdateRecord>(step).record.name, second.name);
}

// A seed that would begin a second cluster: each reason why it must not, alone.
TEST(PlanHazard, OnlyTheFirstAndOnlyMemberBeginsACluster) {
  SimEtcd sim;
  for (int i = 0; i < 2; ++i) sim.Run(Next(sim));  // a record and its volume
  const Observed fresh = sim.Observe();
  ASSERT_EQ(Title(Decide(sim.wanted, fresh)), "CreatePods");
  Observed observed = fresh;
  observed.records.front().is_bootstrap = false;
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Wait StatusLost");
  observed = fresh;
  observed.last_seq = 2;  // there was another one
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Wait StatusLost");
  observed = fresh;
  observed.records.push_back({.name = "c-1-x", .slot = 1, .seq = 2});
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Wait StatusLost");
  observed = fresh;
  observed.records.front().has_joined = true;
  observed.records.front().phase = Phase::kRemoved;
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Wait DataMissing");
}

TEST(PlanHazard, DoesNotBeginOverWhatIsLeftOfAnotherCluster) {
  SimEtcd sim;
  Observed observed = sim.Observe();
  observed.has_strangers = true;
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Wait ForeignObject");
  observed = sim.Observe();
  observed.volumes["c-0-abcde"] = {.uid = "v"};
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Wait ForeignObject");
  observed.volumes["c-0-abcde"].is_detached = true;
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "CreateRecord");
}

TEST(PlanHazard, TakesALostClusterIdAgainFromAnyMemberThatHasJoined) {
  SimEtcd sim = ClusterOf(3);
  const std::string seed = sim.objects().records.at(0).name;
  sim.LoseVolume(seed);
  sim.LoseClusterId();
  const Step step = Next(sim);
  ASSERT_EQ(Title(step), "LatchCluster");
  sim.Run(step);
  EXPECT_EQ(Title(Next(sim)), "Done");
}

TEST(PlanHazard, AMemberWithoutAStatusIsStartedBehindTheGuardWhenTheQuorumIsLost) {
  SimEtcd sim = ClusterOf(3);
  const std::string member = sim.objects().records.at(1).name;
  sim.LoseStatus(member);
  for (const Record& record : sim.Observe().records) sim.LosePod(record.name);
  sim.Run(Next(sim));  // the others
  sim.down.insert(sim.objects().records.at(0).name);
  const Step step = Next(sim);
  ASSERT_EQ(Title(step), "CreatePods");
  EXPECT_TRUE(std::get<CreatePods>(step).pods.at(0).is_guarded);
  sim.down.clear();
  EXPECT_EQ(Settle(sim).back(), "Done");
  EXPECT_THAT(sim.faults, IsEmpty());
}

TEST(PlanHazard, AVoterWithoutAStatusNeverGetsAnotherVolume) {
  SimEtcd sim = ClusterOf(3);
  const std::string member = sim.objects().records.at(1).name;
  sim.LoseStatus(member);
  sim.LoseVolume(member);
  EXPECT_EQ(Settle(sim).back(), "Done");
  EXPECT_FALSE(sim.objects().volumes.contains(member));
  EXPECT_FALSE(sim.objects().pods.contains(member));
}

TEST(PlanHazard, AMemberThatAUserGaveUpIsReplacedBeforeTheClusterGrows) {
  SimEtcd sim = ClusterOf(3);
  const std::string dead = sim.objects().records.at(1).name;
  sim.LoseVolume(dead);
  sim.wanted.replicas = 5;
  EXPECT_EQ(Title(Next(sim)), "Wait ScalingUp");
  sim.DeleteRecordOf(dead);
  EXPECT_EQ(Settle(sim).back(), "Done");
  EXPECT_EQ(sim.voters(), 5U);
  EXPECT_THAT(sim.faults, IsEmpty());
}

}  // namespace
}  // namespace etcd::plan
