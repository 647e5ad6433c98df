#include "operator/backup_control/controllers.h"

#include "operator/backup_control/restore_controller.h"
#include "operator/backup_control/schedule_controller.h"

namespace etcd::backup_control {

std::vector<std::unique_ptr<kube::Controller>> BackupControllers(
    const kube::ControllerContext& context, const BackupOptions& options, BackupMetrics& metrics) {
  std::vector<std::unique_ptr<kube::Controller>> controllers;
  controllers.push_back(std::make_unique<BackupController>(context, options, metrics));
  controllers.push_back(std::make_unique<ScheduleController>(context, metrics));
  controllers.push_back(std::make_unique<RestoreController>(context, options.pod, metrics));
  return controllers;
}

}  // namespace etcd::backup_control
