#include "operator/backup/retention.h"

#include <algorithm>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace etcd::backup {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;

// Thursday, 2026-01-01 12:00 UTC.
const WallTime kNow = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1) + hours(12);

StoredBackup Backup(const std::string& key, std::chrono::seconds age, bool is_verified = true) {
  return {.key = key, .at = kNow - age, .is_verified = is_verified};
}

std::vector<std::string> Deleted(std::vector<StoredBackup> stored, const RetentionPolicy& policy) {
  std::vector<std::string> keys;
  for (const StoredBackup& backup : SelectForDeletion(std::move(stored), policy, kNow)) {
    keys.push_back(backup.key);
  }
  return keys;
}

using Keys = std::vector<std::string>;

TEST(Retention, KeepsTheLastOnes) {
  EXPECT_EQ(Deleted({Backup("a", hours(1)), Backup("b", hours(2)), Backup("c", hours(3)),
                     Backup("d", hours(4))},
                    {.keep_last = 2}),
            (Keys{"d", "c"}));
  EXPECT_EQ(Deleted({}, {}), Keys{});
}

TEST(Retention, KeepsTheLastOfEachDay) {
  EXPECT_EQ(Deleted({Backup("today", hours(1)), Backup("noon", hours(0)),
                     Backup("yesterday late", hours(13)), Backup("yesterday early", hours(35)),
                     Backup("two days", hours(37)), Backup("three days", hours(61))},
                    {.keep_last = 1, .keep_daily = 3}),
            (Keys{"three days", "yesterday early", "today"}));
}

TEST(Retention, DaysWithoutABackupDoNotCount) {
  EXPECT_EQ(Deleted({Backup("a", hours(1)), Backup("b", days(10)), Backup("c", days(20))},
                    {.keep_last = 1, .keep_daily = 2}),
            (Keys{"c"}));
}

TEST(Retention, WeeksBeginOnMonday) {
  // Monday 2025-12-29 00:00 is 84 hours ago.
  EXPECT_EQ(Deleted({Backup("this week", hours(83)), Backup("monday", hours(84)),
                     Backup("sunday", hours(84) + minutes(1)), Backup("saturday", hours(110))},
                    {.keep_last = 1, .keep_weekly = 2}),
            (Keys{"saturday", "monday"}));
}

TEST(Retention, KeepsTheLastOfEachMonth) {
  EXPECT_EQ(Deleted({Backup("january", hours(1)), Backup("december", hours(13)),
                     Backup("early december", days(20)), Backup("november", days(40)),
                     Backup("october", days(70))},
                    {.keep_last = 1, .keep_monthly = 3}),
            (Keys{"october", "early december"}));
}

TEST(Retention, AgeBeatsTheCountsButNotTheNewest) {
  EXPECT_EQ(Deleted({Backup("a", days(40)), Backup("b", days(41))},
                    {.keep_last = 7, .max_age = days(30)}),
            (Keys{"b"}));
}

TEST(Retention, MinKeepBeatsAge) {
  EXPECT_EQ(Deleted({Backup("a", days(40)), Backup("b", days(41)), Backup("c", days(42))},
                    {.keep_last = 7, .max_age = days(30), .min_keep = 2}),
            (Keys{"c"}));
}

TEST(Retention, TheNewestVerifiedOneStaysWhateverThePolicySays) {
  EXPECT_EQ(Deleted({Backup("a", days(40))}, {.keep_last = 0, .max_age = days(1), .min_keep = 0}),
            Keys{});
}

TEST(Retention, UnverifiedOnesDoNotTakeThePlaceOfVerifiedOnes) {
  EXPECT_EQ(Deleted({Backup("a", hours(1)), Backup("bad", hours(2), false), Backup("b", hours(3))},
                    {.keep_last = 2}),
            Keys{});
}

TEST(Retention, UnverifiedOnesGoByAge) {
  const std::vector<StoredBackup> stored = {Backup("a", hours(1)), Backup("bad", days(2), false),
                                            Backup("worse", days(4), false)};
  EXPECT_EQ(Deleted(stored, {.unverified_max_age = days(3)}), (Keys{"worse"}));
  EXPECT_EQ(Deleted(stored, {.max_age = days(1)}), (Keys{"worse", "bad"}));
  EXPECT_EQ(Deleted(stored, {}), Keys{});
}

TEST(Retention, NothingGoesWhileTheNewestIsNotVerified) {
  EXPECT_EQ(Deleted({Backup("bad", hours(1), false), Backup("a", hours(2)), Backup("b", days(90))},
                    {.keep_last = 1, .max_age = days(1)}),
            Keys{});
}

TEST(Retention, RandomHistoriesNeverLoseTheNewestVerifiedOne) {
  std::mt19937 random(7);
  const auto upto = [&](int max) { return static_cast<int>(random() % unsigned(max + 1)); };
  for (int round = 0; round < 3000; ++round) {
    std::vector<StoredBackup> stored;
    for (int i = upto(40); i > 0; --i) {
      stored.push_back(Backup(std::to_string(i), hours(upto(3000)), upto(3) > 0));
    }
    RetentionPolicy policy{.keep_last = upto(5),
                           .keep_daily = upto(4),
                           .keep_weekly = upto(4),
                           .keep_monthly = upto(3),
                           .min_keep = upto(3)};
    if (upto(1) == 0) policy.max_age = hours(upto(2000));
    const auto deleted = SelectForDeletion(stored, policy, kNow);
    const auto is_deleted = [&](const StoredBackup& backup) {
      return std::find(deleted.begin(), deleted.end(), backup) != deleted.end();
    };
    const StoredBackup* newest = nullptr;
    int verified = 0;
    int kept = 0;
    for (const StoredBackup& backup : stored) {
      if (!backup.is_verified) continue;
      ++verified;
      kept += is_deleted(backup) ? 0 : 1;
      if (newest == nullptr || backup.at > newest->at) newest = &backup;
    }
    ASSERT_GE(kept, std::min(verified, std::max(policy.min_keep, 1)));
    // Of several of the same hour any may stay.
    ASSERT_TRUE(newest == nullptr ||
                std::any_of(stored.begin(), stored.end(), [&](const StoredBackup& backup) {
                  return backup.is_verified && backup.at == newest->at && !is_deleted(backup);
                }));
  }
}

}  // namespace
}  // namespace etcd::backup
