#include "operator/backup/cron.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "server/base/status.h"

namespace etcd::backup {
namespace {

using Names = std::vector<std::string_view>;

constexpr int kSearchYears = 10;  // two leap days are at most eight years apart

absl::Status Invalid(std::string message) {
  return base::MakeStatus(absl::StatusCode::kInvalidArgument, message);
}

std::string LowerOf(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  std::size_t at = 0;
  while ((at = text.find_first_not_of(" \t", at)) != std::string_view::npos) {
    const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

std::optional<int> NumberOf(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.front() == '-') return {};
  return value;
}

std::string_view MacroOf(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kMacros = {{
      {"@hourly", "0 * * * *"},
      {"@daily", "0 0 * * *"},
      {"@midnight", "0 0 * * *"},
      {"@weekly", "0 0 * * 0"},
      {"@monthly", "0 0 1 * *"},
      {"@yearly", "0 0 1 1 *"},
      {"@annually", "0 0 1 1 *"},
  }};
  for (const auto& [name, fields] : kMacros) {
    if (name == text) return fields;
  }
  return {};
}

// When a local time is: the first instant after the gap for one that is skipped, the first for one
// that comes twice. Never goes back when the minute goes forward.
absl::Time InstantOf(absl::CivilMinute minute, const absl::TimeZone& zone) {
  const absl::TimeZone::TimeInfo info = zone.At(absl::CivilSecond(minute));
  return info.kind == absl::TimeZone::TimeInfo::SKIPPED ? info.trans : info.pre;
}

}  // namespace

struct CronSchedule::FieldSpec {
  std::string_view name;
  int min;
  int max;
  Names names{};  // of min, min + 1, ...

  std::optional<int> ValueOf(std::string_view text) const;
  std::optional<std::pair<int, int>> RangeOf(std::string_view text, bool has_step) const;
};

std::optional<int> CronSchedule::Field::AtLeast(int from) const {
  for (int value = from; value < 64; ++value) {
    if (Has(value)) return value;
  }
  return {};
}

std::optional<int> CronSchedule::FieldSpec::ValueOf(std::string_view text) const {
  const std::string lower = LowerOf(text);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == lower) return min + static_cast<int>(i);
  }
  return text.empty() ? std::nullopt : NumberOf(text);
}

// The range of "a", "a-b", "*", and of "a" before a step, which is from a on.
std::optional<std::pair<int, int>> CronSchedule::FieldSpec::RangeOf(std::string_view text,
                                                                    bool has_step) const {
  if (text == "*" || text == "?") return std::pair(min, max);
  const std::size_t dash = text.find('-');
  const auto low = ValueOf(text.substr(0, dash));
  if (!low) return {};
  if (dash == std::string_view::npos) return std::pair(*low, has_step ? max : *low);
  const auto high = ValueOf(text.substr(dash + 1));
  if (!high) return {};
  return std::pair(*low, *high);
}

absl::Status CronSchedule::AddItem(std::string_view item, const FieldSpec& spec, Field& field) {
  const auto wrong = [&](std::string_view why) {
    return Invalid(
        fmt::format("\"{}\" in the {} of the schedule {}; write numbers from {} to {}, "
                    "ranges such as {}-{}, steps such as */2",
                    item, spec.name, why, spec.min, spec.max, spec.min, spec.max));
  };
  const std::size_t slash = item.find('/');
  const bool has_step = slash != std::string_view::npos;
  const auto range = spec.RangeOf(item.substr(0, slash), has_step);
  if (!range) return wrong("is not understood");
  int step = 1;
  if (has_step) {
    const std::string_view text = item.substr(slash + 1);
    const auto number = text.empty() ? std::nullopt : NumberOf(text);
    if (!number || *number < 1) return wrong("has no step of at least 1");
    step = std::min(*number, 64);
  }
  const auto [first, last] = *range;
  if (first < spec.min || last > spec.max) return wrong("is out of range");
  if (first > last) return wrong("begins after its end");
  for (int value = first; value <= last; value += step) field.bits |= std::uint64_t{1} << value;
  return absl::OkStatus();
}

absl::StatusOr<CronSchedule::Field> CronSchedule::ParseField(std::string_view text,
                                                             const FieldSpec& spec) {
  Field field;
  field.is_any = text == "*" || text == "?";
  for (const std::string_view item : Split(text, ',')) {
    RETURN_IF_ERROR(AddItem(item, spec, field));
  }
  return field;
}

absl::StatusOr<CronSchedule> CronSchedule::Parse(std::string_view text) {
  if (text.find("TZ=") != std::string_view::npos) {
    return Invalid("write the time zone into timeZone, not into the schedule");
  }
  std::vector<std::string_view> words = Words(text);
  if (words.size() == 1 && words[0].starts_with('@')) {
    const std::string_view fields = MacroOf(LowerOf(words[0]));
    if (fields.empty()) {
      return Invalid(fmt::format(
          "{} is no schedule; there are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and "
          "@annually",
          words[0]));
    }
    words = Words(fields);
  }
  if (words.size() == 6) {
    return Invalid(
        "a schedule has five fields, minute hour day month weekday; leave the seconds out");
  }
  if (words.size() != 5) {
    return Invalid(fmt::format("a schedule has five fields, minute hour day month weekday, not {}",
                               words.size()));
  }
  CronSchedule schedule;
  ASSIGN_OR_RETURN(schedule.minute_, ParseField(words[0], {"minute", 0, 59}));
  ASSIGN_OR_RETURN(schedule.hour_, ParseField(words[1], {"hour", 0, 23}));
  ASSIGN_OR_RETURN(schedule.day_, ParseField(words[2], {"day of the month", 1, 31}));
  ASSIGN_OR_RETURN(schedule.month_,
                   ParseField(words[3], {"month",
                                         1,
                                         12,
                                         {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug",
                                          "sep", "oct", "nov", "dec"}}));
  ASSIGN_OR_RETURN(
      schedule.weekday_,
      ParseField(words[4], {"weekday", 0, 7, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}}));
  if (schedule.weekday_.Has(7)) schedule.weekday_.bits |= 1;
  // Any year will do that has a leap day ahead of it.
  if (!schedule.FirstMatch(absl::CivilMinute(2000, 1, 1))) {
    return Invalid("the schedule never comes: no month of it has that day");
  }
  return schedule;
}

bool CronSchedule::MatchesDay(absl::CivilDay day) const {
  if (!month_.Has(static_cast<int>(day.month()))) return false;
  const bool in_month = day_.Has(day.day());
  // absl counts from Monday.
  const bool in_week = weekday_.Has((static_cast<int>(absl::GetWeekday(day)) + 1) % 7);
  if (day_.is_any || weekday_.is_any) return in_month && in_week;
  return in_month || in_week;  // both are restricted: either one fires
}

std::optional<absl::CivilMinute> CronSchedule::FirstMatch(absl::CivilMinute from) const {
  absl::CivilDay day(from);
  const absl::CivilDay end(absl::CivilYear(from) + kSearchYears);
  int hour = from.hour();
  int minute = from.minute();
  for (; day < end; ++day, hour = 0, minute = 0) {
    if (!MatchesDay(day)) continue;
    for (auto h = hour_.AtLeast(hour); h; h = hour_.AtLeast(*h + 1), minute = 0) {
      if (*h != hour) minute = 0;
      if (const auto m = minute_.AtLeast(minute)) {
        return absl::CivilMinute(day.year(), day.month(), day.day(), *h, *m);
      }
    }
  }
  return {};
}

absl::Time CronSchedule::NextAfter(absl::Time after, const absl::TimeZone& zone) const {
  absl::CivilMinute from = absl::ToCivilMinute(after, zone);
  while (const auto match = FirstMatch(from)) {
    const absl::Time at = InstantOf(*match, zone);
    if (at > after) return at;
    from = *match + 1;  // the second time of an hour that comes twice
  }
  return absl::InfiniteFuture();
}

absl::StatusOr<absl::TimeZone> FindZone(std::string_view name) {
  absl::TimeZone zone;
  // cctz also takes "localtime", paths and its own "Fixed/..." names; none is an IANA name.
  const bool is_path = name.empty() || name.front() == '/' || name.find("..") != name.npos;
  if (is_path || LowerOf(name) == "local" || LowerOf(name) == "localtime" ||
      name.starts_with("Fixed/") || !absl::LoadTimeZone(base::ToAbsl(name), &zone)) {
    return Invalid(fmt::format(
        "there is no time zone {}; write an IANA name such as Europe/Berlin or Etc/UTC", name));
  }
  return zone;
}

DueRuns FindDueRuns(const CronSchedule& schedule, const absl::TimeZone& zone, absl::Time after,
                    absl::Time now) {
  DueRuns due;
  for (absl::Time at = schedule.NextAfter(after, zone); at <= now;
       at = schedule.NextAfter(at, zone)) {
    if (due.latest) ++due.missed;
    due.latest = at;
    if (due.missed <= kMissedMax) continue;
    due.is_many = true;
    // Only the latest is looked for now, from ever nearer to `now`.
    for (absl::Duration back = absl::Minutes(1);; back *= 2) {
      const absl::Time from = std::max(now - back, at);
      absl::Time next = schedule.NextAfter(from, zone);
      if (next > now && from > at) continue;
      for (; next <= now; next = schedule.NextAfter(next, zone)) due.latest = next;
      return due;
    }
  }
  return due;
}

}  // namespace etcd::backup
