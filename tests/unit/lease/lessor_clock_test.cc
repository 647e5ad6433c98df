#include <atomic>
#include <map>
#include <thread>

#include "server/base/errc.h"
#include "server/base/random.h"
#include "server/base/status.h"
#include "server/base/thread_executor.h"
#include "tests/unit/lease/lessor_fixture.h"

namespace etcd::lease {
namespace {

using std::chrono::minutes;

class LessorClock : public LessorFixture {};

TEST_F(LessorClock, NeverEarlyAndWithinOneScan) {
  lessor.Promote(Term(7), seconds(1));
  GrantPublished(1, 10);
  executor.Advance(seconds(10) - milliseconds(1));
  EXPECT_TRUE(sink.revokes.empty());
  executor.Advance(milliseconds(501));
  ASSERT_EQ(sink.revokes.size(), 1u);
  EXPECT_EQ(sink.revokes[0].id, LeaseId(1));
  EXPECT_EQ(sink.revokes[0].term, Term(7));
  ApplyOneRevoke();
  EXPECT_EQ(observer.expired, 1);
}

TEST_F(LessorClock, TimeCountsFromPublicationNotFromTheOpenBatch) {
  lessor.Promote(Term(1), seconds(0));
  ASSERT_TRUE(lessor.Grant(LeaseId(1), 5, batch).ok());
  executor.Advance(seconds(4));  // the engine stalls
  lessor.Publish();
  executor.Advance(seconds(5) - milliseconds(1));
  EXPECT_TRUE(sink.revokes.empty());
}

TEST_F(LessorClock, PromotionExtendsByTheElectionTimeout) {
  GrantPublished(1, 10);
  executor.Advance(seconds(100));
  lessor.Promote(Term(2), seconds(3));
  EXPECT_EQ(Remaining(1), 13);
  executor.Advance(seconds(13) - milliseconds(1));
  EXPECT_TRUE(sink.revokes.empty());
}

TEST_F(LessorClock, PromotionStartsFromTheCheckpoint) {
  GrantPublished(1, 1000);
  ASSERT_TRUE(lessor.Checkpoint({LeaseId(1), 40}, true, batch).ok());
  lessor.Promote(Term(2), seconds(1));
  EXPECT_EQ(Remaining(1), 41);
}

TEST_F(LessorClock, RenewGivesTheFullTtlAgain) {
  lessor.Promote(Term(1), seconds(0));
  GrantPublished(1, 10);
  for (int i = 0; i < 20; ++i) {
    executor.Advance(seconds(9));
    EXPECT_EQ(Remaining(1), 1);
    const Answer answer = Renew(1);
    ASSERT_TRUE(answer->has_value() && answer->value().ok());
    EXPECT_EQ(answer->value().value(), 10);
    EXPECT_EQ(Remaining(1), 10);
  }
  EXPECT_TRUE(sink.revokes.empty());
  EXPECT_EQ(observer.renewed, 20);
  EXPECT_EQ(ErrorOf(Renew(9)), Errc::kLeaseNotFound);
}

TEST_F(LessorClock, RenewOfAnExpiredLeaseWaitsForItsRevoke) {
  lessor.Promote(Term(1), seconds(0));
  GrantPublished(1, 2);
  executor.Advance(milliseconds(2600));
  EXPECT_EQ(Remaining(1), 0);
  const Answer first = Renew(1);
  const Answer second = Renew(1);
  EXPECT_FALSE(first->has_value());
  ApplyOneRevoke();
  EXPECT_EQ(ErrorOf(first), Errc::kLeaseNotFound);
  EXPECT_EQ(ErrorOf(second), Errc::kLeaseNotFound);
  EXPECT_EQ(observer.renewed, 0);
}

TEST_F(LessorClock, DemotionFailsWaitingRenewalsAndStopsEverything) {
  lessor.Promote(Term(1), seconds(0));
  GrantPublished(1, 2);
  executor.Advance(seconds(3));
  const Answer waiting = Renew(1);
  lessor.Demote();
  EXPECT_EQ(ErrorOf(waiting), Errc::kNotPrimaryLessor);
  EXPECT_EQ(ErrorOf(Renew(1)), Errc::kNotPrimaryLessor);
  sink.revokes.clear();
  executor.Advance(minutes(10));
  EXPECT_TRUE(sink.revokes.empty());
  EXPECT_EQ(executor.pending(), 0u) << "timers of an ex-leader must end";
}

// etcd issue 15247: what a deposed leader proposes says of which term it is.
TEST_F(LessorClock, Bug15247ProposalsCarryTheTermOfTheirPromotion) {
  lessor.Promote(Term(4), seconds(0));
  GrantPublished(1, 2);
  executor.Advance(seconds(3));
  ASSERT_EQ(sink.revokes.size(), 1u);
  auto stalled = std::move(sink.revokes.front());
  sink.revokes.clear();
  lessor.Demote();
  lessor.Promote(Term(6), seconds(0));
  EXPECT_EQ(Remaining(1), 2) << "a new promotion gives every lease its TTL";
  stalled.done(Error(Errc::kNotLeader));  // an answer of the old generation changes nothing
  executor.RunDue();
  executor.Advance(seconds(3));
  ASSERT_EQ(sink.revokes.size(), 1u);
  EXPECT_EQ(stalled.term, Term(4));
  EXPECT_EQ(sink.revokes[0].term, Term(6));
}

TEST_F(LessorClock, LostRevokeIsProposedAgainAfterThreeSeconds) {
  lessor.Promote(Term(1), seconds(0));
  GrantPublished(1, 2);
  executor.Advance(milliseconds(2500));
  ASSERT_EQ(sink.revokes.size(), 1u);
  auto lost = std::move(sink.revokes.front());
  sink.revokes.clear();
  lost.done(Error(Errc::kTimeout));
  executor.Advance(milliseconds(2400));
  EXPECT_TRUE(sink.revokes.empty());
  executor.Advance(milliseconds(1100));
  ASSERT_EQ(sink.revokes.size(), 1u);
  EXPECT_EQ(observer.expired, 0);
}

TEST_F(LessorClock, AtMostSixteenRevokesInFlight) {
  lessor.Promote(Term(1), seconds(0));
  for (int i = 1; i <= 100; ++i) GrantPublished(i, 2);
  executor.Advance(seconds(20));
  EXPECT_EQ(sink.revokes.size(), 16u);
  std::size_t applied = 0;
  while (!sink.revokes.empty()) {
    ApplyOneRevoke();
    ++applied;
    EXPECT_LE(sink.revokes.size(), 16u);
  }
  EXPECT_EQ(applied, 100u);
  EXPECT_TRUE(lessor.Leases().empty());
}

TEST_F(LessorClock, AtMostFiveHundredPerScan) {
  lessor.Promote(Term(1), seconds(0));
  for (int i = 1; i <= 2000; ++i) GrantPublished(i, 2);
  // An ideal raft: every proposal is applied at once.
  std::size_t applied = 0;
  executor.Advance(milliseconds(1999));
  EXPECT_TRUE(sink.revokes.empty());
  for (int scan = 1; scan <= 4; ++scan) {
    executor.Advance(scan == 1 ? milliseconds(1) : milliseconds(500));
    std::size_t now = 0;
    for (; !sink.revokes.empty(); ++now) ApplyOneRevoke();
    EXPECT_LE(now, 500u);
    applied += now;
  }
  EXPECT_EQ(applied, 2000u);
}

TEST_F(LessorClock, ManyLeasesAreSpreadOnPromotion) {
  for (int i = 1; i <= 3000; ++i) GrantPublished(i, 10);
  lessor.Promote(Term(1), seconds(1));
  std::map<std::int64_t, int> by_second;
  for (int i = 1; i <= 3000; ++i) {
    EXPECT_GE(Remaining(i), 11);
    ++by_second[Remaining(i)];
  }
  for (const auto& [second, count] : by_second) EXPECT_LE(count, 751) << second;
}

TEST_F(LessorClock, FewLeasesAreNotSpread) {
  for (int i = 1; i <= 999; ++i) GrantPublished(i, 10);
  lessor.Promote(Term(1), seconds(1));
  for (int i = 1; i <= 999; ++i) EXPECT_EQ(Remaining(i), 11);
}

TEST_F(LessorClock, LeasesAreListedByRemainingTime) {
  lessor.Promote(Term(1), seconds(0));
  GrantPublished(1, 30);
  GrantPublished(2, 10);
  GrantPublished(3, 20);
  EXPECT_EQ(lessor.Leases(), (std::vector<LeaseId>{LeaseId(2), LeaseId(3), LeaseId(1)}));
  Renew(2);
  executor.Advance(seconds(5));
  Renew(3);
  EXPECT_EQ(lessor.Leases(), (std::vector<LeaseId>{LeaseId(2), LeaseId(3), LeaseId(1)}));
  Renew(2);
  EXPECT_EQ(lessor.Leases(), (std::vector<LeaseId>{LeaseId(2), LeaseId(3), LeaseId(1)}));
  Renew(1);
  executor.Advance(seconds(1));
  EXPECT_EQ(lessor.Leases().back(), LeaseId(1));
}

TEST_F(LessorClock, TheLongestTtlNeverRunsOutEarly) {
  lessor.Promote(Term(1), seconds(1));
  GrantPublished(1, kTtlSecondsMax);
  EXPECT_EQ(Remaining(1), kTtlSecondsMax);
  executor.Advance(std::chrono::hours(24));
  EXPECT_TRUE(sink.revokes.empty());
}

TEST_F(LessorClock, StoppedLessorIsSilent) {
  lessor.Promote(Term(1), seconds(0));
  GrantPublished(1, 2);
  lessor.Stop();
  lessor.Promote(Term(2), seconds(0));
  executor.Advance(seconds(10));
  EXPECT_TRUE(sink.revokes.empty());
  lessor.Stop();
}

TEST(LessorLifetime, TasksOutliveTheLessor) {
  testing::VirtualExecutor executor;
  RecordingSink sink;
  {
    Lessor lessor(executor, sink, nullptr, {});
    engine::WriteBatch batch;
    ASSERT_TRUE(lessor.Grant(LeaseId(1), 2, batch).ok());
    lessor.Publish();
    lessor.Promote(Term(1), seconds(0));
    executor.Advance(seconds(3));
  }
  ASSERT_EQ(sink.revokes.size(), 1u);
  sink.revokes[0].done(absl::OkStatus());
  executor.Advance(minutes(1));
  EXPECT_EQ(executor.pending(), 0u);
}

// etcd issue 11731: an ex-leader keeps no timers of what it led, and churn leaves nothing behind.
TEST_F(LessorClock, Bug11731NothingPilesUpOverLeaderChanges) {
  for (int round = 1; round <= 50; ++round) {
    lessor.Promote(Term(static_cast<std::uint64_t>(round)), seconds(0));
    for (int i = 1; i <= 200; ++i) GrantPublished(i, 1000);
    executor.Advance(seconds(1));
    EXPECT_EQ(executor.pending(), 1u) << "one scan timer";
    for (int i = 1; i <= 200; ++i) RevokePublished(LeaseId(i));
    lessor.Demote();
  }
  executor.Advance(seconds(1));
  EXPECT_EQ(executor.pending(), 0u);
}

// Random grants, renewals, revokes, leader changes: no lease goes before its time by this clock,
// and each dead one goes within the bound.
TEST(LessorModel, NeverEarlyNeverForgotten) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    base::SeededRandom random(seed);
    testing::VirtualExecutor executor;
    RecordingSink sink;
    Lessor lessor(executor, sink, nullptr, {});
    engine::WriteBatch batch;
    std::map<std::int64_t, base::Clock::Monotonic> earliest;  // promised at least until
    std::uint64_t term = 1;
    lessor.Promote(Term(term), seconds(1));
    const auto promise = [&](std::int64_t id, seconds ttl) {
      earliest[id] = executor.clock().Now() + ttl;
    };
    for (int step = 0; step < 2000; ++step) {
      const auto id = static_cast<std::int64_t>(1 + random.Below(40));
      const auto ttl = static_cast<std::int64_t>(2 + random.Below(8));
      switch (random.Below(6)) {
        case 0:
          if (lessor.Grant(LeaseId(id), ttl, batch).ok()) promise(id, seconds(ttl));
          lessor.Publish();
          break;
        case 1:
          lessor.Renew(LeaseId(id), [&, id](absl::StatusOr<std::int64_t> got) {
            if (got.ok()) promise(id, seconds(*got));
          });
          break;
        case 2:
          if (random.Below(20) == 0) {
            lessor.Demote();
            sink.revokes.clear();
            lessor.Promote(Term(++term), seconds(1));
            for (auto& [lease, until] : earliest) {
              promise(lease, seconds(*lessor.Lookup(LeaseId(lease))));
            }
          }
          break;
        case 3:
          executor.Advance(milliseconds(random.Below(1500)));
          break;
        default:
          if (sink.revokes.empty()) break;
          auto revoke = std::move(sink.revokes.front());
          sink.revokes.pop_front();
          ASSERT_TRUE(earliest.contains(revoke.id.value()));
          ASSERT_GE(executor.clock().Now(), earliest[revoke.id.value()]) << "seed " << seed;
          ASSERT_TRUE(lessor.Revoke(revoke.id, batch).ok());
          lessor.Publish();
          earliest.erase(revoke.id.value());
          revoke.done(absl::OkStatus());
          executor.RunDue();
      }
      batch.Clear();
    }
    for (int i = 0; i < 100; ++i) {
      executor.Advance(milliseconds(500));
      while (!sink.revokes.empty()) {
        auto revoke = std::move(sink.revokes.front());
        sink.revokes.pop_front();
        ASSERT_TRUE(lessor.Revoke(revoke.id, batch).ok());
        lessor.Publish();
        revoke.done(absl::OkStatus());
        executor.RunDue();
      }
    }
    EXPECT_TRUE(lessor.Leases().empty()) << "seed " << seed;
  }
}

// Grants and scans on other threads while transport loops renew and read; meant for TSan.
TEST(LessorThreads, ReadersAndTheClockRunBesideTheApplyThread) {
  const base::SystemClock clock;
  base::ThreadExecutor executor("lease", clock);
  RecordingSink sink;
  LessorOptions options;
  options.scan_interval = milliseconds(1);
  Lessor lessor(executor, sink, nullptr, options);
  lessor.Promote(Term(1), seconds(0));
  std::atomic<bool> done = false;
  std::atomic<int> renewed = 0;
  std::thread loop([&] {
    while (!done) {
      for (int i = 1; i <= 50; ++i) {
        lessor.Renew(LeaseId(i), [&](const absl::StatusOr<std::int64_t>& got) {
          if (got.ok()) ++renewed;
        });
      }
      lessor.Leases();
      base::IgnoreError(lessor.TimeToLive(LeaseId(7), true).status(), "only the race counts");
    }
  });
  engine::WriteBatch batch;
  for (int round = 0; round < 200 || renewed < 1000; ++round) {
    for (int i = 1; i <= 50; ++i) {
      ASSERT_TRUE(lessor.Grant(LeaseId(i), 60, batch).ok());
      ASSERT_TRUE(lessor.Attach(LeaseId(i), "key" + std::to_string(i)).ok());
    }
    lessor.Publish();
    for (int i = 1; i <= 50; ++i) ASSERT_TRUE(lessor.Revoke(LeaseId(i), batch).ok());
    lessor.Publish();
    batch.Clear();
  }
  done = true;
  loop.join();
  lessor.Stop();
  executor.Stop();
  EXPECT_TRUE(lessor.Leases().empty());
}

}  // namespace
}  // namespace etcd::lease
