#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "operator/kube/resource.h"
#include "operator/kube/times.h"

namespace etcd::backup_control {

// The figures of backups and restores (operator-spec 15). Thread-safe.
class BackupMetrics {
 public:
  struct OfSchedule {
    std::string cluster{};
    std::optional<kube::WallTime> last_success{}, last_verified{}, next{};
  };
  void SetSchedule(const kube::ObjectKey& key, OfSchedule figures);
  // The series of a schedule that is gone.
  void DropSchedule(const kube::ObjectKey& key);

  // A backup ended; `schedule` is empty for one by hand.
  void CountBackup(const std::string& ns, const std::string& cluster, const std::string& schedule,
                   bool is_ok, std::int64_t stored_bytes, double seconds);
  void CountRestore(bool is_ok);

  // Appends them in Prometheus' text format.
  void Append(std::string& text) const;

 private:
  struct Ended {
    std::int64_t stored_bytes = 0;
    double seconds = 0;
    std::uint64_t failures = 0;
  };
  using Series = std::string;  // its labels

  mutable std::mutex mu_;
  std::map<kube::ObjectKey, OfSchedule> schedules_;  // guarded by mu_
  // By namespace, cluster and schedule: not bounded by more than what users make.
  std::map<std::array<std::string, 3>, Ended> ended_;    // guarded by mu_
  std::uint64_t restores_ok_ = 0, restores_failed_ = 0;  // guarded by mu_
};

}  // namespace etcd::backup_control
