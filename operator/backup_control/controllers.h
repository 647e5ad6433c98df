#pragma once

#include <memory>
#include <vector>

#include "operator/backup_control/backup_controller.h"
#include "operator/backup_control/backup_metrics.h"
#include "operator/kube/controller.h"

namespace etcd::backup_control {

// The controllers of EtcdBackup, EtcdBackupSchedule and EtcdRestore. `metrics` outlives them.
std::vector<std::unique_ptr<kube::Controller>> BackupControllers(
    const kube::ControllerContext& context, const BackupOptions& options, BackupMetrics& metrics);

}  // namespace etcd::backup_control
