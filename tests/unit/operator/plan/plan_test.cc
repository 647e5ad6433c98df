#include "operator/plan/plan.h"

#include <algorithm>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "steps.h"

namespace etcd::plan {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

Record LeaderOf(const Observed& observed) {
  for (const Record& record : observed.records) {
    const auto health = observed.health.find(record.name);
    if (health != observed.health.end() && health->second.leader == record.id) return record;
  }
  return {};
}

TEST(Plan, BootstrapsASeed) {
  SimEtcd sim;
  sim.wanted.replicas = 1;
  EXPECT_THAT(Settle(sim), ElementsAre("CreateRecord", "CreateVolume", "CreatePods", "UpdateRecord",
                                       "LatchCluster", "SetVoterRole", "Done"));
}

TEST(Plan, GrowsByALearnerThatIsPromoted) {
  SimEtcd sim = ClusterOf(1);
  sim.wanted.replicas = 3;
  std::vector<std::string> steps = Settle(sim);
  ASSERT_EQ(steps.size(), 19U);
  steps.resize(10);
  EXPECT_THAT(steps, ElementsAre("CreateRecord", "CreateVolume", "AddLearner", "UpdateRecord",
                                 "CreatePods", "UpdateRecord", "Promote", "UpdateRecord",
                                 "SetVoterRole", "CreateRecord"));
}

TEST(Plan, ShrinksWithLeadershipMovedFirst) {
  SimEtcd sim = ClusterOf(3);
  // Followers go first, by descending slot, so that the leader stays.
  sim.wanted.replicas = 1;
  const Record leader = LeaderOf(sim.Observe());
  const std::vector<std::string> steps = Settle(sim);
  EXPECT_THAT(steps, ElementsAre("UpdateRecord", "WithdrawPod", "RemoveMember", "UpdateRecord",
                                 "DeletePod", "DeleteVolume", "DeleteRecord", "UpdateRecord",
                                 "WithdrawPod", "RemoveMember", "UpdateRecord", "DeletePod",
                                 "DeleteVolume", "DeleteRecord", "Done"));
  EXPECT_EQ(sim.objects().records.at(0).name, leader.name);
  EXPECT_THAT(sim.faults, IsEmpty());
}

TEST(Plan, MovesTheLeaderWhenItIsTheOneToGo) {
  SimEtcd sim = ClusterOf(3);
  Observed observed = sim.Observe();
  const Record leader = LeaderOf(observed);
  for (Record& record : observed.records) {
    if (record.name == leader.name) record.phase = Phase::kRemoving;
  }
  observed.pods[leader.name].has_voter_role = false;
  const Step step = Decide(sim.wanted, observed);
  ASSERT_TRUE(std::holds_alternative<MoveLeader>(step)) << Title(step);
  EXPECT_EQ(std::get<MoveLeader>(step).from, leader.name);
  EXPECT_NE(std::get<MoveLeader>(step).to, leader.name);
}

TEST(Plan, RemovesADeadVoterBeforeALivingOne) {
  SimEtcd sim = ClusterOf(5);
  const std::string dead = sim.objects().records.at(1).name;
  sim.down.insert(dead);
  sim.wanted.replicas = 3;
  const Step step = Next(sim);
  ASSERT_EQ(Title(step), "UpdateRecord");
  EXPECT_EQ(std::get<UpdateRecord>(step).record.name, dead);
}

TEST(Plan, RemovesAMemberWhereMostOfThemAre) {
  SimEtcd sim = ClusterOf(5);
  sim.wanted.replicas = 3;
  Observed observed = sim.Observe();
  const Record leader = LeaderOf(observed);
  std::vector<std::string> others;
  for (const Record& record : observed.records) {
    observed.pods[record.name].node = "node-of-" + record.name;
    observed.pods[record.name].zone = record.slot < 2 ? "a" : "zone-of-" + record.name;
    if (record.slot < 2 && record.name != leader.name) others.push_back(record.name);
  }
  Step step = Decide(sim.wanted, observed);
  ASSERT_EQ(Title(step), "UpdateRecord");
  EXPECT_EQ(std::get<UpdateRecord>(step).record.name, others.back());
  // Without zones the nodes tell.
  for (auto& [name, pod] : observed.pods) pod.zone.clear();
  observed.pods[others.front()].node = observed.pods[leader.name].node;
  step = Decide(sim.wanted, observed);
  EXPECT_EQ(std::get<UpdateRecord>(step).record.name, others.front());
}

TEST(Plan, RemovesNothingThatTheQuorumNeeds) {
  SimEtcd sim = ClusterOf(3);
  sim.wanted.replicas = 1;
  while (sim.objects().records.size() == 3) sim.Run(Next(sim));
  ASSERT_EQ(sim.voters(), 2U);
  // Of two members one is down: removing either would lose the quorum or the data.
  sim.down.insert(sim.objects().records.at(0).name);
  EXPECT_EQ(Title(Next(sim)), "Wait QuorumLost");
}

TEST(Plan, GrowsOnlyWhenEveryVoterParticipates) {
  SimEtcd sim = ClusterOf(3);
  sim.wanted.replicas = 5;
  sim.down.insert(sim.objects().records.at(2).name);
  EXPECT_EQ(Title(Next(sim)), "Wait ScalingUp");
  sim.down.clear();
  EXPECT_EQ(Title(Next(sim)), "CreateRecord");
  Observed observed = sim.Observe();
  observed.is_settled = false;
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Wait ScalingUp");
  observed = sim.Observe();
  observed.health.begin()->second.has_alarm = true;
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Wait ScalingUp");
}

TEST(Plan, RestartsAllLostPodsAtOnceAlsoWithoutAQuorum) {
  SimEtcd sim = ClusterOf(3);
  for (const Record& record : sim.Observe().records) sim.LosePod(record.name);
  const Step step = Next(sim);
  ASSERT_EQ(Title(step), "CreatePods");
  EXPECT_EQ(std::get<CreatePods>(step).pods.size(), 3U);
  for (const CreatePods::One& pod : std::get<CreatePods>(step).pods) {
    EXPECT_FALSE(pod.is_new_cluster);
  }
}

TEST(Plan, BringsALeavingMemberBackWhenTheQuorumNeedsIt) {
  SimEtcd sim = ClusterOf(3);
  sim.wanted.replicas = 1;
  while (sim.voters() == 3) sim.Run(Next(sim));
  Step step = Next(sim);
  while (Title(step) != "RemoveMember") {
    sim.Run(step);
    step = Next(sim);
  }
  // The pod of the one that is marked as leaving is lost before it has left.
  sim.LosePod(std::get<RemoveMember>(step).member);
  EXPECT_EQ(Title(Next(sim)), "CreatePods");
  EXPECT_EQ(Settle(sim).back(), "Done");
}

TEST(Plan, NeverStartsAVoterOnAnotherVolume) {
  SimEtcd sim = ClusterOf(3);
  const std::string member = sim.objects().records.at(1).name;
  sim.LosePod(member);
  Observed observed = sim.Observe();
  observed.volumes[member].uid = "another";
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Done");
  observed.volumes.erase(member);
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Done");
}

TEST(Plan, ALostQuorumIsReportedAndNotTouched) {
  SimEtcd sim = ClusterOf(3);
  sim.down.insert(sim.objects().records.at(0).name);
  sim.down.insert(sim.objects().records.at(1).name);
  sim.wanted.replicas = 1;
  EXPECT_EQ(Title(Next(sim)), "Wait QuorumLost");
  sim.wanted.replicas = 5;
  EXPECT_EQ(Title(Next(sim)), "Wait QuorumLost");
}

TEST(Plan, PausedAndForeignClustersStopEverything) {
  SimEtcd sim = ClusterOf(3);
  sim.wanted.replicas = 5;
  sim.wanted.is_paused = true;
  EXPECT_EQ(Title(Next(sim)), "Wait Paused");
  sim.wanted.is_paused = false;
  Observed observed = sim.Observe();
  observed.health.begin()->second.cluster = ClusterId(5);
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Wait ClusterIDMismatch");
}

TEST(Plan, NeverRemovesAVoterThatItDoesNotKnow) {
  SimEtcd sim = ClusterOf(3);
  Observed observed = sim.Observe();
  observed.members->push_back({.id = MemberId(99), .name = "x", .peer_urls = {"http://x:2380"}});
  observed.old_foreign_entries = {MemberId(99)};
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Wait UnexpectedMember");
  observed.members->back().is_learner = true;
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "RemoveMember");
  // Another one, which came later.
  observed.old_foreign_entries = {MemberId(98)};
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Wait UnexpectedMember");
}

TEST(Plan, CleansUpAfterAMemberThatAUserRemoved) {
  SimEtcd sim = ClusterOf(3);
  Observed observed = sim.Observe();
  observed.members->erase(observed.members->begin());
  const Step step = Decide(sim.wanted, observed);
  ASSERT_EQ(Title(step), "UpdateRecord");
  EXPECT_EQ(std::get<UpdateRecord>(step).record.phase, Phase::kRemoving);
}

TEST(Plan, ASeedThatLostItsVolumeDoesNotFormAnotherCluster) {
  SimEtcd sim;
  sim.wanted.replicas = 1;
  for (int i = 0; i < 4; ++i) sim.Run(Next(sim));  // joined, not latched
  Observed observed = sim.Observe();
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "LatchCluster");
  observed.pods.clear();
  const Step restart = Decide(sim.wanted, observed);
  ASSERT_EQ(Title(restart), "CreatePods");
  EXPECT_FALSE(std::get<CreatePods>(restart).pods.at(0).is_new_cluster);
  observed.health.clear();
  observed.members.reset();
  observed.volumes.begin()->second.uid = "another";
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Wait DataMissing");
  observed.volumes.clear();
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Wait DataMissing");
}

// A seed with its pod, of which nothing runs.
SimEtcd SeedThatDoesNotStart() {
  SimEtcd sim;
  sim.wanted.replicas = 1;
  sim.seeds_start = false;
  EXPECT_EQ(Settle(sim).back(), "Wait Bootstrapping");
  return sim;
}

TEST(Plan, ASeedThatNeverStartsGoesWithItsVolumeForOneOfAnotherName) {
  SimEtcd sim = SeedThatDoesNotStart();
  const std::string first = sim.objects().records.at(0).name;
  sim.is_overdue = true;
  sim.seeds_start = true;
  EXPECT_THAT(Settle(sim), ElementsAre("UpdateRecord", "DeletePod", "DeleteVolume", "DeleteRecord",
                                       "CreateRecord", "CreateVolume", "CreatePods", "UpdateRecord",
                                       "LatchCluster", "SetVoterRole", "Done"));
  EXPECT_NE(sim.objects().records.at(0).name, first);
  EXPECT_THAT(sim.objects().volumes, SizeIs(1));
  EXPECT_THAT(sim.faults, IsEmpty());
}

TEST(Plan, TheVolumeOfAGivenUpSeedIsKeptWhenRemovedOnesAre) {
  SimEtcd sim = SeedThatDoesNotStart();
  sim.is_overdue = true;
  sim.seeds_start = true;
  sim.wanted.keeps_removed_volumes = true;
  EXPECT_EQ(Settle(sim).back(), "Done");
  EXPECT_THAT(sim.objects().volumes, SizeIs(2));
}

TEST(Plan, OfASeedThatSpokeOfALeaderOnlyThePodIsMadeAnew) {
  SimEtcd sim = SeedThatDoesNotStart();
  Observed observed = sim.Observe();
  const std::string seed = observed.records.at(0).name;
  // It leads, but the list is not to be had.
  observed.health[seed] = {.id = MemberId(1), .leader = MemberId(1)};
  const Step noted = Decide(sim.wanted, observed);
  ASSERT_EQ(Title(noted), "UpdateRecord");
  sim.Run(noted);
  sim.is_overdue = true;
  ASSERT_EQ(Title(Next(sim)), "DeletePod");
  sim.Run(Next(sim));
  EXPECT_EQ(Title(Next(sim)), "CreatePods");
  EXPECT_EQ(sim.objects().records.at(0).name, seed);
}

TEST(Plan, ASeedThatAnswersOrIsNotAloneIsNotGivenUp) {
  SimEtcd sim = SeedThatDoesNotStart();
  sim.is_overdue = true;
  Observed observed = sim.Observe();
  observed.health[observed.records.at(0).name] = {.id = MemberId(1)};
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Wait Bootstrapping");
  // Others beside it: what the statuses said is lost, and the volumes may be all that is left.
  observed = sim.Observe();
  observed.records.push_back(observed.records.at(0));
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Wait StatusLost");
  // What is being filled from a backup is not thrown away and begun anew.
  observed = sim.Observe();
  observed.records.at(0).is_restored = true;
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "DeletePod");
}

TEST(Plan, AForeignLearnerDoesNotBlockGrowthForever) {
  SimEtcd sim = ClusterOf(1);
  sim.wanted.replicas = 3;
  sim.Run(Next(sim));  // a record
  sim.Run(Next(sim));  // its volume
  sim.AddForeignLearner();
  EXPECT_EQ(Title(Next(sim)), "Wait UnexpectedMember");
  sim.is_foreign_old = true;
  EXPECT_EQ(Settle(sim).back(), "Done");
  EXPECT_EQ(sim.voters(), 3U);
}

TEST(Plan, TheLastVoterStaysEvenIfItWasToLeave) {
  SimEtcd sim = ClusterOf(3);
  sim.wanted.replicas = 1;
  while (sim.voters() == 3) sim.Run(Next(sim));
  Step step = Next(sim);
  while (Title(step) != "WithdrawPod") {
    sim.Run(step);
    step = Next(sim);
  }
  const std::string leaving = std::get<WithdrawPod>(step).member;
  for (const Record& record : sim.Observe().records) {
    if (record.name != leaving) sim.RemoveByHand(record.name);
  }
  EXPECT_EQ(Settle(sim).back(), "Done");
  EXPECT_EQ(sim.voters(), 1U);
  EXPECT_THAT(sim.faults, IsEmpty());
}

TEST(Plan, ReplacesTheMemberWhoseRecordAUserDeleted) {
  SimEtcd sim = ClusterOf(3);
  const std::string unwanted = sim.objects().records.at(1).name;
  sim.DeleteRecordOf(unwanted);
  EXPECT_EQ(Settle(sim).back(), "Done");
  EXPECT_EQ(sim.voters(), 3U);
  for (const Record& record : sim.objects().records) EXPECT_NE(record.name, unwanted);
  SimEtcd one = ClusterOf(1);
  one.DeleteRecordOf(one.objects().records.at(0).name);
  EXPECT_EQ(Title(Next(one)), "Wait ReplacementBlocked");
  EXPECT_EQ(std::get<Wait>(Next(one)).gate, "Voters");
  SimEtcd three = ClusterOf(3);
  three.DeleteRecordOf(three.objects().records.at(0).name);
  three.down.insert(three.objects().records.at(1).name);
  EXPECT_EQ(std::get<Wait>(Next(three)).gate, "Quorum");
}

TEST(Plan, GivesUpALearnerThatIsOverdueAndWaitsBeforeTheNext) {
  SimEtcd sim = ClusterOf(1);
  sim.wanted.replicas = 3;
  while (sim.Observe().members->size() == 1) sim.Run(Next(sim));
  sim.is_overdue = true;
  const Step step = Next(sim);
  ASSERT_EQ(Title(step), "UpdateRecord");
  EXPECT_EQ(std::get<UpdateRecord>(step).record.phase, Phase::kRemoving);
  sim = ClusterOf(1);
  sim.wanted.replicas = 3;
  Observed observed = sim.Observe();
  observed.is_backing_off = true;
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "Wait LearnerStalled");
}

TEST(Plan, APodThatHasEndedMakesRoomAlsoWithoutAQuorum) {
  SimEtcd sim = ClusterOf(3);
  sim.FinishPod(sim.objects().records.at(0).name);
  sim.FinishPod(sim.objects().records.at(1).name);
  EXPECT_EQ(Title(Next(sim)), "DeletePod");
  EXPECT_EQ(Settle(sim).back(), "Done");
  EXPECT_THAT(sim.faults, IsEmpty());
}

TEST(Plan, ALearnersPodFollowsTheListUntilItHasStarted) {
  SimEtcd sim = ClusterOf(1);
  sim.wanted.replicas = 3;
  while (sim.objects().pods.size() == 1) sim.Run(Next(sim));
  Observed observed = sim.Observe();
  const std::string learner = observed.records.at(1).name;
  observed.health.erase(learner);
  observed.pods[learner].initial_cluster = "of before";
  EXPECT_EQ(Title(Decide(sim.wanted, observed)), "DeletePod");
}

TEST(Plan, NamesComeFromTheUidAndTheSequence) {
  const Wanted wanted{.cluster = "c", .uid = "u"};
  EXPECT_THAT(MemberName(wanted, 2, 1), StartsWith("c-2-"));
  EXPECT_EQ(MemberName(wanted, 2, 1).size(), 9U);
  EXPECT_NE(MemberName(wanted, 2, 1), MemberName(wanted, 2, 2));
  // printf 'u/1' | sha256sum, base32.
  EXPECT_EQ(MemberName(wanted, 0, 1), "c-0-j5bv6");
}

}  // namespace
}  // namespace etcd::plan
