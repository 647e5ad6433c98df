#include "operator/backup/retention.h"

#include <algorithm>
#include <set>
#include <utility>

namespace etcd::backup {
namespace {

using std::chrono::days;

std::int64_t DayOf(WallTime at) { return std::chrono::floor<days>(at).time_since_epoch().count(); }

// Day 0 was a Thursday.
std::int64_t WeekOf(WallTime at) {
  const std::int64_t from_monday = DayOf(at) + 3;
  return (from_monday >= 0 ? from_monday : from_monday - 6) / 7;
}

std::int64_t MonthOf(WallTime at) {
  const std::chrono::year_month_day date(std::chrono::floor<days>(at));
  return static_cast<int>(date.year()) * 12 + static_cast<int>(static_cast<unsigned>(date.month()));
}

// Marks the newest backup of each of the last `count` periods. `verified` is newest first.
void KeepPeriods(const std::vector<StoredBackup>& verified, int count,
                 std::int64_t (*period_of)(WallTime), std::set<std::string>& kept) {
  std::set<std::int64_t> seen;
  for (const StoredBackup& backup : verified) {
    if (static_cast<int>(seen.size()) >= count) return;
    if (seen.insert(period_of(backup.at)).second) kept.insert(backup.key);
  }
}

std::set<std::string> KeysToKeep(const std::vector<StoredBackup>& verified,
                                 const RetentionPolicy& policy, WallTime now) {
  std::set<std::string> kept;
  const auto last = static_cast<std::size_t>(std::max(policy.keep_last, 0));
  for (std::size_t i = 0; i < verified.size() && i < last; ++i) kept.insert(verified[i].key);
  KeepPeriods(verified, policy.keep_daily, &DayOf, kept);
  KeepPeriods(verified, policy.keep_weekly, &WeekOf, kept);
  KeepPeriods(verified, policy.keep_monthly, &MonthOf, kept);
  if (policy.max_age) {
    for (const StoredBackup& backup : verified) {
      if (backup.at + *policy.max_age < now) kept.erase(backup.key);
    }
  }
  // Age does not touch these: a schedule that stands still must not lose its last backups.
  const auto least = static_cast<std::size_t>(std::max(policy.min_keep, 1));
  for (std::size_t i = 0; i < verified.size() && i < least; ++i) kept.insert(verified[i].key);
  return kept;
}

}  // namespace

std::vector<StoredBackup> SelectForDeletion(std::vector<StoredBackup> stored,
                                            const RetentionPolicy& policy, WallTime now) {
  std::sort(stored.begin(), stored.end(), [](const StoredBackup& a, const StoredBackup& b) {
    return std::pair(a.at, a.key) > std::pair(b.at, b.key);
  });
  if (stored.empty() || !stored.front().is_verified) return {};
  std::vector<StoredBackup> verified;
  std::copy_if(stored.begin(), stored.end(), std::back_inserter(verified),
               [](const StoredBackup& backup) { return backup.is_verified; });
  const std::set<std::string> kept = KeysToKeep(verified, policy, now);
  const auto unverified_max =
      policy.unverified_max_age ? policy.unverified_max_age : policy.max_age;
  std::vector<StoredBackup> deleted;
  for (auto backup = stored.rbegin(); backup != stored.rend(); ++backup) {
    const bool goes = backup->is_verified ? !kept.contains(backup->key)
                                          : unverified_max && backup->at + *unverified_max < now;
    if (goes) deleted.push_back(std::move(*backup));
  }
  return deleted;
}

}  // namespace etcd::backup
