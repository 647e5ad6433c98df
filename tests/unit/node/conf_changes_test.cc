// Changes of the membership: what is refused, and what members do with those that are made.
#include "server/node/conf_changes.h"

#include <etcdserverpb/raft_internal.pb.h>
#include <memory>

#include <gtest/gtest.h>

#include "server/base/status.h"
#include "server/raftcodec/raftpb.h"
#include "tests/support/sim_cluster.h"

namespace etcd::node {
namespace {

using std::chrono::seconds;
using testing::SimCluster;
using testing::SimMember;
using Members = absl::StatusOr<std::vector<MemberInfo>>;

// Long enough for the members to count as healthy.
constexpr seconds kSettled(6);

template <typename Answer>
auto Catch(std::shared_ptr<std::optional<Answer>> into) {
  return [into](Answer answer) { *into = std::move(answer); };
}

template <typename Answer>
Answer Await(SimMember& member, const std::shared_ptr<std::optional<Answer>>& answer) {
  EXPECT_TRUE(member.WaitFor([&] { return answer->has_value(); }));
  return answer->value_or(Error(Errc::kTimeout));
}

absl::StatusOr<AddedMember> Add(SimMember& member, const std::string& url, bool is_learner) {
  auto answer = std::make_shared<std::optional<absl::StatusOr<AddedMember>>>();
  member->AddMember({url}, is_learner, {}, Catch(answer));
  return Await(member, answer);
}

Members Remove(SimMember& member, MemberId id) {
  auto answer = std::make_shared<std::optional<Members>>();
  member->RemoveMember(id, {}, Catch(answer));
  return Await(member, answer);
}

Members Promote(SimMember& member, MemberId id) {
  auto answer = std::make_shared<std::optional<Members>>();
  member->PromoteMember(id, {}, Catch(answer));
  return Await(member, answer);
}

Members Update(SimMember& member, MemberId id, const std::string& url) {
  auto answer = std::make_shared<std::optional<Members>>();
  member->UpdateMember(id, {url}, {}, Catch(answer));
  return Await(member, answer);
}

class ConfChangesTest : public ::testing::Test {
 protected:
  ConfChangesTest() : cluster(1, 3) {
    EXPECT_TRUE(cluster.Boot());
    cluster.scheduler.RunFor(kSettled);
    leader = cluster.AwaitLeader();
  }
  SimMember& Leader() { return cluster[leader]; }
  SimMember& Other(std::size_t n) { return cluster[(leader + n) % 3]; }

  SimCluster cluster;
  std::size_t leader = 0;
};

TEST(ConfChanges, AreRefusedUntilTheClusterIsKnownToBeHealthy) {
  SimCluster cluster(2, 3);
  ASSERT_TRUE(cluster.Boot());
  SimMember& leader = cluster[cluster.AwaitLeader()];
  EXPECT_EQ(ErrcOf(Add(leader, "http://new:1", false).status()), Errc::kUnhealthyCluster);
  EXPECT_EQ(ErrcOf(Add(leader, "http://new:1", true).status()), Errc::kUnhealthyCluster);
}

TEST(ConfChanges, WithoutTheStrictCheckAreMadeAtOnce) {
  SimCluster cluster(3, 3, [](MemberOptions& o) { o.strict_reconfig_check = false; });
  ASSERT_TRUE(cluster.Boot());
  SimMember& leader = cluster[cluster.AwaitLeader()];
  EXPECT_TRUE(Add(leader, "http://new:1", true).ok());
}

TEST_F(ConfChangesTest, AnAddedMemberIsListedAsUnstarted) {
  // A follower forwards the change.
  const auto added = Add(Other(1), "http://new:1", false);
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(added->members.size(), 4U);
  EXPECT_EQ(added->member.name, "");
  EXPECT_EQ(added->member.peer_urls, std::vector<std::string>{"http://new:1"});
  ASSERT_TRUE(cluster.AwaitConverged());
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(cluster[i]->Members().size(), 4U);
}

// Three started members bear two that are not, not three.
TEST_F(ConfChangesTest, UnstartedMembersCountAgainstAnother) {
  ASSERT_TRUE(Add(Leader(), "http://new:1", false).ok());
  ASSERT_TRUE(Add(Leader(), "http://new:2", false).ok());
  EXPECT_EQ(ErrcOf(Add(Leader(), "http://new:3", false).status()), Errc::kNotEnoughStartedMembers);
}

TEST_F(ConfChangesTest, UrlsBelongToOneMember) {
  const std::string taken = Other(1)->Members()[0].peer_urls[0];
  EXPECT_EQ(ErrcOf(Add(Leader(), taken, true).status()), Errc::kPeerUrlExists);
  const MemberId second = Leader()->Members()[1].id;
  EXPECT_EQ(ErrcOf(Update(Leader(), second, taken).status()), Errc::kPeerUrlExists);
  EXPECT_EQ(ErrcOf(Update(Leader(), MemberId(77), "http://x:1").status()), Errc::kMemberNotFound);
  const auto updated = Update(Leader(), second, "http://elsewhere:1");
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ((*updated)[1].peer_urls, std::vector<std::string>{"http://elsewhere:1"});
}

TEST_F(ConfChangesTest, OneLearnerAtATime) {
  ASSERT_TRUE(Add(Leader(), "http://new:1", true).ok());
  EXPECT_EQ(ErrcOf(Add(Leader(), "http://new:2", true).status()), Errc::kTooManyLearners);
}

// etcd issue 15096: one that was never started was promoted.
TEST_F(ConfChangesTest, Bug15096OnlyALearnerInSyncIsPromotedAndOnlyTheLeaderKnows) {
  const auto added = Add(Leader(), "http://new:1", true);
  ASSERT_TRUE(added.ok()) << added.status();
  cluster.scheduler.RunFor(seconds(1));  // the voters acknowledge the change
  EXPECT_EQ(ErrcOf(Promote(Leader(), added->member.id).status()), Errc::kLearnerNotReady);
  EXPECT_EQ(ErrcOf(Promote(Leader(), Other(1)->member_id()).status()), Errc::kMemberNotLearner);
  EXPECT_EQ(ErrcOf(Promote(Leader(), MemberId(77)).status()), Errc::kMemberNotFound);
  EXPECT_EQ(ErrcOf(Promote(Other(1), added->member.id).status()), Errc::kNotLeader);
}

struct Promotions final : MemberObserver {
  void OnPromotion(const absl::Status& status) override { seen.push_back(status); }
  std::vector<absl::Status> seen;
};

// etcd_server_learner_promote_successes and _failures: only the leader counts.
TEST(ConfChanges, PromotionsAreReportedByTheLeader) {
  SimCluster cluster(5, 3, [](MemberOptions& o) { o.strict_reconfig_check = false; });
  Promotions promotions[3];
  for (std::size_t i = 0; i < 3; ++i) cluster[i].observer = &promotions[i];
  ASSERT_TRUE(cluster.Boot());
  const std::size_t leader = cluster.AwaitLeader();
  EXPECT_FALSE(Promote(cluster[leader], MemberId(77)).ok());
  EXPECT_FALSE(Promote(cluster[leader], cluster[leader]->member_id()).ok());
  EXPECT_FALSE(Promote(cluster[(leader + 1) % 3], MemberId(77)).ok());
  ASSERT_EQ(promotions[leader].seen.size(), 2U);
  EXPECT_EQ(ErrcOf(promotions[leader].seen[0]), Errc::kMemberNotFound);
  EXPECT_EQ(ErrcOf(promotions[leader].seen[1]), Errc::kMemberNotLearner);
  EXPECT_TRUE(promotions[(leader + 1) % 3].seen.empty());
}

TEST_F(ConfChangesTest, ARemovedMemberIsToldAndItsIdNeverComesBack) {
  const MemberId gone = Other(1)->member_id();
  const auto left = Remove(Leader(), gone);
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_EQ(left->size(), 2U);
  EXPECT_TRUE(Leader()->IsRemoved(gone));
  EXPECT_TRUE(cluster.WaitFor([&] { return Other(1).is_removed(); }));
  EXPECT_EQ(ErrcOf(Remove(Leader(), gone).status()), Errc::kMemberNotFound);
  EXPECT_TRUE(Leader().Put("a", "1").status.ok());
}

// Nobody but the removed member, which need not exist any more, could tell the survivor again that
// its removal is committed.
TEST(ConfChanges, TheSurvivorOfTwoComesBackAlone) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const bool removes_itself = seed % 2 == 0;
    SimCluster cluster(seed, 2);
    ASSERT_TRUE(cluster.Boot());
    cluster.scheduler.RunFor(kSettled);
    const std::size_t leader = cluster.AwaitLeader();
    const std::size_t gone = removes_itself ? leader : 1 - leader;
    const std::size_t stays = 1 - gone;
    const MemberId gone_id = cluster[gone]->member_id();
    ASSERT_TRUE(Remove(cluster[leader], gone_id).ok());
    ASSERT_TRUE(cluster.WaitFor([&] { return cluster[stays]->IsRemoved(gone_id); }));
    cluster.Crash(gone, 1);
    cluster.Crash(stays, seed);
    ASSERT_TRUE(cluster.Open(stays).ok());
    EXPECT_TRUE(cluster.WaitFor([&] { return cluster.Leader() == stays; })) << seed;
    EXPECT_TRUE(cluster[stays].Put("a", "1").status.ok()) << seed;
  }
}

// What is left must be a majority that is at work.
TEST_F(ConfChangesTest, WithOneDownOnlyThatOneMayGo) {
  const MemberId down = Other(1)->member_id();
  const MemberId up = Other(2)->member_id();
  cluster.Crash((leader + 1) % 3, 1);
  EXPECT_EQ(ErrcOf(Remove(Leader(), up).status()), Errc::kUnhealthyCluster);
  EXPECT_TRUE(Remove(Leader(), down).ok());
}

// etcd issue 21667: one that is down does not keep others out as long as the new configuration has
// a majority at work.
TEST(ConfChanges, Bug21667AMemberIsAddedWhileAMinorityIsDown) {
  for (const bool is_learner : {true, false}) {
    SimCluster cluster(6, 5);
    ASSERT_TRUE(cluster.Boot());
    cluster.scheduler.RunFor(kSettled);
    std::size_t leader = cluster.AwaitLeader();
    cluster.Crash((leader + 1) % 5, 1);
    leader = cluster.AwaitLeader();
    const auto added = Add(cluster[leader], "http://new:1", is_learner);
    EXPECT_TRUE(added.ok()) << added.status();
    cluster.Crash((leader + 2) % 5, 1);
    EXPECT_EQ(ErrcOf(Add(cluster[leader], "http://new:2", is_learner).status()),
              Errc::kUnhealthyCluster);
  }
}

// etcd issue 21736: an update made a voter of it.
TEST_F(ConfChangesTest, Bug21736ALearnerStaysOneWhenItsUrlsChange) {
  const auto added = Add(Leader(), "http://new:1", true);
  ASSERT_TRUE(added.ok()) << added.status();
  const MemberId id = added->member.id;
  ASSERT_TRUE(Update(Leader(), id, "http://new:2").ok());
  ASSERT_TRUE(cluster.AwaitConverged());
  const auto is_learner = [&](SimMember& member) {
    for (const MemberInfo& info : member->Members()) {
      if (info.id == id) return info.is_learner && info.peer_urls[0] == "http://new:2";
    }
    return false;
  };
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(is_learner(cluster[i]));
  cluster.Crash((leader + 1) % 3, 1);
  ASSERT_TRUE(cluster.Open((leader + 1) % 3).ok());
  ASSERT_TRUE(cluster.AwaitConverged());
  EXPECT_TRUE(is_learner(Other(1)));
  // Three of three voters are left to elect a leader, not three of four.
  cluster.Crash((leader + 2) % 3, 1);
  EXPECT_TRUE(cluster[cluster.AwaitLeader()].Put("a", "1").status.ok());
}

TEST(ConfChanges, TheLastVoterStays) {
  SimMember member(4);
  member.options.strict_reconfig_check = false;
  ASSERT_TRUE(member.Boot().ok());
  EXPECT_EQ(ErrcOf(Remove(member, member->member_id()).status()), Errc::kNotEnoughStartedMembers);
}

// raft takes one at a time; the second waits for its turn.
TEST_F(ConfChangesTest, TwoAtOnceAreBothMade) {
  auto first = std::make_shared<std::optional<absl::StatusOr<AddedMember>>>();
  auto second = std::make_shared<std::optional<absl::StatusOr<AddedMember>>>();
  Leader()->AddMember({"http://new:1"}, false, {}, Catch(first));
  Leader()->AddMember({"http://new:2"}, false, {}, Catch(second));
  ASSERT_TRUE(Await(Leader(), first).ok());
  const auto both = Await(Leader(), second);
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_EQ(both->members.size(), 5U);
}

TEST_F(ConfChangesTest, WhatWaitedItsTurnIsCheckedAgain) {
  std::vector<std::shared_ptr<std::optional<absl::StatusOr<AddedMember>>>> answers;
  for (const char* url : {"http://new:1", "http://new:2", "http://new:3"}) {
    answers.push_back(std::make_shared<std::optional<absl::StatusOr<AddedMember>>>());
    Leader()->AddMember({url}, false, {}, Catch(answers.back()));
  }
  EXPECT_TRUE(Await(Leader(), answers[0]).ok());
  EXPECT_TRUE(Await(Leader(), answers[1]).ok());
  EXPECT_EQ(ErrcOf(Await(Leader(), answers[2]).status()), Errc::kNotEnoughStartedMembers);
}

// ---- Never without a voter

TEST(LastVoter, StaysWhenTwoRemovalsAreAskedForAtOnce) {
  for (const bool is_strict : {true, false}) {
    SimCluster cluster(7, 2, [&](MemberOptions& o) { o.strict_reconfig_check = is_strict; });
    ASSERT_TRUE(cluster.Boot());
    cluster.scheduler.RunFor(kSettled);
    const std::size_t leader = cluster.AwaitLeader();
    auto first = std::make_shared<std::optional<Members>>();
    auto second = std::make_shared<std::optional<Members>>();
    cluster[leader]->RemoveMember(cluster[1 - leader]->member_id(), {}, Catch(first));
    cluster[leader]->RemoveMember(cluster[leader]->member_id(), {}, Catch(second));
    EXPECT_TRUE(Await(cluster[leader], first).ok());
    EXPECT_EQ(ErrcOf(Await(cluster[leader], second).status()), Errc::kNotEnoughStartedMembers);
    EXPECT_FALSE(cluster[leader].fatal().has_value());
    EXPECT_TRUE(cluster[leader].Put("a", "1").status.ok());
  }
}

raft::Message ForwardedRemoval(MemberId from, SimMember& leader) {
  raft::Message message;
  message.type = raft::MessageType::kProp;
  message.from = from;
  message.to = leader->member_id();
  const raft::ConfChange change = {9, raft::ConfChangeType::kRemoveNode, leader->member_id(), ""};
  message.entries.push_back(
      {Term(), Index(), raft::EntryType::kConfChange, raft::Payload(raftcodec::Encode(change))});
  return message;
}

void Deliver(SimMember& to, raft::Message message) {
  std::vector<raft::Message> one;
  one.push_back(std::move(message));
  to->Receive(std::move(one));
}

// A forwarded removal comes while the leader hands over and waits for the next one, who is removed
// meanwhile.
TEST(LastVoter, StaysWhenARemovalWasHeldBack) {
  SimCluster cluster(8, 2, [](MemberOptions& o) { o.strict_reconfig_check = false; });
  ASSERT_TRUE(cluster.Boot());
  const std::size_t number = cluster.AwaitLeader();
  SimMember& leader = cluster[number];
  const MemberId other = cluster[1 - number]->member_id();
  ASSERT_TRUE(cluster.AwaitConverged());
  bool acknowledges = false;
  cluster.network.filter = [&](const raft::Message& m) {
    return m.type != raft::MessageType::kTimeoutNow &&
           (acknowledges || m.type != raft::MessageType::kAppResp);
  };
  auto removed = std::make_shared<std::optional<Members>>();
  leader->RemoveMember(other, {}, Catch(removed));
  cluster.scheduler.RunFor(std::chrono::milliseconds(20));
  leader->MoveLeader(other, {}, [](const absl::Status&) {});
  cluster.scheduler.RunFor(std::chrono::milliseconds(20));
  Deliver(leader, ForwardedRemoval(other, leader));
  cluster.scheduler.RunFor(std::chrono::milliseconds(20));
  ASSERT_FALSE(removed->has_value());
  acknowledges = true;
  EXPECT_TRUE(Await(leader, removed).ok());
  cluster.scheduler.RunFor(seconds(2));
  EXPECT_FALSE(leader.fatal().has_value());
  EXPECT_EQ(leader->Members().size(), 1U);
  EXPECT_TRUE(leader.Put("a", "1").status.ok());
}

// ---- How long they wait

// The leader puts an empty entry in its place and tells nobody.
TEST_F(ConfChangesTest, AForwardedOneThatIsLostEndsAfterTheRequestTimeout) {
  bool acknowledges = false;
  cluster.network.filter = [&](const raft::Message& m) {
    return acknowledges || m.type != raft::MessageType::kAppResp;
  };
  auto first = std::make_shared<std::optional<absl::StatusOr<AddedMember>>>();
  auto second = std::make_shared<std::optional<absl::StatusOr<AddedMember>>>();
  Leader()->AddMember({"http://new:1"}, false, {}, Catch(first));
  cluster.scheduler.RunFor(std::chrono::milliseconds(20));
  Other(1)->AddMember({"http://new:2"}, false, {}, Catch(second));
  cluster.scheduler.RunFor(std::chrono::milliseconds(20));
  acknowledges = true;
  EXPECT_TRUE(Await(Leader(), first).ok());
  EXPECT_EQ(ErrcOf(Await(Other(1), second).status()), Errc::kTimeout);
}

// What the peer port asks for, without a deadline.
TEST_F(ConfChangesTest, APromotionEndsAfterTheRequestTimeout) {
  cluster.network.filter = [](const raft::Message& m) {
    return m.type != raft::MessageType::kAppResp;
  };
  EXPECT_EQ(ErrcOf(Promote(Leader(), Other(1)->member_id()).status()), Errc::kTimeout);
}

// Also behind a change that never ends.
TEST_F(ConfChangesTest, CallersGetAnswersByTheirDeadlines) {
  cluster.network.Partition({leader});
  ProposeOptions options;
  options.deadline = cluster.scheduler.clock().Now() + seconds(3);
  std::vector<std::shared_ptr<std::optional<Members>>> answers;
  for (int i = 0; i < 3; ++i) {
    answers.push_back(std::make_shared<std::optional<Members>>());
    Leader()->UpdateMember(Other(1)->member_id(), {"http://new:1"}, options, Catch(answers.back()));
  }
  for (const auto& answer : answers) {
    EXPECT_EQ(ErrcOf(Await(Leader(), answer).status()), Errc::kContextDeadlineExceeded);
  }
}

TEST_F(ConfChangesTest, MembersAgreeOnTheClusterVersion) {
  EXPECT_EQ(Leader()->ClusterVersion(), "3.6.0");
  EXPECT_EQ(Other(1)->ReportedVersion(), Leader().options.server_version);
}

}  // namespace
}  // namespace etcd::node
