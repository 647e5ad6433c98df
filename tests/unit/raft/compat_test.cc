#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/raft/describe.h"
#include "tests/unit/raft/solo.h"

// What members of other versions, strangers and the network may send, and what etcd does with it.
namespace etcd::raft {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(RaftCompat, AnswersOfStrangersAreIgnored) {
  Solo solo;
  solo.Lead();
  solo.FlushAll();
  solo.core.Step(Solo::Acknowledge(9, 1, Index(1)));
  solo.core.Step(Solo::Acknowledge(9, 77, Index(1)));
  EXPECT_EQ(solo.core.committed(), Index(0));
  EXPECT_EQ(solo.core.term(), Term(1)) << "a removed member must not depose a leader";
}

TEST(RaftCompat, MessagesThatNeedATermButHaveNoneAreIgnored) {
  Solo solo;
  solo.core.Step(Solo::Append(2, 0, Index(0), Term(0), {Solo::MakeEntry(1, 1)}, Index(1)));
  solo.core.Step(Solo::From(2, MessageType::kHeartbeat, 0));
  EXPECT_EQ(solo.core.last_index(), Index(0));
  EXPECT_EQ(solo.core.leader(), MemberId());
}

TEST(RaftCompat, NobodyGetsNoVote) {
  Solo solo;
  solo.core.Step(Solo::From(0, MessageType::kVote, 1));
  EXPECT_THAT(solo.FlushAll(), IsEmpty());
}

TEST(RaftCompat, OrderOfIdsInAConfigurationDoesNotMatter) {
  Solo::Options options;
  options.voters = {3, 1, 2};
  Solo solo(options);
  EXPECT_THAT(solo.core.conf_state().voters, ElementsAre(MemberId(1), MemberId(2), MemberId(3)));
}

TEST(RaftCompat, LocalReportsFromTheNetworkAreIgnored) {
  Solo solo;
  solo.Lead();
  solo.FlushAll();
  solo.core.Step(Solo::Acknowledge(2, 1, Index(1)));
  solo.FlushAll();
  solo.core.Step(Solo::From(2, MessageType::kUnreachable, 1));
  EXPECT_EQ(solo.core.status().progress[MemberId(2)].state, ProgressState::kReplicate);
}

// Go 3.4/3.5 answer an append after an unknown entry with term 0 by an acknowledgement.
TEST(RaftCompat, AcknowledgementOfEntriesNobodySentIsNotBelieved) {
  Solo solo;
  solo.Lead();
  solo.FlushAll();
  solo.core.Step(Solo::Acknowledge(2, 1, Index(50)));
  EXPECT_EQ(solo.core.committed(), Index(0));
  EXPECT_EQ(solo.core.status().progress[MemberId(2)].match, Index(0));
}

TEST(RaftCompat, AppendAfterAnUnknownEntryIsRefusedEvenWithTermZero) {
  Solo solo;
  solo.core.Step(Solo::Append(2, 1, Index(5), Term(0), {}, Index(0)));
  EXPECT_THAT(Lines(solo.FlushAll()), ElementsAre("1->2 AppResp term 1 index 5 reject hint 0/0"));
}

TEST(RaftCompat, AppendBelowTheCommitIndexIsAnsweredWithIt) {
  Solo::Options options;
  options.terms = {1, 1, 1};
  options.hard_state = {Term(1), MemberId(), Index(3)};
  Solo solo(options);
  solo.core.Step(Solo::Append(2, 1, Index(1), Term(1), {Solo::MakeEntry(1, 2)}, Index(3)));
  EXPECT_THAT(Lines(solo.FlushAll()), ElementsAre("1->2 AppResp term 1 index 3"));
}

TEST(RaftCompat, EntriesWithAGapAreIgnored) {
  Solo solo;
  solo.core.Step(Solo::Append(2, 1, Index(0), Term(0),
                              {Solo::MakeEntry(1, 1), Solo::MakeEntry(1, 3)}, Index(0)));
  EXPECT_EQ(solo.core.last_index(), Index(0));
  EXPECT_THAT(solo.FlushAll(), IsEmpty());
}

// Go 3.4 sends no term with its hint.
TEST(RaftCompat, HintWithoutTermIsTheFollowersLastIndex) {
  Solo::Options options;
  options.terms = {1, 1, 1, 1, 1, 1};
  options.hard_state = {Term(1), MemberId(), Index(0)};
  Solo solo(options);
  solo.Lead();
  solo.FlushAll();
  Message m = Solo::Acknowledge(2, 2, Index(6));
  m.reject = true;
  m.reject_hint = Index(3);
  solo.core.Step(m);
  const std::vector<Message> out = solo.FlushAll();
  ASSERT_THAT(out, SizeIs(1));
  EXPECT_EQ(out[0].index, Index(3));
  EXPECT_EQ(out[0].log_term, Term(1));
  EXPECT_THAT(out[0].entries, SizeIs(4));
}

// Applying one stops every version of etcd.
TEST(RaftCompat, ConfChangeV2NeverEntersTheLog) {
  Solo solo;
  solo.Lead();
  solo.FlushAll();
  Message m = Solo::From(2, MessageType::kProp, 0);
  m.entries = {{{}, {}, EntryType::kConfChangeV2, "x"}};
  solo.core.Step(m);
  EXPECT_EQ(solo.core.last_index(), Index(1));
}

TEST(RaftCompat, ForwardedProposalKeepsItsSender) {
  Solo solo;
  solo.core.Step(Solo::From(2, MessageType::kHeartbeat, 1));
  solo.FlushAll();
  Message m = Solo::From(3, MessageType::kProp, 0);
  m.entries = {Solo::MakeEntry(0, 0, "x")};
  solo.core.Step(m);
  EXPECT_THAT(Lines(solo.FlushAll()), ElementsAre("3->2 Prop [0/0 \"x\"]"));
}

TEST(RaftCompat, TransferRequestOfAnOperatorReachesTheLeader) {
  Solo solo;
  solo.core.Step(Solo::From(2, MessageType::kHeartbeat, 1));
  solo.FlushAll();
  solo.core.Step(Solo::From(3, MessageType::kTransferLeader, 0));
  const std::vector<Message> out = solo.FlushAll();
  ASSERT_THAT(out, SizeIs(1));
  EXPECT_EQ(out[0].to, MemberId(2));
  EXPECT_EQ(out[0].from, MemberId(3)) << "the transferee";
}

// ---- Snapshots ----

Message SnapshotOf(Index index, std::vector<MemberId> voters) {
  Message m = Solo::From(2, MessageType::kSnap, 2);
  m.snapshot.metadata.index = index;
  m.snapshot.metadata.term = Term(2);
  m.snapshot.metadata.conf_state.voters = std::move(voters);
  return m;
}

TEST(RaftCompat, SnapshotThatDoesNotListThisMemberIsIgnored) {
  Solo solo;
  solo.core.Step(SnapshotOf(Index(10), {MemberId(2), MemberId(3)}));
  EXPECT_TRUE(solo.core.TakeReady().snapshot.empty());
  EXPECT_EQ(solo.core.last_index(), Index(0));
}

TEST(RaftCompat, SnapshotOfEntriesThatAreHereOnlyCommitsThem) {
  Solo::Options options;
  options.terms = {1, 2, 2};
  options.hard_state = {Term(2), MemberId(), Index(0)};
  Solo solo(options);
  solo.core.Step(SnapshotOf(Index(2), {MemberId(1), MemberId(2)}));
  EXPECT_TRUE(solo.core.TakeReady().snapshot.empty());
  EXPECT_EQ(solo.core.committed(), Index(2));
  EXPECT_EQ(solo.core.last_index(), Index(3));
}

TEST(RaftCompat, MemberThatInstallsASnapshotDoesNotCampaign) {
  Solo solo;
  solo.core.Step(SnapshotOf(Index(10), {MemberId(1), MemberId(2), MemberId(3)}));
  solo.core.OnPersisted(solo.core.TakeReady().number);
  solo.Ticks(50);
  solo.core.Campaign();
  EXPECT_EQ(solo.core.role(), Role::kFollower);
  solo.core.OnApplied(Index(10));
  solo.core.Campaign();
  EXPECT_EQ(solo.core.role(), Role::kPreCandidate);
}

// "add 4" waits in the apply queue while a snapshot arrives that knows 4 was removed again.
TEST(RaftCompat, ChangesFromBeforeASnapshotDoNotTouchItsConfiguration) {
  Solo solo;
  solo.core.Step(SnapshotOf(Index(10), {MemberId(1), MemberId(2), MemberId(3)}));
  solo.core.OnPersisted(solo.core.TakeReady().number);
  ConfChange change;
  change.node_id = MemberId(4);
  EXPECT_THAT(solo.core.ApplyConfChange(change).voters, SizeIs(3));
  solo.core.OnApplied(Index(10));
  EXPECT_THAT(solo.core.ApplyConfChange(change).voters, SizeIs(4));
}

// A log of two committed entries, and what a member answers that has not even the first.
Solo::Options TwoEntries() {
  Solo::Options options;
  options.terms = {1, 1};
  options.hard_state = {Term(1), MemberId(), Index(2)};
  return options;
}
Message RefusalOf2() {
  Message refusal = Solo::Acknowledge(2, 2, Index(2));
  refusal.reject = true;
  return refusal;
}

TEST(RaftCompat, SilentMemberIsSentNoSnapshot) {
  Solo solo(TwoEntries());
  solo.core.CompactLog(Index(2));
  solo.Lead();
  for (const Message& m : solo.FlushAll()) EXPECT_EQ(m.type, MessageType::kApp);
  solo.core.Step(RefusalOf2());
  const std::vector<Message> out = solo.FlushAll();
  ASSERT_THAT(out, SizeIs(1));
  EXPECT_EQ(out[0].type, MessageType::kSnap);
  EXPECT_EQ(out[0].to, MemberId(2)) << "3 has not answered at all";
  solo.core.ReportUnreachable(MemberId(3));
  EXPECT_FALSE(solo.core.HasReady());
}

TEST(RaftCompat, DeliveredSnapshotWaitsForItsAcknowledgement) {
  Solo solo(TwoEntries());
  solo.core.CompactLog(Index(2));
  solo.Lead();
  solo.FlushAll();
  solo.core.Step(RefusalOf2());
  solo.FlushAll();
  EXPECT_EQ(solo.core.status().progress[MemberId(2)].pending_snapshot, Index(2));
  solo.core.ReportSnapshot(MemberId(2), /*ok=*/true);
  EXPECT_EQ(solo.core.status().progress[MemberId(2)].next, Index(3));
  EXPECT_THAT(solo.FlushAll(), IsEmpty());
  solo.core.Step(Solo::Acknowledge(2, 2, Index(2)));
  EXPECT_THAT(Lines(solo.FlushAll()), ElementsAre("1->2 App term 2 log 1/2 commit 2 [2/3]"));
}

}  // namespace
}  // namespace etcd::raft
