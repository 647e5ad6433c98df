#pragma once

#include <string>
#include <vector>

#include "operator/backup/order.h"
#include "operator/backup_control/pod_parts.h"
#include "operator/model/restore.h"

// Jobs that run workers: one pod each, which tries once. Pure.
namespace etcd::backup_control {

struct JobOptions {
  std::string name{};
  std::string owner_uid{};                            // of the EtcdBackup or EtcdRestore
  std::vector<model::LocalReference> pull_secrets{};  // of the cluster
};

// A backup, step by step, or the deletion of one.
Json BackupJob(const backup::Order& order, const JobOptions& job, const PodOptions& options);

// The trial of what an EtcdRestore is going to restore.
Json TrialJob(const backup::RestoreOrder& order, const model::EtcdRestore& restore,
              const JobOptions& job, const PodOptions& options);

}  // namespace etcd::backup_control
