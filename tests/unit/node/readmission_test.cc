// Who may be replaced although it is a member, and how: --auto-rebuild seen by the leader.
#include "server/node/readmission.h"

#include <etcdserverpb/raft_internal.pb.h>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "server/base/status.h"
#include "tests/support/alter_value.h"
#include "tests/support/sim_cluster.h"
#include "tests/support/sim_peer_client.h"

namespace etcd::node {
namespace {

using std::chrono::seconds;
using testing::SimCluster;
using testing::SimMember;
using testing::SimPeerClient;

// Long enough for the members to count as connected.
constexpr seconds kSettled(6);

struct Replaced {
  explicit Replaced(std::size_t members = 3) : cluster(1, members), client(cluster) {
    EXPECT_TRUE(cluster.Boot());
    cluster.scheduler.RunFor(kSettled);
    leader = cluster.AwaitLeader();
    for (int i = 0; i < 10; ++i) {
      EXPECT_TRUE(Leader().Put("k" + std::to_string(i), "value").status.ok());
    }
  }

  SimMember& Leader() { return cluster[leader]; }
  std::size_t Other(std::size_t n) const { return (leader + n) % cluster.size(); }
  // The n-th after the leader finds its data damaged.
  MemberId Lose(std::size_t n) {
    const MemberId id = cluster[Other(n)]->member_id();
    cluster.Kill(Other(n));
    return id;
  }
  absl::StatusOr<AddedMember> Ask(MemberId id, bool resumes = false) {
    return AskAt(Leader(), id, resumes);
  }
  absl::StatusOr<AddedMember> AskAt(SimMember& member, MemberId id, bool resumes = false) {
    auto answer = std::make_shared<std::optional<absl::StatusOr<AddedMember>>>();
    member->Readmit({id, UrlsOf(id), resumes},
                    [answer](absl::StatusOr<AddedMember> added) { *answer = std::move(added); });
    EXPECT_TRUE(cluster.WaitFor([&] { return answer->has_value(); }));
    return answer->value_or(Error(Errc::kTimeout));
  }
  std::string Refusal(MemberId id, bool resumes = false) {
    const auto added = Ask(id, resumes);
    EXPECT_EQ(added.status().code(), absl::StatusCode::kFailedPrecondition) << added.status();
    EXPECT_EQ(Leader()->Members().size(), cluster.size()) << "a refusal changes nothing";
    return std::string(base::MessageOf(added.status()));
  }
  std::vector<std::string> UrlsOf(MemberId id) {
    for (const MemberInfo& member : Leader()->Members()) {
      if (member.id == id) urls[id] = member.peer_urls;
    }
    return urls[id];
  }
  void Raise(MemberId id) {
    EXPECT_TRUE(Leader()
                    .Run([&](etcdserverpb::InternalRaftRequest& request) {
                      request.mutable_alarm()->set_action(etcdserverpb::AlarmRequest::ACTIVATE);
                      request.mutable_alarm()->set_memberid(id.value());
                      request.mutable_alarm()->set_alarm(etcdserverpb::CORRUPT);
                    })
                    .status.ok());
  }
  std::optional<MemberInfo> Find(MemberId id) {
    for (const MemberInfo& member : Leader()->Members()) {
      if (member.id == id) return member;
    }
    return std::nullopt;
  }

  SimCluster cluster;
  SimPeerClient client;
  std::size_t leader = 0;
  std::map<MemberId, std::vector<std::string>> urls;
};

TEST(Readmission, MakesALearnerWithANewIdOfADamagedVoter) {
  Replaced members;
  const MemberId lost = members.Lose(1);
  const auto urls = members.UrlsOf(lost);
  const auto added = members.Ask(lost);
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_NE(added->member.id, lost);
  EXPECT_TRUE(added->member.is_learner) << "it has promised nothing and may not vote";
  EXPECT_EQ(added->member.peer_urls, urls);
  EXPECT_FALSE(members.Find(lost).has_value());
  EXPECT_TRUE(members.Leader()->Members().size() == 3 && added->members.size() == 3);
  EXPECT_TRUE(members.Leader().Put("a", "1").status.ok());
}

TEST(Readmission, DisarmsTheAlarmOfTheMemberThatIsGone) {
  Replaced members;
  const MemberId lost = members.Lose(1);
  members.Raise(lost);
  EXPECT_EQ(ErrcOf(members.Leader().Put("a", "1").status), Errc::kCorrupt);
  ASSERT_TRUE(members.Ask(lost).ok());
  EXPECT_TRUE(members.Leader()->Alarms().empty());
  EXPECT_TRUE(members.Leader().Put("a", "1").status.ok());
}

TEST(Readmission, ThatWasInterruptedGoesOnWithTheSameLearner) {
  Replaced members;
  const MemberId lost = members.Lose(1);
  const auto first = members.Ask(lost);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = members.Ask(lost, /*resumes=*/true);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->member.id, first->member.id);
}

TEST(Readmission, AddsAMemberThatAnEarlierOneOnlyRemoved) {
  Replaced members;
  const MemberId lost = members.Lose(1);
  const auto urls = members.UrlsOf(lost);
  std::optional<absl::Status> removed;
  members.Leader()->RemoveMember(lost, {}, [&](const auto& left) { removed = left.status(); });
  ASSERT_TRUE(members.cluster.WaitFor([&] { return removed.has_value(); }));
  ASSERT_TRUE(removed->ok()) << *removed;
  // Somebody else may have removed it: only one that knows that it has asked may come back.
  EXPECT_EQ(ErrcOf(members.Ask(lost).status()), Errc::kMemberNotFound);
  const auto added = members.Ask(lost, /*resumes=*/true);
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(added->member.peer_urls, urls);
}

// ---- Never when it could be the last good copy, or somebody else's data is in doubt

TEST(Readmission, OfTheOnlyMemberIsRefused) {
  Replaced members(1);
  EXPECT_NE(members.Refusal(members.Leader()->member_id()).find("is up"), std::string::npos);
}

// At once, and not only because nothing can be committed without the one that is lost.
TEST(Readmission, OfOneOfTwoIsRefused) {
  Replaced members(2);
  const MemberId lost = members.Lose(1);
  EXPECT_NE(members.Refusal(lost).find("too few other voters"), std::string::npos);
}

// Here a single member is a majority by itself: nothing but the rule keeps it from deciding what
// the data of two is.
TEST(Readmission, OfOneOfTwoThatWasRemovedIsRefused) {
  Replaced members(2);
  const MemberId lost = members.cluster[members.Other(1)]->member_id();
  members.UrlsOf(lost);
  std::optional<absl::Status> removed;
  members.Leader()->RemoveMember(lost, {}, [&](const auto& left) { removed = left.status(); });
  ASSERT_TRUE(members.cluster.WaitFor([&] { return removed.has_value(); }));
  ASSERT_TRUE(removed->ok()) << *removed;
  members.cluster.Kill(members.Other(1));
  const auto added = members.Ask(lost, /*resumes=*/true);
  EXPECT_EQ(added.status().code(), absl::StatusCode::kFailedPrecondition) << added.status();
  EXPECT_NE(std::string(base::MessageOf(added.status())).find("too few other voters"),
            std::string::npos);
  EXPECT_EQ(members.Leader()->Members().size(), 1U);
}

TEST(Readmission, IsRefusedWhileAnotherMemberIsDown) {
  Replaced members(5);
  members.Lose(2);
  const MemberId lost = members.Lose(1);
  EXPECT_NE(members.Refusal(lost).find("has not been connected"), std::string::npos);
}

TEST(Readmission, IsRefusedRightAfterAnotherMemberCameBack) {
  Replaced members(5);
  const MemberId lost = members.Lose(1);
  members.Lose(2);
  ASSERT_TRUE(members.cluster.Open(members.Other(2)).ok());
  ASSERT_TRUE(
      members.cluster.WaitFor([&] { return members.cluster[members.Other(2)].is_ready(); }));
  EXPECT_NE(members.Refusal(lost).find("has not been connected"), std::string::npos);
  members.cluster.scheduler.RunFor(kSettled);
  EXPECT_TRUE(members.Ask(lost).ok());
}

TEST(Readmission, IsRefusedWhenTheOthersDiffer) {
  Replaced members;
  const std::size_t altered = members.Other(2);
  members.cluster.Kill(altered);
  ASSERT_TRUE(testing::AlterValue(members.cluster[altered].engine, "k3").ok());
  ASSERT_TRUE(members.cluster.Open(altered).ok());
  ASSERT_TRUE(members.cluster.WaitFor([&] { return members.cluster[altered].is_ready(); }));
  members.cluster.scheduler.RunFor(kSettled);
  const MemberId lost = members.Lose(1);
  EXPECT_NE(members.Refusal(lost).find("differs from the leader's"), std::string::npos);
}

TEST(Readmission, IsRefusedWhenTheOthersDoNotTell) {
  Replaced members;
  const MemberId lost = members.Lose(1);
  members.client.silent = {members.Other(2)};
  EXPECT_NE(members.Refusal(lost).find("cannot be compared"), std::string::npos);
}

TEST(Readmission, IsRefusedUnderTheAlarmOfAnotherMember) {
  Replaced members;
  const MemberId lost = members.Lose(1);
  members.Raise(members.cluster[members.Other(2)]->member_id());
  EXPECT_NE(members.Refusal(lost).find("alarm CORRUPT"), std::string::npos);
}

TEST(Readmission, IsRefusedUnderTheAlarmOfTheWholeCluster) {
  Replaced members;
  const MemberId lost = members.Lose(1);
  members.Raise(MemberId());
  EXPECT_NE(members.Refusal(lost).find("alarm CORRUPT"), std::string::npos);
}

TEST(Readmission, OfAMemberThatIsUpIsRefused) {
  Replaced members;
  const MemberId other = members.cluster[members.Other(1)]->member_id();
  EXPECT_NE(members.Refusal(other).find("is up"), std::string::npos);
}

TEST(Readmission, BesideAnotherLearnerIsRefused) {
  Replaced members;
  std::optional<absl::Status> added;
  members.Leader()->AddMember({"http://10.0.0.9:2380"}, true, {},
                              [&](const auto& answer) { added = answer.status(); });
  ASSERT_TRUE(members.cluster.WaitFor([&] { return added.has_value(); }));
  ASSERT_TRUE(added->ok()) << *added;
  const MemberId lost = members.Lose(1);
  EXPECT_FALSE(members.Ask(lost).ok());
  EXPECT_TRUE(members.Find(lost).has_value());
}

TEST(Readmission, IsTheLeadersToDecide) {
  Replaced members;
  const MemberId lost = members.Lose(1);
  EXPECT_EQ(ErrcOf(members.AskAt(members.cluster[members.Other(2)], lost).status()),
            Errc::kNotLeader);
}

// A leader that has been cut off does not know it yet.
TEST(Readmission, NeedsALeaderThatAMajorityFollows) {
  Replaced members(5);
  const MemberId lost = members.Lose(1);
  members.cluster.network.filter = [&](const raft::Message& message) {
    return message.from == members.Leader()->member_id();
  };
  const auto added = members.Ask(lost);
  EXPECT_FALSE(added.ok());
  EXPECT_TRUE(members.Find(lost).has_value());
}

}  // namespace
}  // namespace etcd::node
