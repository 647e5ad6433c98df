#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// Which stored backups of one schedule go (operator-spec 10.5). Pure.
namespace etcd::backup {

using WallTime = std::chrono::system_clock::time_point;

// A backup as its manifest tells of it.
struct StoredBackup {
  std::string key{};  // of the data
  WallTime at{};
  bool is_verified = false;
  bool operator==(const StoredBackup&) const = default;
};

struct RetentionPolicy {
  int keep_last = 7;
  int keep_daily = 0;   // the last one of each of so many days (UTC) that have any; likewise below
  int keep_weekly = 0;  // weeks begin on Monday
  int keep_monthly = 0;
  std::optional<std::chrono::seconds> max_age{};
  int min_keep = 1;  // never fewer verified ones than this, whatever their age
  std::optional<std::chrono::seconds> unverified_max_age{};  // nothing: as max_age
};

// What is to be deleted, oldest first. Only verified backups count for keeping; unverified ones go
// by age alone. The newest verified one is never among them. Nothing at all when the newest backup
// is not verified: something is wrong now, and the old ones may be needed.
std::vector<StoredBackup> SelectForDeletion(std::vector<StoredBackup> stored,
                                            const RetentionPolicy& policy, WallTime now);

}  // namespace etcd::backup
