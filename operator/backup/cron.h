#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

// When a schedule fires (operator-spec 10.4). Pure.
namespace etcd::backup {

// Five fields: minute hour day-of-month month day-of-week. Immutable.
class CronSchedule {
 public:
  // `*`, lists, ranges, steps, names (any case), `?` for `*`, 7 for Sunday, and the macros @hourly
  // @daily @midnight @weekly @monthly @yearly @annually. Invalid argument: a sentence that names
  // the field and says what to write, also for a date that never comes (30 February).
  static absl::StatusOr<CronSchedule> Parse(std::string_view text);

  // The first instant after `after` at which it fires, by the wall clock of `zone`: a local time
  // that is skipped fires at the first instant after the gap, one that comes twice fires the first
  // time only. InfiniteFuture when there is none within ten years.
  absl::Time NextAfter(absl::Time after, const absl::TimeZone& zone) const;

 private:
  struct Field {
    std::uint64_t bits = 0;  // bit n: the value n
    bool is_any = false;     // written as `*` or `?`
    bool Has(int value) const { return (bits >> value & 1) != 0; }
    // The smallest value of at least `from`.
    std::optional<int> AtLeast(int from) const;
  };
  struct FieldSpec;
  static absl::StatusOr<Field> ParseField(std::string_view text, const FieldSpec& spec);
  static absl::Status AddItem(std::string_view item, const FieldSpec& spec, Field& field);

  bool MatchesDay(absl::CivilDay day) const;
  // The first minute of at least `from` whose fields match.
  std::optional<absl::CivilMinute> FirstMatch(absl::CivilMinute from) const;

  Field minute_, hour_, day_, month_, weekday_;  // weekday: 0 is Sunday
};

// An IANA name, from the zone files of the system ($TZDIR or /usr/share/zoneinfo). Invalid argument
// with a sentence when there is no such zone. "Local" and names that leave the folder are refused.
absl::StatusOr<absl::TimeZone> FindZone(std::string_view name);

// The times at which a schedule should have fired in (after, now], as far as they matter.
struct DueRuns {
  std::optional<absl::Time> latest{};  // of them; to be run if it is not too late
  std::int64_t missed = 0;             // the others; a bound when `is_many`
  bool is_many = false;                // more than kMissedMax, counting stopped there
};
inline constexpr std::int64_t kMissedMax = 100;
DueRuns FindDueRuns(const CronSchedule& schedule, const absl::TimeZone& zone, absl::Time after,
                    absl::Time now);

}  // namespace etcd::backup
