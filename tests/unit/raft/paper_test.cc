#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/raft/cluster.h"
#include "tests/unit/raft/describe.h"
#include "tests/unit/raft/solo.h"

// One test per claim of "In Search of an Understandable Consensus Algorithm" (extended version),
// named by its section.
namespace etcd::raft {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Config Plain() {  // the paper has neither pre-vote nor check-quorum
  Config config;
  config.pre_vote = false;
  config.check_quorum = false;
  return config;
}

Solo::Options PlainOptions() {
  Solo::Options options;
  options.config = Plain();
  return options;
}

// ---- 5.1 Terms ----

TEST(Paper51, HigherTermTurnsALeaderIntoAFollower) {
  Solo solo(PlainOptions());
  solo.Lead();
  ASSERT_EQ(solo.core.role(), Role::kLeader);
  solo.core.Step(Solo::From(2, MessageType::kHeartbeat, 5));
  EXPECT_EQ(solo.core.role(), Role::kFollower);
  EXPECT_EQ(solo.core.term(), Term(5));
  EXPECT_EQ(solo.core.leader(), MemberId(2));
}

TEST(Paper51, HigherTermTurnsACandidateIntoAFollower) {
  Solo solo(PlainOptions());
  solo.core.Campaign();
  ASSERT_EQ(solo.core.role(), Role::kCandidate);
  solo.core.Step(Solo::From(2, MessageType::kApp, 2));
  EXPECT_EQ(solo.core.role(), Role::kFollower);
  EXPECT_EQ(solo.core.term(), Term(2));
}

TEST(Paper51, RequestsOfAnOldTermChangeNothing) {
  Solo::Options options = PlainOptions();
  options.terms = {1, 3};
  options.hard_state = {Term(3), MemberId(), Index(0)};
  Solo solo(options);
  solo.core.Step(Solo::Append(2, 2, Index(0), Term(0), {Solo::MakeEntry(2, 1)}, Index(1)));
  solo.core.Step(Solo::From(2, MessageType::kVote, 2));
  EXPECT_THAT(solo.Terms(), ElementsAre(1, 3));
  EXPECT_EQ(solo.core.committed(), Index(0));
  EXPECT_THAT(solo.FlushAll(), IsEmpty());
}

// ---- 5.2 Leader election ----

TEST(Paper52, MembersStartAsFollowers) {
  Solo solo(PlainOptions());
  EXPECT_EQ(solo.core.role(), Role::kFollower);
  EXPECT_EQ(solo.core.leader(), MemberId());
}

TEST(Paper52, FollowerStaysOneWhileItHearsTheLeader) {
  Solo solo(PlainOptions());
  for (int i = 0; i < 100; ++i) {
    solo.Ticks(9);
    solo.core.Step(Solo::From(2, MessageType::kHeartbeat, 1));
  }
  EXPECT_EQ(solo.core.role(), Role::kFollower);
}

TEST(Paper52, TimeoutStartsAnElectionInANewTermWithOwnVote) {
  Solo::Options options = PlainOptions();
  options.terms = {1, 1};
  options.hard_state = {Term(1), MemberId(2), Index(0)};
  Solo solo(options);
  solo.Ticks(20);
  EXPECT_EQ(solo.core.role(), Role::kCandidate);
  const Ready ready = solo.core.TakeReady();
  EXPECT_EQ(*ready.hard_state, (HardState{Term(2), MemberId(1), Index(0)}));
  EXPECT_TRUE(ready.must_sync);
  EXPECT_THAT(ready.messages, IsEmpty()) << "own term and vote must be on disk first";
  EXPECT_THAT(Lines(ready.messages_after_persist),
              ElementsAre("1->2 Vote term 2 log 1/2", "1->3 Vote term 2 log 1/2"));
}

TEST(Paper52, MajorityOfVotesMakesALeader) {
  struct Row {
    std::vector<std::uint64_t> voters;
    int granted;  // by others
    int refused;
    Role role;
  };
  const std::vector<Row> rows = {
      {{1}, 0, 0, Role::kLeader},
      {{1, 2, 3}, 0, 0, Role::kCandidate},
      {{1, 2, 3}, 1, 0, Role::kLeader},
      {{1, 2, 3}, 0, 1, Role::kCandidate},
      {{1, 2, 3}, 0, 2, Role::kFollower},
      {{1, 2, 3, 4}, 1, 0, Role::kCandidate},
      {{1, 2, 3, 4}, 2, 0, Role::kLeader},
      {{1, 2, 3, 4}, 1, 2, Role::kFollower},
      {{1, 2, 3, 4, 5}, 2, 2, Role::kLeader},
  };
  for (const Row& row : rows) {
    Solo::Options options = PlainOptions();
    options.voters = row.voters;
    Solo solo(options);
    solo.core.Campaign();
    for (int i = 0; i < row.granted + row.refused; ++i) {
      Message m = Solo::From(static_cast<std::uint64_t>(i) + 2, MessageType::kVoteResp, 1);
      m.reject = i >= row.granted;
      solo.core.Step(m);
    }
    EXPECT_EQ(solo.core.role(), row.role)
        << row.voters.size() << " voters, " << row.granted << " granted, " << row.refused;
  }
}

TEST(Paper52, VotesOfOneMemberCountOnce) {
  Solo::Options options = PlainOptions();
  options.voters = {1, 2, 3, 4, 5};
  Solo solo(options);
  solo.core.Campaign();
  solo.core.Step(Solo::From(2, MessageType::kVoteResp, 1));
  solo.core.Step(Solo::From(2, MessageType::kVoteResp, 1));
  EXPECT_EQ(solo.core.role(), Role::kCandidate);
}

TEST(Paper52, OneVoteATermFirstComeFirstServed) {
  Solo solo(PlainOptions());
  solo.core.Step(Solo::From(2, MessageType::kVote, 1));
  solo.core.Step(Solo::From(3, MessageType::kVote, 1));
  solo.core.Step(Solo::From(2, MessageType::kVote, 1));  // its answer may have got lost
  EXPECT_THAT(
      Lines(solo.FlushAll()),
      ElementsAre("1->2 VoteResp term 1", "1->3 VoteResp term 1 reject", "1->2 VoteResp term 1"));
}

TEST(Paper52, VoteIsRememberedOverARestart) {
  Solo::Options options = PlainOptions();
  options.hard_state = {Term(1), MemberId(2), Index(0)};
  Solo solo(options);
  solo.core.Step(Solo::From(3, MessageType::kVote, 1));
  EXPECT_THAT(Lines(solo.FlushAll()), ElementsAre("1->3 VoteResp term 1 reject"));
}

TEST(Paper52, VoteIsOnDiskBeforeItIsTold) {
  Solo solo(PlainOptions());
  solo.core.Step(Solo::From(2, MessageType::kVote, 1));
  const Ready ready = solo.core.TakeReady();
  EXPECT_THAT(ready.messages, IsEmpty());
  EXPECT_THAT(ready.messages_after_persist, SizeIs(1));
  EXPECT_EQ(ready.hard_state->vote, MemberId(2));
  EXPECT_TRUE(ready.must_sync);
}

TEST(Paper52, CandidateFollowsTheLeaderOfItsTerm) {
  Solo solo(PlainOptions());
  solo.core.Campaign();
  solo.core.Step(Solo::From(2, MessageType::kHeartbeat, 1));
  EXPECT_EQ(solo.core.role(), Role::kFollower);
  EXPECT_EQ(solo.core.leader(), MemberId(2));
  EXPECT_EQ(solo.core.term(), Term(1));
}

TEST(Paper52, SplitVoteStartsAnotherElection) {
  Solo solo(PlainOptions());
  solo.core.Campaign();
  solo.Ticks(20);
  EXPECT_EQ(solo.core.role(), Role::kCandidate);
  EXPECT_EQ(solo.core.term(), Term(2));
}

TEST(Paper52, TimeoutIsDrawnFromTheWholeInterval) {
  std::set<int> seen;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Solo::Options options = PlainOptions();
    options.seed = seed;
    Solo solo(options);
    int ticks = 0;
    for (; solo.core.role() == Role::kFollower; ++ticks) solo.core.Tick();
    seen.insert(ticks);
  }
  EXPECT_EQ(seen.size(), 10U);
  EXPECT_EQ(*seen.begin(), 10);
  EXPECT_EQ(*seen.rbegin(), 19);
}

TEST(Paper52, LeaderSendsHeartbeats) {
  Solo solo(PlainOptions());
  solo.Lead();
  solo.FlushAll();
  solo.core.Tick();
  EXPECT_THAT(Lines(solo.FlushAll()),
              ElementsAre("1->2 Heartbeat term 1 commit 0", "1->3 Heartbeat term 1 commit 0"));
}

// ---- 5.3 Log replication ----

TEST(Paper53, LeaderAppendsAndSendsToAll) {
  Solo solo(PlainOptions());
  solo.Lead();
  EXPECT_THAT(Lines(solo.FlushAll()), ElementsAre("1->2 App term 1 log 0/0 commit 0 [1/1]",
                                                  "1->3 App term 1 log 0/0 commit 0 [1/1]"));
  solo.core.Step(Solo::Acknowledge(2, 1, Index(1)));
  solo.FlushAll();
  solo.core.Propose("x");
  const Ready ready = solo.core.TakeReady();
  EXPECT_THAT(ready.entries, SizeIs(1));
  EXPECT_THAT(Lines(ready.messages), ElementsAre("1->2 App term 1 log 1/1 commit 1 [1/2 \"x\"]"))
      << "sent while its own write is under way; 3 did not answer its probe";
}

TEST(Paper53, EntryCommitsWhenAMajorityHasIt) {
  for (const std::uint64_t voters : {3U, 5U}) {
    Solo::Options options = PlainOptions();
    options.voters.clear();
    for (std::uint64_t id = 1; id <= voters; ++id) options.voters.push_back(id);
    Solo solo(options);
    solo.Lead();
    solo.FlushAll();
    for (std::uint64_t id = 2; id <= voters; ++id) {
      const bool committed = id - 1 > voters / 2;
      EXPECT_EQ(solo.core.committed(), Index(committed ? 1 : 0)) << id << " of " << voters;
      solo.core.Step(Solo::Acknowledge(id, 1, Index(1)));
    }
    EXPECT_EQ(solo.core.committed(), Index(1));
  }
}

// Its own log counts only when it is durable, like any other's (etcd issue 14370).
TEST(Paper53, LeaderCountsItselfOnlyWhenPersisted) {
  Solo solo(PlainOptions());
  solo.Lead();
  const Ready ready = solo.core.TakeReady();
  solo.core.Step(Solo::Acknowledge(2, 1, Index(1)));
  EXPECT_EQ(solo.core.committed(), Index(0));
  solo.core.OnPersisted(ready.number);
  EXPECT_EQ(solo.core.committed(), Index(1));
}

TEST(Paper53, MajorityOfOthersCommitsBeforeTheLeadersOwnDisk) {
  Solo solo(PlainOptions());
  solo.Lead();
  const Ready ready = solo.core.TakeReady();
  solo.core.Step(Solo::Acknowledge(2, 1, Index(1)));
  solo.core.Step(Solo::Acknowledge(3, 1, Index(1)));
  EXPECT_EQ(solo.core.committed(), Index(1));
  EXPECT_THAT(solo.core.TakeReady().committed, IsEmpty()) << "not applied before it is on disk";
  solo.core.OnPersisted(ready.number);
  EXPECT_THAT(solo.core.TakeReady().committed, SizeIs(1));
}

TEST(Paper53, FollowersLearnTheCommitIndex) {
  Cluster cluster({.config = Plain()});
  cluster.Elect(1);
  cluster.core(1).Propose("x");
  cluster.Settle();
  for (const std::uint64_t id : {1U, 2U, 3U}) {
    EXPECT_THAT(cluster[id].machine().data, ElementsAre("x"));
  }
  EXPECT_THAT(cluster.invariants().violations(), IsEmpty());
}

TEST(Paper53, CommitNeverExceedsTheEntriesOfTheMessage) {
  Solo::Options options = PlainOptions();
  options.terms = {1, 1, 1};
  options.hard_state = {Term(1), MemberId(), Index(0)};
  Solo solo(options);
  // Entries 2 and 3 may be leftovers of another leader.
  solo.core.Step(Solo::Append(2, 2, Index(1), Term(1), {}, Index(3)));
  EXPECT_EQ(solo.core.committed(), Index(1));
}

TEST(Paper53, FollowerRefusesWhatDoesNotFit) {
  Solo::Options options = PlainOptions();
  options.terms = {1, 2};
  options.hard_state = {Term(2), MemberId(), Index(0)};
  Solo solo(options);
  solo.core.Step(Solo::Append(2, 2, Index(3), Term(2), {}, Index(0)));
  solo.core.Step(Solo::Append(2, 2, Index(2), Term(1), {}, Index(0)));
  solo.core.Step(Solo::Append(2, 2, Index(2), Term(2), {}, Index(0)));
  EXPECT_THAT(Lines(solo.FlushAll()), ElementsAre("1->2 AppResp term 2 index 3 reject hint 2/2",
                                                  "1->2 AppResp term 2 index 2 reject hint 1/1",
                                                  "1->2 AppResp term 2 index 2"));
}

TEST(Paper53, FollowerReplacesAConflictingSuffixOnly) {
  struct Row {
    std::uint64_t prev_index, prev_term;
    std::vector<Entry> entries;
    std::vector<std::uint64_t> terms;
    std::size_t written;
  };
  const std::vector<Row> rows = {
      {2, 2, {Solo::MakeEntry(3, 3)}, {1, 2, 3}, 1},
      {1, 1, {Solo::MakeEntry(3, 2), Solo::MakeEntry(3, 3)}, {1, 3, 3}, 2},
      {0, 0, {Solo::MakeEntry(1, 1)}, {1, 2}, 0},  // an old message cuts nothing
      {0, 0, {Solo::MakeEntry(3, 1)}, {3}, 1},
  };
  for (const Row& row : rows) {
    Solo::Options options = PlainOptions();
    options.terms = {1, 2};
    options.hard_state = {Term(2), MemberId(), Index(0)};
    Solo solo(options);
    solo.core.Step(
        Solo::Append(2, 3, Index(row.prev_index), Term(row.prev_term), row.entries, Index(0)));
    EXPECT_EQ(solo.Terms(), row.terms);
    EXPECT_THAT(solo.core.TakeReady().entries, SizeIs(row.written));
  }
}

TEST(Paper53, RepeatedAppendIsHarmless) {
  Solo solo(PlainOptions());
  const Message m = Solo::Append(2, 1, Index(0), Term(0), {Solo::MakeEntry(1, 1, "x")}, Index(1));
  solo.core.Step(m);
  solo.core.Step(m);
  const Ready ready = solo.core.TakeReady();
  EXPECT_THAT(ready.entries, SizeIs(1));
  EXPECT_THAT(Lines(ready.messages_after_persist), ElementsAre("1->2 AppResp term 1 index 1"));
}

// Figure 7: a leader brings any follower's log to its own.
TEST(Paper53, FollowersOfFigure7AreRepaired) {
  const std::vector<std::uint64_t> leader_terms = {1, 1, 1, 4, 4, 5, 5, 6, 6, 6};
  const std::vector<std::vector<std::uint64_t>> followers = {
      {1, 1, 1, 4, 4, 5, 5, 6, 6},
      {1, 1, 1, 4},
      {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6},
      {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7},
      {1, 1, 1, 4, 4, 4, 4},
      {1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3},
  };
  for (const auto& terms : followers) {
    Solo::Options options = PlainOptions();
    options.terms = leader_terms;
    options.hard_state = {Term(8), MemberId(), Index(0)};
    Solo leader(options);
    leader.Lead();
    options.terms = terms;
    options.hard_state = {Term(7), MemberId(), Index(0)};
    Solo follower(options);
    for (int round = 0; round < 20; ++round) {
      for (Message m : leader.FlushAll()) {
        if (m.to == MemberId(2)) follower.core.Step(std::move(m));
      }
      for (Message m : follower.FlushAll()) {
        m.from = MemberId(2);
        leader.core.Step(std::move(m));
      }
    }
    EXPECT_EQ(follower.Terms(), leader.Terms());
    EXPECT_EQ(follower.core.committed(), leader.core.last_index());
  }
}

// The hint skips a whole term a round trip instead of one entry.
TEST(Paper53, RepairTakesOneRoundTripPerConflictingTerm) {
  Solo::Options options = PlainOptions();
  options.terms = std::vector<std::uint64_t>(1000, 1);
  options.hard_state = {Term(2), MemberId(), Index(0)};
  Solo leader(options);
  leader.Lead();
  options.terms.resize(500);
  options.terms.resize(900, 2);
  Solo follower(options);
  int appends = 0;
  for (int round = 0; round < 10; ++round) {
    for (Message m : leader.FlushAll()) {
      if (m.to != MemberId(2)) continue;
      ++appends;
      follower.core.Step(std::move(m));
    }
    for (Message m : follower.FlushAll()) {
      m.from = MemberId(2);
      leader.core.Step(std::move(m));
    }
  }
  EXPECT_EQ(follower.Terms(), leader.Terms());
  EXPECT_LE(appends, 4);
}

// ---- 5.4 Safety ----

TEST(Paper541, VoterRefusesALogOlderThanItsOwn) {
  struct Row {
    std::uint64_t term, index;
    bool granted;
  };
  const std::vector<Row> rows = {{1, 9, false}, {2, 1, false}, {2, 2, true},
                                 {2, 3, true},  {3, 1, true},  {0, 0, false}};
  for (const Row& row : rows) {
    Solo::Options options = PlainOptions();
    options.terms = {1, 2};
    options.hard_state = {Term(3), MemberId(), Index(0)};
    Solo solo(options);
    Message m = Solo::From(2, MessageType::kVote, 4);
    m.log_term = Term(row.term);
    m.index = Index(row.index);
    solo.core.Step(m);
    const std::vector<Message> out = solo.FlushAll();
    ASSERT_THAT(out, SizeIs(1));
    EXPECT_EQ(out[0].reject, !row.granted) << row.term << '/' << row.index;
  }
}

// Figure 8: entries of earlier terms are not committed by counting replicas.
TEST(Paper542, OnlyEntriesOfTheCurrentTermCommitByCounting) {
  Solo::Options options = PlainOptions();
  options.terms = {1, 2};
  options.hard_state = {Term(3), MemberId(), Index(1)};
  Solo solo(options);
  solo.Lead();
  solo.FlushAll();
  ASSERT_EQ(solo.core.term(), Term(4));
  solo.core.Step(Solo::Acknowledge(2, 4, Index(2)));
  EXPECT_EQ(solo.core.committed(), Index(1));
  solo.core.Step(Solo::Acknowledge(2, 4, Index(3)));
  EXPECT_EQ(solo.core.committed(), Index(3));
}

TEST(Paper542, LeaderStartsItsTermWithAnEmptyEntry) {
  Solo solo(PlainOptions());
  solo.Lead();
  EXPECT_THAT(solo.Terms(), ElementsAre(1));
  EXPECT_TRUE(solo.core.entry_at(Index(1)).data.empty());
}

// ---- 7 Log compaction ----

TEST(Paper7, FollowerFarBehindGetsASnapshot) {
  Cluster cluster({.config = Plain()});
  cluster.Elect(1);
  cluster.Isolate(3);
  for (int i = 0; i < 20; ++i) cluster.core(1).Propose("x");
  cluster.Settle();
  cluster[1].TakeSnapshot(0);
  cluster.Heal();
  cluster.Tick(3);
  EXPECT_EQ(cluster[3].machine().applied, cluster[1].machine().applied);
  EXPECT_EQ(cluster[3].disk().snapshot.metadata.index, cluster[1].machine().applied);
  cluster.core(1).Propose("y");
  cluster.Settle();
  EXPECT_THAT(cluster[3].machine().data, ElementsAre("y"));
  EXPECT_THAT(cluster.invariants().violations(), IsEmpty());
}

TEST(Paper7, SnapshotIsAcknowledgedOnlyWhenPersisted) {
  Solo solo(PlainOptions());
  Message m = Solo::From(2, MessageType::kSnap, 2);
  m.snapshot.metadata = {solo.core.conf_state(), Index(10), Term(2)};
  solo.core.Step(m);
  const Ready ready = solo.core.TakeReady();
  EXPECT_EQ(ready.snapshot.metadata.index, Index(10));
  EXPECT_TRUE(ready.must_sync);
  EXPECT_THAT(ready.messages, IsEmpty());
  EXPECT_THAT(Lines(ready.messages_after_persist), ElementsAre("1->2 AppResp term 2 index 10"));
}

TEST(Paper7, OldSnapshotIsIgnored) {
  Solo::Options options = PlainOptions();
  options.terms = {1, 1, 1};
  options.hard_state = {Term(1), MemberId(), Index(2)};
  Solo solo(options);
  Message m = Solo::From(2, MessageType::kSnap, 1);
  m.snapshot.metadata = {solo.core.conf_state(), Index(2), Term(1)};
  solo.core.Step(m);
  const Ready ready = solo.core.TakeReady();
  EXPECT_TRUE(ready.snapshot.empty());
  EXPECT_THAT(Lines(ready.messages_after_persist), ElementsAre("1->2 AppResp term 1 index 2"));
  EXPECT_THAT(solo.Terms(), ElementsAre(1, 1, 1));
}

}  // namespace
}  // namespace etcd::raft
