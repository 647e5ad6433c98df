#pragma once

#include <string>

#include "operator/backup_control/backup_metrics.h"
#include "operator/kube/controller.h"
#include "operator/model/cluster.h"
#include "operator/model/restore.h"

namespace etcd::backup_control {

// Brings a backup back as a new EtcdCluster (operator-spec 11): makes the cluster with its source
// in spec.bootstrap, follows it until all members are there, and tells what its seed's restore
// said. The cluster stays when the EtcdRestore is deleted. Restores in place are refused.
class RestoreController final : public kube::Controller {
 public:
  // `metrics` outlives it.
  RestoreController(const kube::ControllerContext& context, BackupMetrics& metrics)
      : context_(context), metrics_(metrics) {}

  std::string_view kind() const override { return model::EtcdRestore::kKind; }
  std::vector<Watched> watched() const override;
  kube::WorkQueue::Result Reconcile(const kube::WorkKey& key, const std::stop_token& stop) override;

 private:
  using Result = kube::WorkQueue::Result;
  struct Look {
    kube::Object object;
    model::EtcdRestore restore;
    model::EtcdRestoreStatus status;
    std::string now;
  };

  Result Advance(Look& look);
  Result Validate(Look& look);
  Result Follow(Look& look, const kube::Object& object);
  // What the seed's restore reported, into the status; a failure that is final ends the restore.
  absl::StatusOr<bool> ReadSeed(Look& look, const std::string& cluster);
  absl::Status MakeCluster(const Look& look);
  void Step(Look& look, model::EtcdRestoreStatusPhase phase, const std::string& message);
  Result Wait(Look& look, std::string_view reason, const std::string& message);
  Result Fail(Look& look, std::string_view reason, const std::string& message);
  Result Complete(Look& look);
  absl::Status WriteStatus(Look& look);

  const kube::ControllerContext context_;
  BackupMetrics& metrics_;
};

}  // namespace etcd::backup_control
