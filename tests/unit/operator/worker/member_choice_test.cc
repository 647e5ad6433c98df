#include "operator/worker/member_choice.h"

#include <gtest/gtest.h>

#include "operator/store/object_store.h"

namespace etcd::worker {
namespace {

using model::BackupSource;

Candidate Member(std::uint64_t id, std::uint64_t applied, std::uint64_t leader = 1) {
  Candidate candidate{.endpoint = std::to_string(id)};
  candidate.status.header.cluster_id = ClusterId(7);
  candidate.status.header.member_id = MemberId(id);
  candidate.status.leader = MemberId(leader);
  candidate.status.raft_index = Index(applied);
  candidate.status.raft_applied_index = Index(applied);
  return candidate;
}

std::string Order(std::vector<Candidate> candidates, BackupSource wanted) {
  const auto ranked = RankMembers(std::move(candidates), wanted);
  if (!ranked.ok()) return store::ReasonOf(ranked.status());
  std::string order;
  for (const Candidate& candidate : *ranked) order += candidate.endpoint;
  return order;
}

TEST(MemberChoice, PrefersWhatIsWanted) {
  const std::vector<Candidate> all = {Member(1, 5000), Member(2, 4990), Member(3, 4995)};
  EXPECT_EQ(Order(all, BackupSource::kFollower), "321");
  EXPECT_EQ(Order(all, BackupSource::kLeader), "132");
  EXPECT_EQ(Order(all, BackupSource::kAny), "132");
}

TEST(MemberChoice, AFollowerThatLagsIsPassedOver) {
  EXPECT_EQ(Order({Member(1, 5000), Member(2, 3999), Member(3, 4000)}, BackupSource::kFollower),
            "31");
}

TEST(MemberChoice, LearnersStrangersAndCorruptOnesAreNotAsked) {
  Candidate learner = Member(2, 5000);
  learner.status.is_learner = true;
  Candidate stranger = Member(3, 5000);
  stranger.status.header.cluster_id = ClusterId(8);
  Candidate corrupt = Member(4, 5000);
  corrupt.status.errors = {"memberID:4 alarm:CORRUPT "};
  Candidate other_leader = Member(5, 5000, 9);
  EXPECT_EQ(Order({Member(1, 5000), learner, stranger, corrupt, other_leader, Member(6, 5000)},
                  BackupSource::kFollower),
            "61");
}

TEST(MemberChoice, WithoutALeaderThereIsNoBackup) {
  EXPECT_EQ(Order({Member(1, 5000, 0), Member(2, 5000, 0)}, BackupSource::kAny), "NoMember");
  EXPECT_EQ(Order({}, BackupSource::kAny), "NoMember");
}

TEST(MemberChoice, OneMemberIsItsOwnLeader) {
  EXPECT_EQ(Order({Member(1, 5)}, BackupSource::kFollower), "1");
}

}  // namespace
}  // namespace etcd::worker
