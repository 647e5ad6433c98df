#pragma once

#include <optional>
#include <string>
#include <vector>

#include <absl/time/time.h>

#include "operator/backup/cron.h"
#include "operator/backup_control/backup_metrics.h"
#include "operator/kube/controller.h"
#include "operator/model/backup.h"
#include "operator/model/cluster_status.h"

namespace etcd::backup_control {

// Makes EtcdBackups at the times of an EtcdBackupSchedule and tells how they go (operator-spec
// 10.4, 10.5). What is stored is deleted by the workers; here only objects are. Nothing is
// remembered: a time's backup has a name of its own, so making it twice is found out.
class ScheduleController final : public kube::Controller {
 public:
  // `metrics` outlives it.
  ScheduleController(const kube::ControllerContext& context, BackupMetrics& metrics)
      : context_(context), metrics_(metrics) {}

  std::string_view kind() const override { return model::EtcdBackupSchedule::kKind; }
  std::vector<Watched> watched() const override;
  kube::WorkQueue::Result Reconcile(const kube::WorkKey& key, const std::stop_token& stop) override;

 private:
  using Result = kube::WorkQueue::Result;
  struct Look {
    kube::Object object;
    model::EtcdBackupSchedule schedule;
    model::EtcdBackupScheduleStatus status;
    std::vector<model::EtcdBackup> backups;  // of this schedule, oldest first
    kube::WallTime now;
    std::string now_text;
  };
  struct Plan {
    backup::CronSchedule cron;
    absl::TimeZone zone;
  };

  absl::StatusOr<Look> Read(const kube::Object& object);
  Result Run(Look& look, const Plan& plan);
  // Makes what is due; how long to wait before the next look, if something waits for it.
  absl::StatusOr<std::optional<std::chrono::nanoseconds>> RunDue(Look& look, const Plan& plan);
  absl::Status Start(Look& look, kube::WallTime at);
  absl::Status MakeRoom(const Look& look);
  absl::Status Forget(const Look& look);
  void Summarize(Look& look, const Plan* plan);
  void SetStale(Look& look, const Plan& plan);
  absl::Status WriteStatus(Look& look);
  // The cluster's status.backup and its condition BackupHealthy.
  absl::Status TellCluster(const Look& look);
  Result Refuse(Look& look, const std::string& why);

  const kube::ControllerContext context_;
  BackupMetrics& metrics_;
};

}  // namespace etcd::backup_control
