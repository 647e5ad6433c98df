#include "server/node/force_new_cluster.h"

#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "server/membership/member.h"
#include "server/raftcodec/raftpb.h"

namespace etcd::node {
namespace {

using raft::ConfChangeType;

raft::ConfState Conf(std::vector<MemberId> voters, std::vector<MemberId> learners = {}) {
  raft::ConfState conf;
  conf.voters = std::move(voters);
  conf.learners = std::move(learners);
  return conf;
}

raft::Entry ChangeEntry(std::uint64_t index, ConfChangeType type, std::uint64_t id) {
  raft::ConfChange change;
  change.type = type;
  change.node_id = MemberId(id);
  return {Term(2), Index(index), raft::EntryType::kConfChange, raftcodec::Encode(change)};
}

std::vector<raft::ConfChange> ChangesOf(const ForcedLog& log) {
  std::vector<raft::ConfChange> out;
  for (const raft::Entry& entry : log.added) {
    out.push_back(*raftcodec::DecodeConfChange(entry.data));
  }
  return out;
}

TEST(ForceNewCluster, KeepsTheWholeLogAndRemovesTheOthers) {
  std::vector<raft::Entry> entries = {{Term(2), Index(5), raft::EntryType::kNormal, "a"},
                                      {Term(3), Index(6), raft::EntryType::kNormal, "b"},
                                      {Term(3), Index(7), raft::EntryType::kNormal, "c"}};
  const ForcedLog log =
      ForceSingleVoter(MemberId(2), Conf({MemberId(1), MemberId(2), MemberId(3)}, {MemberId(4)}),
                       Index(5), {Term(3), MemberId(1), Index(6)}, entries);
  EXPECT_EQ(log.hard_state.commit, Index(10));
  EXPECT_EQ(log.hard_state.term, Term(3));
  const auto changes = ChangesOf(log);
  ASSERT_EQ(changes.size(), 3U);
  EXPECT_EQ(log.added[0].index, Index(8));
  EXPECT_EQ(log.added[0].term, Term(3));
  for (const raft::ConfChange& change : changes) {
    EXPECT_EQ(change.type, ConfChangeType::kRemoveNode);
    EXPECT_NE(change.node_id, MemberId(2));
  }
}

TEST(ForceNewCluster, CountsChangesThatTheBackendHasNotSeen) {
  std::vector<raft::Entry> entries = {ChangeEntry(5, ConfChangeType::kAddNode, 7),
                                      ChangeEntry(6, ConfChangeType::kAddNode, 8),
                                      ChangeEntry(7, ConfChangeType::kRemoveNode, 1)};
  // Entry 5 is part of `conf` already.
  const ForcedLog log = ForceSingleVoter(MemberId(2), Conf({MemberId(1), MemberId(2), MemberId(7)}),
                                         Index(5), {Term(2), MemberId(), Index(7)}, entries);
  const auto changes = ChangesOf(log);
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].node_id, MemberId(7));
  EXPECT_EQ(changes[1].node_id, MemberId(8));
}

// In the other order there would be no voter for a moment, which raft refuses.
TEST(ForceNewCluster, ALearnerIsPromotedFirst) {
  std::vector<raft::Entry> entries;
  const ForcedLog log = ForceSingleVoter(MemberId(2), Conf({MemberId(1)}, {MemberId(2)}), Index(4),
                                         {Term(2), MemberId(), Index(4)}, entries);
  const auto changes = ChangesOf(log);
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].type, ConfChangeType::kAddNode);
  EXPECT_EQ(changes[0].node_id, MemberId(2));
  EXPECT_TRUE(membership::DecodeMember(changes[0].context)->is_promote);
  EXPECT_EQ(changes[1].node_id, MemberId(1));
}

}  // namespace
}  // namespace etcd::node
