#include <gtest/gtest.h>

#include "server/raft/core.h"

// A one-member cluster: the same durability rules as any other, with nobody to wait for.
namespace etcd::raft {
namespace {

class SingleVoter : public testing::Test {
 protected:
  static Config MakeConfig() {
    Config config;
    config.id = MemberId(1);
    return config;
  }
  static InitialState Fresh() {
    InitialState initial;
    initial.conf_state.voters = {MemberId(1)};
    return initial;
  }

  // Takes Readys and reports them written and applied until nothing is left.
  std::vector<Entry> Drain() {
    std::vector<Entry> applied;
    while (core_.HasReady()) {
      Ready ready = core_.TakeReady();
      core_.OnPersisted(ready.number);
      for (Entry& entry : ready.committed) {
        core_.OnApplied(entry.index);
        applied.push_back(std::move(entry));
      }
    }
    return applied;
  }

  base::SeededRandom random_{1};
  Core core_{MakeConfig(), Fresh(), random_};
};

TEST_F(SingleVoter, CampaignMakesALeaderAtOnce) {
  EXPECT_FALSE(core_.HasReady());
  core_.Campaign();
  EXPECT_EQ(core_.role(), Role::kLeader);
  EXPECT_EQ(core_.leader(), MemberId(1));
  EXPECT_EQ(core_.term(), Term(1));
}

TEST_F(SingleVoter, ElectionTimeoutMakesALeader) {
  for (int i = 0; i < 20; ++i) core_.Tick();
  EXPECT_EQ(core_.role(), Role::kLeader);
}

TEST_F(SingleVoter, FirstReadyCarriesTermVoteAndTheEmptyEntry) {
  core_.Campaign();
  const Ready ready = core_.TakeReady();
  ASSERT_TRUE(ready.hard_state.has_value());
  EXPECT_EQ(*ready.hard_state, (HardState{Term(1), MemberId(1), Index(0)}));
  ASSERT_EQ(ready.entries.size(), 1U);
  EXPECT_EQ(ready.entries[0], (Entry{Term(1), Index(1), EntryType::kNormal, {}}));
  EXPECT_TRUE(ready.must_sync);
  EXPECT_TRUE(ready.committed.empty());
  EXPECT_FALSE(core_.HasReady());
}

// etcd issue 14370: a write was acknowledged before it was on disk.
TEST_F(SingleVoter, NothingCommitsBeforeItIsPersisted) {
  core_.Campaign();
  Drain();
  EXPECT_EQ(core_.Propose("x").first_index, Index(2));
  const Ready ready = core_.TakeReady();
  EXPECT_EQ(ready.entries.size(), 1U);
  EXPECT_TRUE(ready.committed.empty());
  EXPECT_EQ(core_.committed(), Index(1));
  EXPECT_FALSE(core_.HasReady());
  core_.OnPersisted(ready.number);
  EXPECT_EQ(core_.committed(), Index(2));
  const Ready next = core_.TakeReady();
  ASSERT_EQ(next.committed.size(), 1U);
  EXPECT_EQ(next.committed[0].data, Payload("x"));
  EXPECT_FALSE(next.must_sync) << "a commit index alone needs no fsync";
}

TEST_F(SingleVoter, ReportOfAnEarlierWriteCommitsOnlyItsEntries) {
  core_.Campaign();
  Drain();
  core_.Propose("a");
  const Ready first = core_.TakeReady();
  core_.Propose("b");
  const Ready second = core_.TakeReady();
  core_.OnPersisted(first.number);
  EXPECT_EQ(core_.committed(), Index(2));
  core_.OnPersisted(second.number);
  EXPECT_EQ(core_.committed(), Index(3));
}

TEST_F(SingleVoter, BatchIsAppendedInOrderWithoutGap) {
  core_.Campaign();
  Drain();
  const Proposed proposed = core_.Propose({Payload("a"), Payload("b"), Payload("c")});
  EXPECT_EQ(proposed.result, ProposeResult::kAppended);
  EXPECT_EQ(proposed.first_index, Index(2));
  EXPECT_EQ(proposed.term, Term(1));
  const std::vector<Entry> applied = Drain();
  ASSERT_EQ(applied.size(), 3U);
  EXPECT_EQ(applied[0].data, Payload("a"));
  EXPECT_EQ(applied[2].data, Payload("c"));
  EXPECT_EQ(applied[2].index, Index(4));
}

TEST_F(SingleVoter, ProposalWithoutLeaderIsDropped) {
  EXPECT_EQ(core_.Propose("x").result, ProposeResult::kNoLeader);
  EXPECT_FALSE(core_.ReadIndex("r"));
  EXPECT_FALSE(core_.HasReady());
}

// Its recorded commit index may lag behind what it acknowledged before a crash.
TEST_F(SingleVoter, ReadWaitsForTheFirstCommitOfTheTerm) {
  core_.Campaign();
  EXPECT_TRUE(core_.ReadIndex("r"));
  Ready ready = core_.TakeReady();
  EXPECT_TRUE(ready.read_states.empty());
  core_.OnPersisted(ready.number);
  ready = core_.TakeReady();
  ASSERT_EQ(ready.read_states.size(), 1U);
  EXPECT_EQ(ready.read_states[0].index, Index(1));
  EXPECT_EQ(ready.read_states[0].context, "r");
  EXPECT_FALSE(core_.HasReady());
}

TEST_F(SingleVoter, ReadIsAnsweredAtOnceAfterThat) {
  core_.Campaign();
  Drain();
  core_.ReadIndex("r");
  const Ready ready = core_.TakeReady();
  ASSERT_EQ(ready.read_states.size(), 1U);
  EXPECT_TRUE(ready.messages.empty());
  EXPECT_FALSE(core_.HasReady());
}

TEST_F(SingleVoter, RestartGoesOnFromWhatWasPersisted) {
  InitialState initial = Fresh();
  initial.hard_state = {Term(3), MemberId(1), Index(1)};
  initial.entries = {{Term(3), Index(1), EntryType::kNormal, {}},
                     {Term(3), Index(2), EntryType::kNormal, "acknowledged"}};
  initial.applied = Index(1);
  Core core(MakeConfig(), initial, random_);
  EXPECT_EQ(core.committed(), Index(1));
  core.Campaign();
  EXPECT_EQ(core.term(), Term(4));
  Ready ready = core.TakeReady();
  core.OnPersisted(ready.number);
  ready = core.TakeReady();
  ASSERT_EQ(ready.committed.size(), 2U);
  EXPECT_EQ(ready.committed[0].data, Payload("acknowledged"));
}

TEST_F(SingleVoter, LearnerHearsOfATermOnlyWhenItIsOnDisk) {
  InitialState initial = Fresh();
  initial.conf_state.learners = {MemberId(2)};
  Core core(MakeConfig(), initial, random_);
  core.Campaign();
  const Ready ready = core.TakeReady();
  EXPECT_TRUE(ready.messages.empty());
  EXPECT_EQ(ready.messages_after_persist.size(), 1U);
}

TEST_F(SingleVoter, CommittedIsHandedOutInBoundedPieces) {
  Config config = MakeConfig();
  config.committed_bytes_max = 250;
  config.applying_bytes_max = 400;
  Core core(config, Fresh(), random_);
  core.Campaign();
  for (int i = 0; i < 10; ++i) core.Propose(std::string(100, 'x'));
  core.OnPersisted(core.TakeReady().number);
  const Ready first = core.TakeReady();
  EXPECT_EQ(first.committed.size(), 3U);  // the empty entry and two of 109 bytes
  const Ready second = core.TakeReady();
  EXPECT_EQ(second.committed.size(), 2U);
  EXPECT_FALSE(core.HasReady()) << "over 400 bytes are being applied";
  core.OnApplied(first.committed.back().index);
  EXPECT_TRUE(core.HasReady());
}

}  // namespace
}  // namespace etcd::raft
