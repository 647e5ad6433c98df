#include "operator/backup_control/backup_metrics.h"

#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace etcd::backup_control {
namespace {

// Names of objects need no escaping.
std::string LabelsOf(std::string_view ns, std::string_view cluster, std::string_view schedule) {
  return fmt::format("{{namespace=\"{}\",cluster=\"{}\",schedule=\"{}\"}}", ns, cluster, schedule);
}

void Head(std::string& text, std::string_view name, std::string_view type, std::string_view help) {
  text +=
      fmt::format("# HELP etcd_operator_{0} {2}\n# TYPE etcd_operator_{0} {1}\n", name, type, help);
}

double Seconds(kube::WallTime time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

}  // namespace

void BackupMetrics::SetSchedule(const kube::ObjectKey& key, OfSchedule figures) {
  const std::lock_guard lock(mu_);
  schedules_[key] = std::move(figures);
}

void BackupMetrics::DropSchedule(const kube::ObjectKey& key) {
  const std::lock_guard lock(mu_);
  const auto found = schedules_.find(key);
  if (found == schedules_.end()) return;
  ended_.erase({key.ns, found->second.cluster, key.name});
  schedules_.erase(found);
}

void BackupMetrics::CountBackup(const std::string& ns, const std::string& cluster,
                                const std::string& schedule, bool is_ok, std::int64_t stored_bytes,
                                double seconds) {
  const std::lock_guard lock(mu_);
  Ended& ended = ended_[{ns, cluster, schedule}];
  if (!is_ok) {
    ++ended.failures;
    return;
  }
  ended.stored_bytes = stored_bytes;
  ended.seconds = seconds;
}

void BackupMetrics::CountRestore(bool is_ok) {
  const std::lock_guard lock(mu_);
  ++(is_ok ? restores_ok_ : restores_failed_);
}

void BackupMetrics::Append(std::string& text) const {
  const std::lock_guard lock(mu_);
  const auto times = [&](std::string_view name, std::string_view help,
                         std::optional<kube::WallTime> OfSchedule::*field) {
    Head(text, name, "gauge", help);
    for (const auto& [key, schedule] : schedules_) {
      if (!(schedule.*field)) continue;
      text +=
          fmt::format("etcd_operator_{}{} {:.3f}\n", name,
                      LabelsOf(key.ns, schedule.cluster, key.name), Seconds(*(schedule.*field)));
    }
  };
  times("backup_last_success_timestamp_seconds", "When the last backup was stored.",
        &OfSchedule::last_success);
  times("backup_last_verified_timestamp_seconds", "When the last backup was verified.",
        &OfSchedule::last_verified);
  times("backup_next_schedule_timestamp_seconds", "When the next backup is due.",
        &OfSchedule::next);
  const auto figures = [&](std::string_view name, std::string_view type, std::string_view help,
                           const auto& value_of) {
    Head(text, name, type, help);
    for (const auto& [key, ended] : ended_) {
      text += fmt::format("etcd_operator_{}{} {}\n", name, LabelsOf(key[0], key[1], key[2]),
                          value_of(ended));
    }
  };
  figures("backup_size_bytes", "gauge", "Size of the last backup as it is stored.",
          [](const Ended& ended) { return ended.stored_bytes; });
  figures("backup_duration_seconds", "gauge", "How long the last backup took.",
          [](const Ended& ended) { return ended.seconds; });
  figures("backup_failures_total", "counter", "Backups that failed.",
          [](const Ended& ended) { return ended.failures; });
  Head(text, "restore_total", "counter", "Restores that ended.");
  text += fmt::format("etcd_operator_restore_total{{result=\"success\"}} {}\n", restores_ok_);
  text += fmt::format("etcd_operator_restore_total{{result=\"failure\"}} {}\n", restores_failed_);
}

}  // namespace etcd::backup_control
