// What is concluded from the hashes of the members.
#include "server/node/corruption.h"

#include <vector>

#include <gtest/gtest.h>

#include "server/base/status.h"

namespace etcd::node {
namespace {

constexpr MemberId kSelf(1);

mvcc::HashResult Hash(std::uint32_t hash, std::int64_t revision = 10, std::int64_t compacted = 5) {
  return {hash, Revision(compacted), Revision(revision), Revision(revision)};
}
PeerHash Peer(std::uint64_t id, absl::StatusOr<mvcc::HashResult> hash) {
  return {MemberId(id), {"http://peer"}, std::move(hash)};
}
using Peers = std::vector<PeerHash>;
using Ids = std::vector<MemberId>;

// ---- Before a start

TEST(InitialHash, ThatDiffersRefusesTheStart) {
  const absl::Status status =
      CheckInitialHash(MemberId(0xab), Hash(1), Peers{Peer(2, Hash(1)), Peer(3, Hash(2))});
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(base::MessageOf(status), "ab found data inconsistency with peers");
}

TEST(InitialHash, IsComparedOnlyAtTheSameCompaction) {
  EXPECT_TRUE(CheckInitialHash(kSelf, Hash(1), Peers{Peer(2, Hash(2, 10, 7))}).ok());
}

// etcd issues 15548, 16048: members that cannot answer are not bad.
TEST(InitialHash, OfMembersThatCannotAnswerIsNoDifference) {
  const Peers peers = {Peer(2, Error(Errc::kFutureRevision)), Peer(3, Error(Errc::kCompacted)),
                       Peer(4, Error(Errc::kClusterIdMismatch)),
                       Peer(5, base::MakeStatus(absl::StatusCode::kUnavailable, "refused"))};
  EXPECT_TRUE(CheckInitialHash(kSelf, Hash(1), peers).ok());
}

// The same data has another hash on a member that has compacted where no key lives.
OwnHash OfNothing(std::uint32_t hash) { return {Hash(hash), true}; }

TEST(InitialHash, WhereNothingLivesIsNotCompared) {
  EXPECT_TRUE(CheckInitialHash(kSelf, OfNothing(1), Peers{Peer(2, Hash(2))}).ok());
}

// ---- Heads

TEST(HeadHashes, ThatAreEqualNameNobody) {
  EXPECT_EQ(CheckHeadHashes(kSelf, Hash(1), Hash(9, 12), Peers{Peer(2, Hash(1)), Peer(3, Hash(1))}),
            std::nullopt);
}

TEST(HeadHashes, ThatDifferNameTheMember) {
  EXPECT_EQ(CheckHeadHashes(kSelf, Hash(1), Hash(1), Peers{Peer(2, Hash(1)), Peer(3, Hash(2))}),
            MemberId(3));
  // One alarm a round.
  EXPECT_EQ(CheckHeadHashes(kSelf, Hash(1), Hash(1), Peers{Peer(2, Hash(3)), Peer(3, Hash(2))}),
            MemberId(2));
}

TEST(HeadHashes, WhereNothingLivesAreNotCompared) {
  EXPECT_EQ(CheckHeadHashes(kSelf, OfNothing(1), Hash(1, 12), Peers{Peer(2, Hash(2))}),
            std::nullopt);
}

TEST(HeadHashes, AreComparedOnlyAtTheSameCompaction) {
  EXPECT_EQ(CheckHeadHashes(kSelf, Hash(1), Hash(1), Peers{Peer(2, Hash(2, 10, 3))}), std::nullopt);
}

TEST(HeadHashes, OfTheLeaderThatChangeAtOneRevisionNameTheLeader) {
  EXPECT_EQ(CheckHeadHashes(kSelf, Hash(1), Hash(2), Peers{Peer(2, Hash(2))}), kSelf);
  EXPECT_EQ(CheckHeadHashes(kSelf, Hash(1), Hash(2, 11), Peers{}), std::nullopt);
  EXPECT_EQ(CheckHeadHashes(kSelf, Hash(1), Hash(2, 10, 6), Peers{}), std::nullopt);
}

TEST(HeadHashes, OfAMemberAheadOfTheLeaderNameIt) {
  mvcc::HashResult ahead = Hash(1);
  ahead.current = Revision(13);
  EXPECT_EQ(CheckHeadHashes(kSelf, Hash(1), Hash(4, 12), Peers{Peer(2, ahead)}), MemberId(2));
  // What the leader had after the read it may have.
  EXPECT_EQ(CheckHeadHashes(kSelf, Hash(1), Hash(4, 13), Peers{Peer(2, ahead)}), std::nullopt);
}

TEST(HeadHashes, OfAMemberCompactedBeyondTheLeaderNameIt) {
  const Peers peers = {Peer(2, Hash(3, 10, 7))};
  EXPECT_EQ(CheckHeadHashes(kSelf, Hash(1), Hash(2, 10, 6), peers), MemberId(2));
  EXPECT_EQ(CheckHeadHashes(kSelf, Hash(1), Hash(2, 10, 7), peers), std::nullopt);
}

TEST(HeadHashes, OfMembersThatDoNotAnswerAreSkipped) {
  EXPECT_EQ(CheckHeadHashes(kSelf, Hash(1), Hash(1),
                            Peers{Peer(2, Error(Errc::kFutureRevision)), Peer(3, Hash(2))}),
            MemberId(3));
}

// ---- Compactions

TEST(CompactionHashes, OfAMinorityNameItsMembers) {
  const auto verdict =
      CheckCompactionHashes(kSelf, Hash(1), Peers{Peer(2, Hash(1)), Peer(3, Hash(2))});
  EXPECT_TRUE(verdict.is_final);
  EXPECT_FALSE(verdict.all_agree);
  EXPECT_EQ(verdict.alarms, Ids{MemberId(3)});
}

TEST(CompactionHashes, OfTheLeaderAloneNameTheLeader) {
  const auto verdict =
      CheckCompactionHashes(kSelf, Hash(1), Peers{Peer(2, Hash(2)), Peer(3, Hash(2))});
  EXPECT_EQ(verdict.alarms, Ids{kSelf});
}

TEST(CompactionHashes, OfAMinorityOfTwoNameBoth) {
  const auto verdict = CheckCompactionHashes(
      kSelf, Hash(1),
      Peers{Peer(2, Hash(1)), Peer(3, Hash(2)), Peer(4, Hash(1)), Peer(5, Hash(3))});
  EXPECT_EQ(verdict.alarms, (Ids{MemberId(3), MemberId(5)}));
}

TEST(CompactionHashes, WithoutAMajorityNameTheWholeCluster) {
  EXPECT_EQ(CheckCompactionHashes(kSelf, Hash(1), Peers{Peer(2, Hash(2))}).alarms, Ids{MemberId()});
  EXPECT_EQ(CheckCompactionHashes(kSelf, Hash(1), Peers{Peer(2, Hash(2)), Peer(3, Hash(3))}).alarms,
            Ids{MemberId()});
}

// A member that does not answer counts in the majority's size.
TEST(CompactionHashes, OfHalfTheMembersAreNoMajority) {
  const Peers peers = {Peer(2, Hash(2)), Peer(3, Error(Errc::kFutureRevision))};
  EXPECT_EQ(CheckCompactionHashes(kSelf, Hash(1), peers).alarms, Ids{MemberId()});
}

TEST(CompactionHashes, OfAllMembersEndTheSearch) {
  const auto verdict = CheckCompactionHashes(kSelf, Hash(1), Peers{Peer(2, Hash(1))});
  EXPECT_TRUE(verdict.is_final);
  EXPECT_TRUE(verdict.all_agree);
  EXPECT_TRUE(verdict.alarms.empty());
}

TEST(CompactionHashes, ThatCannotAllBeComparedLeaveItToOlderOnes) {
  for (const auto& peer : {Peer(3, Error(Errc::kCompacted)), Peer(3, Hash(7, 10, 10))}) {
    const auto verdict = CheckCompactionHashes(kSelf, Hash(1), Peers{Peer(2, Hash(1)), peer});
    EXPECT_FALSE(verdict.is_final);
    EXPECT_FALSE(verdict.all_agree);
    EXPECT_TRUE(verdict.alarms.empty());
  }
}

// ---- Whether all others have what the leader has

TEST(EqualHashes, WhereNothingLivesMayDiffer) {
  EXPECT_TRUE(CheckEqualHashes(OfNothing(1), Peers{Peer(2, Hash(1))}).ok());
  EXPECT_EQ(CheckEqualHashes(OfNothing(1), Peers{Peer(2, Hash(2))}).code(),
            absl::StatusCode::kUnavailable);
}

TEST(EqualHashes, NeedEveryMember) {
  EXPECT_TRUE(CheckEqualHashes(Hash(1), Peers{Peer(2, Hash(1)), Peer(3, Hash(1))}).ok());
  EXPECT_EQ(CheckEqualHashes(Hash(1), Peers{Peer(2, Error(Errc::kFutureRevision))}).code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(CheckEqualHashes(Hash(1), Peers{Peer(2, Hash(2, 10, 6))}).code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(
      CheckEqualHashes(Hash(1), Peers{Peer(2, Error(Errc::kFutureRevision)), Peer(0xc, Hash(2))})
          .message(),
      "the data of member c differs from the leader's");
}

}  // namespace
}  // namespace etcd::node
