#pragma once

#include <optional>
#include <string>
#include <vector>

#include <absl/time/time.h>

#include "operator/backup/cron.h"
#include "operator/backup_control/backup_metrics.h"
#include "operator/backup_control/object_controller.h"
#include "operator/desired/kinds.h"
#include "operator/model/backup.h"
#include "operator/model/cluster_status.h"

namespace etcd::backup_control {

struct ScheduleLook : ObjectLook<model::EtcdBackupSchedule> {
  std::vector<model::EtcdBackup> backups{};  // that it made, oldest first
};

// Makes EtcdBackups at the times of an EtcdBackupSchedule and tells how they go (operator-spec
// 10.4, 10.5). What is stored is deleted by the workers; here only objects are. Nothing is
// remembered: a time's backup has a name of its own, so making it twice is found out.
class ScheduleController final : public ObjectController<ScheduleLook> {
 public:
  // `metrics` outlives it.
  ScheduleController(const kube::ControllerContext& context, BackupMetrics& metrics)
      : ObjectController(context, desired::kSchedules, &model::ParseEtcdBackupSchedule),
        metrics_(metrics) {}

  std::vector<Watched> watched() const override;

 private:
  using Look = ScheduleLook;

  Result Act(Look& look) override;
  void Gone(const kube::ObjectKey& key) override { metrics_.DropSchedule(key); }

  struct Plan {
    backup::CronSchedule cron;
    absl::TimeZone zone;
  };

  absl::Status ReadBackups(Look& look);
  Result Run(Look& look, const Plan& plan);
  // Makes what is due; how long to wait before the next look, if something waits for it.
  absl::StatusOr<std::optional<std::chrono::nanoseconds>> RunDue(Look& look, const Plan& plan);
  absl::Status Start(Look& look, kube::WallTime at);
  absl::Status MakeRoom(const Look& look);
  absl::Status Forget(const Look& look);
  void Summarize(Look& look, const Plan* plan);
  void SetStale(Look& look, const Plan& plan);
  // The cluster's status.backup and its condition BackupHealthy.
  absl::Status TellCluster(const Look& look);
  Result Refuse(Look& look, const std::string& why);

  BackupMetrics& metrics_;
};

}  // namespace etcd::backup_control
