#include "server/base/errc.h"
#include "server/base/status.h"
#include "tests/unit/lease/lessor_fixture.h"

namespace etcd::lease {
namespace {

using std::chrono::minutes;

class LessorCheckpoint : public LessorFixture {
 protected:
  static LessorOptions Options() {
    LessorOptions options;
    options.checkpoint = true;
    return options;
  }
  LessorCheckpoint() : LessorFixture(Options()) {}
  void ApplyCheckpoint() {
    auto proposal = std::move(sink.checkpoints.front());
    sink.checkpoints.pop_front();
    for (const LeaseCheckpoint& entry : proposal.entries) {
      EXPECT_TRUE(lessor.Checkpoint(entry, true, batch).ok());
    }
    proposal.done(absl::OkStatus());
  }
};

// etcd issue 14253: leader changes may not keep a dead client's lease alive for ever.
TEST_F(LessorCheckpoint, Bug14253LeaseDiesInSpiteOfLeaderChanges) {
  lessor.Promote(Term(1), seconds(1));
  GrantPublished(1, 1200);
  int term = 1;
  seconds lived(0);
  while (sink.revokes.empty() && lived < minutes(60)) {
    executor.Advance(minutes(6));
    lived += minutes(6);
    while (!sink.checkpoints.empty()) ApplyCheckpoint();
    if (!sink.revokes.empty()) break;
    lessor.Demote();
    lessor.Promote(Term(static_cast<std::uint64_t>(++term)), seconds(1));
  }
  EXPECT_GE(lived, seconds(1200));
  EXPECT_LE(lived, minutes(36)) << "at most one interval is lost for each change of leader";
}

TEST_F(LessorCheckpoint, ShortLeasesAndLivingLeasesAreNotCheckpointed) {
  lessor.Promote(Term(1), seconds(0));
  GrantPublished(1, 300);
  GrantPublished(2, 3600);
  for (int i = 0; i < 60; ++i) {
    executor.Advance(minutes(1));
    EXPECT_TRUE(Renew(1)->has_value());
    EXPECT_TRUE(Renew(2)->has_value());
  }
  EXPECT_TRUE(sink.checkpoints.empty());
}

TEST_F(LessorCheckpoint, AtMostAThousandPerEntry) {
  lessor.Promote(Term(1), seconds(0));
  for (int i = 1; i <= 2500; ++i) GrantPublished(i, 3600);
  executor.Advance(minutes(5) + seconds(3));
  ASSERT_EQ(sink.checkpoints.size(), 3u);
  std::size_t total = 0;
  for (const auto& proposal : sink.checkpoints) {
    EXPECT_LE(proposal.entries.size(), 1000u);
    total += proposal.entries.size();
  }
  EXPECT_EQ(total, 2500u);
  EXPECT_EQ(sink.checkpoints[0].entries[0].remaining_ttl_seconds, 3300);
}

TEST_F(LessorCheckpoint, RenewOfACheckpointedLeaseClearsItFirst) {
  lessor.Promote(Term(1), seconds(0));
  GrantPublished(1, 3600);
  executor.Advance(minutes(5) + seconds(1));
  ASSERT_EQ(sink.checkpoints.size(), 1u);
  ApplyCheckpoint();
  const Answer first = Renew(1);
  const Answer second = Renew(1);
  EXPECT_FALSE(first->has_value());
  executor.RunDue();
  ASSERT_EQ(sink.checkpoints.size(), 1u) << "two renewals share one proposal";
  EXPECT_EQ(sink.checkpoints[0].entries.size(), 1u);
  EXPECT_EQ(sink.checkpoints[0].entries[0].remaining_ttl_seconds, 0);
  ApplyCheckpoint();
  ASSERT_TRUE(first->has_value() && second->has_value());
  EXPECT_EQ(first->value().value(), 3600);
  EXPECT_TRUE(Renew(1)->has_value()) << "cleared: the next one is immediate";
}

// What is on its way when a renewal comes speaks of the time before it (simulation seed 81001183: a
// lease ended early after a restart).
TEST_F(LessorCheckpoint, RenewWaitsForACheckpointThatIsOnItsWayToBeUndone) {
  lessor.Promote(Term(1), seconds(0));
  GrantPublished(1, 3600);
  executor.Advance(minutes(5) + seconds(1));
  ASSERT_EQ(sink.checkpoints.size(), 1u);  // proposed, not applied
  const Answer renewed = Renew(1);
  EXPECT_FALSE(renewed->has_value());
  executor.RunDue();
  ASSERT_EQ(sink.checkpoints.size(), 2u);
  ApplyCheckpoint();
  EXPECT_FALSE(renewed->has_value());
  ApplyCheckpoint();
  ASSERT_TRUE(renewed->has_value());
  EXPECT_TRUE(Renew(1)->has_value());
  lessor.Demote();
  lessor.Promote(Term(2), seconds(0));
  EXPECT_EQ(Remaining(1), 3600);
}

// The clearing that a second renewal waits for may be older than the newest checkpoint.
TEST_F(LessorCheckpoint, RenewWaitsForACheckpointThatCameAfterTheClearing) {
  lessor.Promote(Term(1), seconds(0));
  GrantPublished(1, 3600);
  executor.Advance(minutes(5) + seconds(1));
  const Answer first = Renew(1);
  executor.RunDue();
  ASSERT_EQ(sink.checkpoints.size(), 2u);
  executor.Advance(minutes(5) + seconds(2));
  ASSERT_EQ(sink.checkpoints.size(), 3u) << "a checkpoint behind the clearing";
  const Answer second = Renew(1);
  ApplyCheckpoint();
  ApplyCheckpoint();
  EXPECT_FALSE(second->has_value());
  executor.RunDue();
  ASSERT_EQ(sink.checkpoints.size(), 2u) << "a second clearing behind that checkpoint";
  ApplyCheckpoint();
  ApplyCheckpoint();
  ASSERT_TRUE(first->has_value() && second->has_value());
  lessor.Demote();
  lessor.Promote(Term(2), seconds(0));
  EXPECT_EQ(Remaining(1), 3600);
}

TEST_F(LessorCheckpoint, RenewFailsWhenTheClearingFails) {
  lessor.Promote(Term(1), seconds(0));
  GrantPublished(1, 3600);
  ASSERT_TRUE(lessor.Checkpoint({LeaseId(1), 100}, true, batch).ok());
  const Answer failed = Renew(1);
  executor.RunDue();
  auto proposal = std::move(sink.checkpoints.front());
  sink.checkpoints.clear();
  proposal.done(Error(Errc::kTimeout));
  EXPECT_EQ(ErrorOf(failed), Errc::kTimeout);
  const Answer demoted = Renew(1);
  lessor.Demote();
  EXPECT_EQ(ErrorOf(demoted), Errc::kNotPrimaryLessor);
}

}  // namespace
}  // namespace etcd::lease
