#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/raft/cluster.h"
#include "tests/unit/raft/describe.h"
#include "tests/unit/raft/solo.h"

// Claims of Ongaro's thesis that etcd relies on beyond the paper, named by section.
namespace etcd::raft {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

ConfChange Change(const char* text) { return ParseConfChange(text); }

// ---- 3.10 Leadership transfer ----

TEST(Thesis310, CaughtUpTargetIsToldAtOnce) {
  Led solo;
  EXPECT_TRUE(solo.core.TransferLeadership(MemberId(2)));
  EXPECT_THAT(Lines(solo.FlushAll()), ElementsAre("1->2 TimeoutNow term 1"));
}

TEST(Thesis310, LaggingTargetIsBroughtUpToDateFirst) {
  Led solo;
  solo.core.Propose("x");
  solo.FlushAll();
  EXPECT_TRUE(solo.core.TransferLeadership(MemberId(2)));
  EXPECT_THAT(Lines(solo.FlushAll()), Not(Each(HasSubstr("TimeoutNow"))));
  solo.core.Step(Solo::Acknowledge(2, 1, Index(2)));
  EXPECT_THAT(Lines(solo.FlushAll()), testing::Contains("1->2 TimeoutNow term 1"));
}

TEST(Thesis310, ProposalsAreRefusedMeanwhile) {
  Led solo;
  solo.core.TransferLeadership(MemberId(2));
  EXPECT_EQ(solo.core.Propose("x").result, ProposeResult::kTransferring);
}

TEST(Thesis310, TransferIsGivenUpAfterAnElectionTimeout) {
  Led solo;
  solo.core.Propose("x");
  solo.core.TransferLeadership(MemberId(2));
  solo.Ticks(9);
  EXPECT_EQ(solo.core.Propose("x").result, ProposeResult::kTransferring);
  solo.core.Step(Solo::Acknowledge(3, 1, Index(2)));  // keeps a quorum active
  solo.Ticks(1);
  EXPECT_EQ(solo.core.Propose("x").result, ProposeResult::kAppended);
}

TEST(Thesis310, TargetStartsARealElectionThatBreaksLeases) {
  Cluster cluster({});
  cluster.Elect(1);
  const Term before = cluster.core(1).term();
  cluster.core(1).TransferLeadership(MemberId(3));
  cluster.Settle();
  EXPECT_EQ(cluster.leader(), 3U);
  EXPECT_EQ(cluster.core(3).term(), before + 1);
  EXPECT_EQ(cluster.core(1).role(), Role::kFollower);
}

TEST(Thesis310, LearnersAndStrangersAreNoTargets) {
  Solo::Options options;
  options.learners = {4};
  Led solo(options);
  EXPECT_FALSE(solo.core.TransferLeadership(MemberId(1)));
  EXPECT_FALSE(solo.core.TransferLeadership(MemberId(4)));
  EXPECT_FALSE(solo.core.TransferLeadership(MemberId(9)));
  EXPECT_THAT(solo.FlushAll(), IsEmpty());
}

TEST(Thesis310, LearnerIgnoresTimeoutNow) {
  Solo::Options options;
  options.voters = {2, 3};
  options.learners = {1};
  Solo solo(options);
  solo.core.Step(Solo::From(2, MessageType::kTimeoutNow, 1));
  EXPECT_EQ(solo.core.role(), Role::kFollower);
}

// ---- 4.1, 4.2 Membership changes ----

TEST(Thesis41, SecondChangeBeforeTheFirstIsAppliedBecomesAnEmptyEntry) {
  Led solo;
  EXPECT_EQ(solo.core.ProposeConfChange("add 4").result, ProposeResult::kAppended);
  const Proposed second = solo.core.ProposeConfChange("add 5");
  EXPECT_EQ(second.result, ProposeResult::kConfChangePending);
  EXPECT_FALSE(second.ok());
  EXPECT_EQ(second.first_index, Index(3));
  EXPECT_EQ(solo.core.entry_at(Index(3)), Solo::MakeEntry(1, 3));
  solo.FlushAll();
  solo.core.Step(Solo::Acknowledge(2, 1, Index(3)));
  solo.FlushAll();  // applies
  EXPECT_EQ(solo.core.ProposeConfChange("add 5").result, ProposeResult::kAppended);
}

// The old leader may have left one in the log.
TEST(Thesis41, NewLeaderTakesNoChangeBeforeItsLogIsApplied) {
  Solo::Options options;
  options.terms = {1, 1};
  options.hard_state = {Term(1), MemberId(), Index(1)};
  Solo solo(options);
  solo.Lead();
  EXPECT_EQ(solo.core.ProposeConfChange("add 4").result, ProposeResult::kConfChangePending);
}

TEST(Thesis41, MemberWithAnUnappliedChangeDoesNotCampaign) {
  Solo solo;
  Entry change = Solo::MakeEntry(1, 1, "remove 3");
  change.type = EntryType::kConfChange;
  solo.core.Step(Solo::Append(2, 1, Index(0), Term(0), {change}, Index(1)));
  solo.core.OnPersisted(solo.core.TakeReady().number);
  const Ready ready = solo.core.TakeReady();
  ASSERT_THAT(ready.committed, SizeIs(1));
  solo.core.Campaign();
  solo.core.Step(Solo::From(2, MessageType::kTimeoutNow, 1));
  EXPECT_EQ(solo.core.role(), Role::kFollower);
  solo.core.ApplyConfChange(Change("remove 3"));
  solo.core.OnApplied(Index(1));
  solo.core.Campaign();
  EXPECT_EQ(solo.core.role(), Role::kPreCandidate);
}

TEST(Thesis41, ChangeTakesEffectWhenApplied) {
  Led solo;
  solo.core.ApplyConfChange(Change("add 4"));
  solo.core.Propose("x");
  solo.FlushAll();
  solo.core.Step(Solo::Acknowledge(2, 1, Index(2)));
  EXPECT_EQ(solo.core.committed(), Index(1)) << "two of four";
  solo.core.Step(Solo::Acknowledge(3, 1, Index(2)));
  EXPECT_EQ(solo.core.committed(), Index(2));
}

TEST(Thesis41, RemovalMayCompleteAMajority) {
  Led solo;
  solo.core.Propose("x");
  solo.FlushAll();
  EXPECT_EQ(solo.core.committed(), Index(1));
  solo.core.Step(Solo::From(2, MessageType::kHeartbeatResp, 1));
  solo.core.ApplyConfChange(Change("remove 3"));
  EXPECT_EQ(solo.core.committed(), Index(1));
  solo.core.ApplyConfChange(Change("remove 2"));
  EXPECT_EQ(solo.core.committed(), Index(2));
}

TEST(Thesis41, RejectedChangeIsANoOp) {
  Led solo;
  const ConfState before = solo.core.conf_state();
  ConfChange nothing;
  nothing.type = ConfChangeType::kRemoveNode;
  EXPECT_EQ(solo.core.ApplyConfChange(nothing), before);
}

TEST(Thesis421, LearnerReplicatesButDoesNotCount) {
  Solo::Options options;
  options.voters = {1, 2};
  options.learners = {3};
  Led solo(options);
  solo.core.Propose("x");
  EXPECT_THAT(Lines(solo.FlushAll()), SizeIs(2));
  solo.core.Step(Solo::Acknowledge(3, 1, Index(2)));
  EXPECT_EQ(solo.core.committed(), Index(1));
  solo.core.Step(Solo::Acknowledge(2, 1, Index(2)));
  EXPECT_EQ(solo.core.committed(), Index(2));
}

TEST(Thesis421, LearnerNeverCampaigns) {
  Solo::Options options;
  options.voters = {2, 3};
  options.learners = {1};
  Solo solo(options);
  solo.Ticks(100);
  solo.core.Campaign();
  EXPECT_EQ(solo.core.role(), Role::kFollower);
  EXPECT_THAT(solo.FlushAll(), IsEmpty());
}

TEST(Thesis421, PromotedLearnerVotesAndCounts) {
  Cluster cluster({.config = {}, .voters = 2, .learners = 1});
  cluster.Elect(1);
  cluster.core(1).ProposeConfChange("add 3");
  cluster.Settle();
  EXPECT_EQ(cluster.core(3).conf_state().voters.size(), 3U);
  EXPECT_THAT(cluster.core(3).conf_state().learners, IsEmpty());
  cluster.Isolate(1);
  EXPECT_NE(cluster.WaitForLeader(), 0U);
  EXPECT_THAT(cluster.invariants().violations(), IsEmpty());
}

TEST(Thesis421, NewMemberIsBroughtInFromNothing) {
  Cluster cluster({});
  cluster.Elect(1);
  cluster.core(1).Propose("x");
  cluster.Settle();
  cluster.Join(4);
  cluster.core(1).ProposeConfChange("learner 4");
  cluster.Tick(3);
  EXPECT_THAT(cluster[4].machine().data, ElementsAre("x"));
  EXPECT_THAT(cluster.core(4).conf_state().learners, ElementsAre(MemberId(4)));
}

TEST(Thesis422, LeaderThatRemovedItselfCommitsWithoutItsOwnLog) {
  Led solo;
  solo.core.ApplyConfChange(Change("remove 1"));
  EXPECT_EQ(solo.core.Propose("x").result, ProposeResult::kNotMember);
  EXPECT_EQ(solo.core.role(), Role::kLeader);
}

// ---- 4.2.3 Disruptive servers ----

TEST(Thesis423, VoteIsWithheldWhileALeaderIsAlive) {
  Solo solo;
  solo.core.Step(Solo::From(2, MessageType::kHeartbeat, 1));
  solo.FlushAll();
  solo.core.Step(Solo::From(3, MessageType::kVote, 5));
  solo.core.Step(Solo::From(3, MessageType::kPreVote, 5));
  EXPECT_EQ(solo.core.term(), Term(1));
  EXPECT_THAT(solo.FlushAll(), IsEmpty()) << "not even an answer";
}

TEST(Thesis423, VoteIsFreeOnceTheLeaderIsSilent) {
  Solo solo;
  solo.core.Step(Solo::From(2, MessageType::kHeartbeat, 1));
  solo.Ticks(9);
  solo.FlushAll();
  solo.core.Step(Solo::From(3, MessageType::kPreVote, 2));
  EXPECT_THAT(solo.FlushAll(), IsEmpty());
  while (solo.core.role() == Role::kFollower) solo.core.Tick();  // its own timeout comes later
  solo.FlushAll();
  solo.core.Step(Solo::From(3, MessageType::kVote, 2));
  EXPECT_THAT(Lines(solo.FlushAll()), ElementsAre("1->3 VoteResp term 2"));
}

TEST(Thesis423, ElectionThatTheLeaderAskedForIsAnswered) {
  Solo solo;
  solo.core.Step(Solo::From(2, MessageType::kHeartbeat, 1));
  solo.FlushAll();
  Message m = Solo::From(3, MessageType::kVote, 2);
  m.context = kCampaignTransfer;
  solo.core.Step(m);
  EXPECT_THAT(Lines(solo.FlushAll()), ElementsAre("1->3 VoteResp term 2"));
}

TEST(Thesis423, MemberThatComesBackWithAHigherTermIsHeard) {
  Solo::Options options;
  options.hard_state = {Term(7), MemberId(1), Index(0)};
  Solo solo(options);
  solo.core.Step(Solo::From(2, MessageType::kHeartbeat, 3));
  const std::vector<Message> out = solo.FlushAll();
  EXPECT_THAT(Lines(out), ElementsAre("1->2 AppResp term 7 index 0")) << "2 steps down by it";
}

// ---- 6.2 Check-quorum ----

// One election timeout after the last answer, whenever that came; etcd looks every election timeout
// only, and takes up to two.
TEST(Thesis62, LeaderWithoutAMajorityStepsDown) {
  for (int heard_at = 0; heard_at < 25; ++heard_at) {
    Led solo;
    for (int i = 0; i < heard_at; ++i) {
      solo.Ticks(1);
      solo.core.Step(Solo::From(2, MessageType::kHeartbeatResp, 1));
    }
    solo.Ticks(9);
    EXPECT_EQ(solo.core.role(), Role::kLeader) << heard_at;
    solo.Ticks(1);
    EXPECT_EQ(solo.core.role(), Role::kFollower) << heard_at;
    EXPECT_EQ(solo.core.leader(), MemberId());
    EXPECT_EQ(solo.core.term(), Term(1));
  }
}

// Each majority may be another one; who answers need not be the same twice.
TEST(Thesis62, MajoritiesMayChange) {
  Solo::Options options;
  options.voters = {1, 2, 3, 4, 5};
  Led solo(options);
  for (std::uint64_t i = 0; i < 40; ++i) {
    solo.Ticks(4);
    solo.core.Step(Solo::From(2 + i % 4, MessageType::kHeartbeatResp, 1));
  }
  EXPECT_EQ(solo.core.role(), Role::kLeader);
  solo.Ticks(6);  // the last but one is ten ticks old
  EXPECT_EQ(solo.core.role(), Role::kFollower);
}

// A transfer must not give a leader that is cut off more time.
TEST(Thesis62, ATransferIsNoSignOfLife) {
  Led solo;
  for (int i = 0; i < 3; ++i) {
    solo.Ticks(3);
    solo.core.TransferLeadership(MemberId(2 + static_cast<std::uint64_t>(i) % 2));
  }
  EXPECT_EQ(solo.core.role(), Role::kLeader);
  solo.Ticks(1);
  EXPECT_EQ(solo.core.role(), Role::kFollower);
}

TEST(Thesis62, ANewVoterGetsAnElectionTimeoutToAnswer) {
  for (const bool was_learner : {true, false}) {
    Solo::Options options;
    options.voters = {1};
    if (was_learner) options.learners = {2};
    Led solo(options);
    solo.Ticks(25);
    solo.core.ApplyConfChange({1, ConfChangeType::kAddNode, MemberId(2), ""});
    solo.Ticks(9);
    EXPECT_EQ(solo.core.role(), Role::kLeader) << was_learner;
    solo.Ticks(1);
    EXPECT_EQ(solo.core.role(), Role::kFollower) << was_learner;
  }
}

TEST(Thesis62, LeaderWithAMajorityStays) {
  Led solo;
  for (int i = 0; i < 10; ++i) {
    solo.Ticks(9);
    solo.core.Step(Solo::From(2, MessageType::kHeartbeatResp, 1));
  }
  EXPECT_EQ(solo.core.role(), Role::kLeader);
}

TEST(Thesis62, LearnersAreNoQuorum) {
  Solo::Options options;
  options.voters = {1, 2};
  options.learners = {3, 4, 5};
  Led solo(options);
  solo.Ticks(9);
  for (const std::uint64_t id : {3U, 4U, 5U}) {
    solo.core.Step(Solo::From(id, MessageType::kHeartbeatResp, 1));
  }
  EXPECT_EQ(solo.core.role(), Role::kLeader);
  solo.Ticks(1);
  EXPECT_EQ(solo.core.role(), Role::kFollower);
}

// ---- 9.6 Pre-vote ----

TEST(Thesis96, PreVoteChangesNeitherTermNorVote) {
  Solo solo;
  solo.core.Campaign();
  EXPECT_EQ(solo.core.role(), Role::kPreCandidate);
  EXPECT_EQ(solo.core.term(), Term(0));
  const Ready ready = solo.core.TakeReady();
  EXPECT_FALSE(ready.hard_state.has_value());
  EXPECT_FALSE(ready.must_sync);
  EXPECT_THAT(Lines(ready.messages),
              ElementsAre("1->2 PreVote term 1 log 0/0", "1->3 PreVote term 1 log 0/0"));
}

TEST(Thesis96, GrantingAPreVoteIsNoPromise) {
  Solo solo;
  solo.core.Step(Solo::From(2, MessageType::kPreVote, 1));
  solo.core.Step(Solo::From(3, MessageType::kPreVote, 1));
  EXPECT_EQ(solo.core.term(), Term(0));
  EXPECT_THAT(Lines(solo.FlushAll()),
              ElementsAre("1->2 PreVoteResp term 1", "1->3 PreVoteResp term 1"));
}

TEST(Thesis96, MajorityOfPreVotesStartsTheElection) {
  Solo solo;
  solo.core.Campaign();
  solo.core.Step(Solo::From(2, MessageType::kPreVoteResp, 1));
  EXPECT_EQ(solo.core.role(), Role::kCandidate);
  EXPECT_EQ(solo.core.term(), Term(1));
}

TEST(Thesis96, LostPreVoteLeavesTheTermAlone) {
  Solo::Options options;
  options.hard_state = {Term(3), MemberId(), Index(0)};
  Solo solo(options);
  solo.core.Campaign();
  for (const std::uint64_t id : {2U, 3U}) {
    Message m = Solo::From(id, MessageType::kPreVoteResp, 3);
    m.reject = true;
    solo.core.Step(m);
  }
  EXPECT_EQ(solo.core.role(), Role::kFollower);
  EXPECT_EQ(solo.core.term(), Term(3));
}

TEST(Thesis96, PreVoteOfALowerTermIsRefusedWithOurTerm) {
  Solo::Options options;
  options.hard_state = {Term(5), MemberId(), Index(0)};
  Solo solo(options);
  solo.core.Step(Solo::From(2, MessageType::kPreVote, 3));
  EXPECT_THAT(Lines(solo.FlushAll()), ElementsAre("1->2 PreVoteResp term 5 reject"));
}

TEST(Thesis96, IsolatedMemberDoesNotRaiseItsTerm) {
  Cluster cluster({});
  cluster.Elect(1);
  cluster.Isolate(3);
  cluster.Tick(100);
  EXPECT_EQ(cluster.core(3).term(), cluster.core(1).term());
  cluster.Heal();
  cluster.Tick(5);
  EXPECT_EQ(cluster.leader(), 1U);
  EXPECT_EQ(cluster.core(3).leader(), MemberId(1));
}

// ---- 10.2.1 Flow control ----

TEST(Thesis1021, ProposalsOfOneTurnTravelInOneMessage) {
  Led solo;
  for (int i = 0; i < 10; ++i) solo.core.Propose("x");
  const Ready ready = solo.core.TakeReady();
  ASSERT_THAT(ready.messages, SizeIs(2));
  EXPECT_THAT(ready.messages[0].entries, SizeIs(10));
}

TEST(Thesis1021, MessagesAreBoundedInBytes) {
  Solo::Options options;
  options.config.message_bytes_max = 250;
  Led solo(options);
  for (int i = 0; i < 5; ++i) solo.core.Propose(std::string(100, 'x'));
  const Ready ready = solo.core.TakeReady();
  ASSERT_THAT(ready.messages, SizeIs(6));
  EXPECT_THAT(ready.messages[0].entries, SizeIs(2));
  EXPECT_THAT(ready.messages[2].entries, SizeIs(1));
}

TEST(Thesis1021, WindowBoundsWhatIsUnderWay) {
  Solo::Options options;
  options.config.inflight_messages_max = 2;
  Led solo(options);
  for (int i = 0; i < 5; ++i) {
    solo.core.Propose("x");
    solo.FlushAll();
  }
  EXPECT_EQ(solo.core.status().progress[MemberId(2)].next, Index(4));
  EXPECT_TRUE(solo.core.status().progress[MemberId(2)].paused);
  solo.core.Step(Solo::Acknowledge(2, 1, Index(2)));
  EXPECT_THAT(Lines(solo.FlushAll()), testing::Contains(HasSubstr("1->2 App term 1 log 1/3")));
}

TEST(Thesis1021, WindowIsBoundedInBytesToo) {
  Solo::Options options;
  options.config.inflight_bytes_max = 150;
  Led solo(options);
  for (int i = 0; i < 5; ++i) {
    solo.core.Propose(std::string(100, 'x'));
    solo.FlushAll();
  }
  EXPECT_EQ(solo.core.status().progress[MemberId(2)].next, Index(4));
}

TEST(Thesis1021, HeartbeatAnswerMovesAFullWindowWhoseAnswersWereLost) {
  Solo::Options options;
  options.config.inflight_messages_max = 1;
  Led solo(options);
  solo.core.Propose("x");
  solo.FlushAll();
  solo.core.Propose("y");
  EXPECT_THAT(solo.FlushAll(), IsEmpty());
  solo.core.Step(Solo::From(2, MessageType::kHeartbeatResp, 1));
  EXPECT_THAT(Lines(solo.FlushAll()), ElementsAre("1->2 App term 1 log 1/2 commit 1"));
}

TEST(Thesis1021, UnreachableMemberIsProbed) {
  Led solo;
  solo.core.Propose("x");
  solo.FlushAll();
  solo.core.ReportUnreachable(MemberId(2));
  EXPECT_EQ(solo.core.status().progress[MemberId(2)].state, ProgressState::kProbe);
  EXPECT_EQ(solo.core.status().progress[MemberId(2)].next, Index(2));
}

TEST(Thesis1021, ProposalsBeyondTheUncommittedLimitAreRefused) {
  Solo::Options options;
  options.config.uncommitted_bytes_max = 150;
  Led solo(options);
  EXPECT_EQ(solo.core.Propose(std::string(1000, 'x')).result, ProposeResult::kAppended);
  EXPECT_EQ(solo.core.Propose("y").result, ProposeResult::kUncommittedFull);
  solo.FlushAll();
  solo.core.Step(Solo::Acknowledge(2, 1, Index(2)));
  EXPECT_EQ(solo.core.Propose("y").result, ProposeResult::kAppended);
}

}  // namespace
}  // namespace etcd::raft
