#include "operator/backup/cron.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/status.h"

namespace etcd::backup {
namespace {

absl::TimeZone Zone(std::string_view name) { return FindZone(name).value(); }

absl::Time At(const std::string& text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime("%Y-%m-%d %H:%M:%S%Ez", text, &time, &error)) << text << error;
  return time;
}

std::string In(absl::Time time, const absl::TimeZone& zone) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S%Ez", time, zone);
}

struct NextCase {
  const char* schedule;
  const char* zone;
  const char* after;
  std::vector<const char*> expected;
};

class CronNext : public testing::TestWithParam<NextCase> {};

TEST_P(CronNext, FiresAt) {
  const NextCase& c = GetParam();
  const auto schedule = CronSchedule::Parse(c.schedule);
  ASSERT_TRUE(schedule.ok()) << schedule.status();
  absl::Time at = At(c.after);
  for (const char* const expected : c.expected) {
    at = schedule->NextAfter(at, Zone(c.zone));
    EXPECT_EQ(In(at, Zone(c.zone)), expected) << c.schedule;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Fields, CronNext,
    testing::Values(
        NextCase{"* * * * *", "UTC", "2026-01-01 00:00:30+00:00", {"2026-01-01 00:01:00+00:00"}},
        NextCase{"17 */6 * * *",
                 "UTC",
                 "2026-01-01 06:17:00+00:00",
                 {"2026-01-01 12:17:00+00:00", "2026-01-01 18:17:00+00:00",
                  "2026-01-02 00:17:00+00:00"}},
        NextCase{"5,10-12 9 * * *",
                 "UTC",
                 "2026-01-01 09:05:00+00:00",
                 {"2026-01-01 09:10:00+00:00", "2026-01-01 09:11:00+00:00",
                  "2026-01-01 09:12:00+00:00", "2026-01-02 09:05:00+00:00"}},
        NextCase{"0 0 1-10/4 * *",
                 "UTC",
                 "2026-01-01 00:00:00+00:00",
                 {"2026-01-05 00:00:00+00:00", "2026-01-09 00:00:00+00:00",
                  "2026-02-01 00:00:00+00:00"}},
        NextCase{"0 20/2 ? * ?",
                 "UTC",
                 "2026-01-01 00:00:00+00:00",
                 {"2026-01-01 20:00:00+00:00", "2026-01-01 22:00:00+00:00",
                  "2026-01-02 20:00:00+00:00"}},
        NextCase{"0 12 * jAn-FEB Mon",
                 "UTC",
                 "2026-02-20 00:00:00+00:00",
                 {"2026-02-23 12:00:00+00:00", "2027-01-04 12:00:00+00:00"}},
        NextCase{"0 0 * * 7", "UTC", "2026-01-01 00:00:00+00:00", {"2026-01-04 00:00:00+00:00"}},
        NextCase{"0 0 * * 0", "UTC", "2026-01-01 00:00:00+00:00", {"2026-01-04 00:00:00+00:00"}},
        NextCase{"0 0 * * 5-7",
                 "UTC",
                 "2026-01-01 00:00:00+00:00",
                 {"2026-01-02 00:00:00+00:00", "2026-01-03 00:00:00+00:00",
                  "2026-01-04 00:00:00+00:00", "2026-01-09 00:00:00+00:00"}},
        // Both days are restricted: either one fires.
        NextCase{"0 0 13 * fri",
                 "UTC",
                 "2026-02-06 00:00:00+00:00",
                 {"2026-02-13 00:00:00+00:00", "2026-02-20 00:00:00+00:00",
                  "2026-02-27 00:00:00+00:00", "2026-03-06 00:00:00+00:00"}},
        // One of them is `*` with a step: that is a restriction.
        NextCase{"0 0 */10 * sat",
                 "UTC",
                 "2026-01-01 00:00:00+00:00",
                 {"2026-01-03 00:00:00+00:00", "2026-01-10 00:00:00+00:00",
                  "2026-01-11 00:00:00+00:00"}},
        NextCase{"0 0 29 2 *", "UTC", "2096-02-29 00:00:00+00:00", {"2104-02-29 00:00:00+00:00"}},
        NextCase{"0 0 31 * *", "UTC", "2026-01-31 00:00:00+00:00", {"2026-03-31 00:00:00+00:00"}},
        NextCase{"@hourly", "UTC", "2026-01-01 00:59:59+00:00", {"2026-01-01 01:00:00+00:00"}},
        NextCase{
            "@Daily", "Asia/Tokyo", "2026-01-01 00:00:00+09:00", {"2026-01-02 00:00:00+09:00"}},
        NextCase{"@midnight", "UTC", "2026-01-01 00:00:00+00:00", {"2026-01-02 00:00:00+00:00"}},
        NextCase{"@weekly", "UTC", "2026-01-01 00:00:00+00:00", {"2026-01-04 00:00:00+00:00"}},
        NextCase{"@monthly", "UTC", "2026-01-01 00:00:00+00:00", {"2026-02-01 00:00:00+00:00"}},
        NextCase{"@yearly", "UTC", "2026-01-01 00:00:00+00:00", {"2027-01-01 00:00:00+00:00"}},
        NextCase{"@annually", "UTC", "2025-12-31 23:59:59+00:00", {"2026-01-01 00:00:00+00:00"}}));

INSTANTIATE_TEST_SUITE_P(
    Zones, CronNext,
    testing::Values(
        // Spring in Berlin: 2026-03-29 has no 02:00 to 03:00. What is skipped fires after the gap.
        NextCase{"30 2 * * *",
                 "Europe/Berlin",
                 "2026-03-28 02:30:00+01:00",
                 {"2026-03-29 03:00:00+02:00", "2026-03-30 02:30:00+02:00"}},
        NextCase{"*/20 * * * *",
                 "Europe/Berlin",
                 "2026-03-29 01:20:00+01:00",
                 {"2026-03-29 01:40:00+01:00", "2026-03-29 03:00:00+02:00",
                  "2026-03-29 03:20:00+02:00"}},
        NextCase{"0 * * * *",
                 "Europe/Berlin",
                 "2026-03-29 01:00:00+01:00",
                 {"2026-03-29 03:00:00+02:00", "2026-03-29 04:00:00+02:00"}},
        // What is due at the end of the gap fires once with what was skipped.
        NextCase{"15 2,3 * * *",
                 "Europe/Berlin",
                 "2026-03-28 03:15:00+01:00",
                 {"2026-03-29 03:00:00+02:00", "2026-03-29 03:15:00+02:00"}},
        // Autumn: 2026-10-25 has 02:00 to 03:00 twice; the first time counts.
        NextCase{"30 2 * * *",
                 "Europe/Berlin",
                 "2026-10-24 02:30:00+02:00",
                 {"2026-10-25 02:30:00+02:00", "2026-10-26 02:30:00+01:00"}},
        NextCase{"*/30 * * * *",
                 "Europe/Berlin",
                 "2026-10-25 01:30:00+02:00",
                 {"2026-10-25 02:00:00+02:00", "2026-10-25 02:30:00+02:00",
                  "2026-10-25 03:00:00+01:00"}},
        // Asked in the middle of the hour's second time.
        NextCase{"30 2 * * *",
                 "Europe/Berlin",
                 "2026-10-25 02:10:00+01:00",
                 {"2026-10-26 02:30:00+01:00"}},
        // America: the other way round of the year, at another hour.
        NextCase{"30 2 * * *",
                 "America/New_York",
                 "2026-03-07 02:30:00-05:00",
                 {"2026-03-08 03:00:00-04:00"}},
        NextCase{"30 1 * * *",
                 "America/New_York",
                 "2026-10-31 01:30:00-04:00",
                 {"2026-11-01 01:30:00-04:00", "2026-11-02 01:30:00-05:00"}},
        // Half an hour only.
        NextCase{"15 2 * * *",
                 "Australia/Lord_Howe",
                 "2026-10-03 02:15:00+10:30",
                 {"2026-10-04 02:30:00+11:00", "2026-10-05 02:15:00+11:00"}},
        // Midnight itself is skipped.
        NextCase{"@daily",
                 "America/Santiago",
                 "2026-09-05 00:00:00-04:00",
                 {"2026-09-06 01:00:00-03:00", "2026-09-07 00:00:00-03:00"}},
        // A whole day: Samoa had no 2011-12-30.
        NextCase{"0 12 * * *",
                 "Pacific/Apia",
                 "2011-12-29 12:00:00-10:00",
                 {"2011-12-31 00:00:00+14:00", "2011-12-31 12:00:00+14:00"}},
        // Beyond the end of what zone files list.
        NextCase{"30 2 * * *",
                 "Europe/Berlin",
                 "2060-03-27 02:30:00+01:00",
                 {"2060-03-28 03:00:00+02:00"}}));

TEST(CronParse, RefusesWithASentence) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "five fields"},
      {"* * * *", "five fields"},
      {"0 * * * * *", "leave the seconds out"},
      {"60 * * * *", "minute"},
      {"* 24 * * *", "hour"},
      {"* * 0 * *", "day of the month"},
      {"* * * 13 *", "month"},
      {"* * * * 8", "weekday"},
      {"5-2 * * * *", "begins after its end"},
      {"*/0 * * * *", "step"},
      {"*/ * * * *", "step"},
      {"-1 * * * *", "not understood"},
      {"1, * * * *", "not understood"},
      {"a * * * *", "not understood"},
      {"1-2-3 * * * *", "not understood"},
      {"99999999999 * * * *", "not understood"},
      {"* * * foo *", "not understood"},
      {"0 0 30 2 *", "never comes"},
      {"@sometimes", "no schedule"},
      {"@reboot", "no schedule"},
      {"CRON_TZ=UTC 0 0 * * *", "timeZone"},
  };
  for (const auto& [text, part] : cases) {
    const auto schedule = CronSchedule::Parse(text);
    ASSERT_FALSE(schedule.ok()) << text;
    EXPECT_NE(base::MessageOf(schedule.status()).find(part), std::string_view::npos)
        << text << ": " << schedule.status();
  }
}

TEST(CronZone, OnlyNamesOfZonesAreTaken) {
  EXPECT_TRUE(FindZone("Etc/UTC").ok());
  EXPECT_TRUE(FindZone("America/Argentina/Buenos_Aires").ok());
  for (const char* const name :
       {"", "Local", "localtime", "Mars/Olympus", "/etc/localtime", "../../etc/passwd",
        "Europe/../../../../etc/localtime", "Fixed/UTC+01:00:00"}) {
    EXPECT_FALSE(FindZone(name).ok()) << name;
  }
}

TEST(CronDueRuns, NothingIsDueBeforeItsTime) {
  const auto daily = CronSchedule::Parse("@daily").value();
  const DueRuns due = FindDueRuns(daily, absl::UTCTimeZone(), At("2026-01-01 00:00:00+00:00"),
                                  At("2026-01-01 23:59:59+00:00"));
  EXPECT_FALSE(due.latest);
  EXPECT_EQ(due.missed, 0);
}

TEST(CronDueRuns, TheLatestIsRunAndTheOthersAreCounted) {
  const auto daily = CronSchedule::Parse("@daily").value();
  const DueRuns due = FindDueRuns(daily, absl::UTCTimeZone(), At("2026-01-01 00:00:00+00:00"),
                                  At("2026-01-04 00:00:00+00:00"));
  EXPECT_EQ(due.latest, At("2026-01-04 00:00:00+00:00"));
  EXPECT_EQ(due.missed, 2);
  EXPECT_FALSE(due.is_many);
}

TEST(CronDueRuns, OfVeryManyOnlyTheLatestIsFound) {
  const auto minutely = CronSchedule::Parse("* * * * *").value();
  const DueRuns due = FindDueRuns(minutely, absl::UTCTimeZone(), At("2020-01-01 00:00:00+00:00"),
                                  At("2026-01-04 00:00:30+00:00"));
  EXPECT_EQ(due.latest, At("2026-01-04 00:00:00+00:00"));
  EXPECT_EQ(due.missed, kMissedMax + 1);
  EXPECT_TRUE(due.is_many);
}

TEST(CronDueRuns, TheLatestOfManyIsFoundAlsoWhenItIsLongAgo) {
  // Every minute of January, asked in December.
  const auto january = CronSchedule::Parse("* * * 1 *").value();
  const DueRuns due = FindDueRuns(january, absl::UTCTimeZone(), At("2026-01-01 00:00:00+00:00"),
                                  At("2026-12-04 00:00:30+00:00"));
  EXPECT_EQ(due.latest, At("2026-01-31 23:59:00+00:00"));
  EXPECT_TRUE(due.is_many);
}

}  // namespace
}  // namespace etcd::backup
