#pragma once

#include <string>

#include "operator/backup/order.h"
#include "operator/backup_control/backup_metrics.h"
#include "operator/backup_control/object_controller.h"
#include "operator/backup_control/pod_parts.h"
#include "operator/backup_control/restore_init.h"
#include "operator/desired/kinds.h"
#include "operator/model/cluster.h"
#include "operator/model/restore.h"

namespace etcd::backup_control {

struct RestoreLook : ObjectLook<model::EtcdRestore> {
  std::string seed_problem{};  // reason of the failure of its seed's restore
};

// Brings a backup back as a new EtcdCluster (operator-spec 11): tries it in a pod of its own
// (verifyFirst), makes the cluster with its source in spec.bootstrap, follows it until all members
// are there, and tells what its seed's restore said. The cluster stays when the EtcdRestore is
// deleted. Restores in place are refused.
class RestoreController final : public ObjectController<RestoreLook> {
 public:
  // `metrics` outlives it.
  RestoreController(const kube::ControllerContext& context, PodOptions pod, BackupMetrics& metrics)
      : ObjectController(context, desired::kRestores, &model::ParseEtcdRestore),
        pod_(std::move(pod)),
        metrics_(metrics) {}

  std::vector<Watched> watched() const override;

 private:
  using Look = RestoreLook;

  Result Act(Look& look) override;
  Result Advance(Look& look);
  Result Validate(Look& look);
  // The source as it is stored; nothing, told in the status, when it cannot be used (yet).
  absl::StatusOr<std::optional<StoredAt>> FindSource(Look& look);
  // False while it runs, waits, or has failed, which the status tells.
  absl::StatusOr<bool> HasPassedTrial(Look& look, const StoredAt& stored);
  absl::Status MakeTrial(const Look& look, const StoredAt& stored, const std::string& name);
  absl::Status AfterTrial(Look& look, const kube::Object& job, const backup::Report& report);
  Result Follow(Look& look, const kube::Object& object);
  // What the seed's restore reported, into the status; a failure that is final ends the restore.
  absl::StatusOr<bool> ReadSeed(Look& look, const std::string& cluster);
  absl::Status MakeCluster(const Look& look);
  void Step(Look& look, model::EtcdRestoreStatusPhase phase, const std::string& message);
  Result Wait(Look& look, std::string_view reason, const std::string& message);
  Result Fail(Look& look, std::string_view reason, const std::string& message);
  Result Complete(Look& look);

  const PodOptions pod_;
  BackupMetrics& metrics_;
};

}  // namespace etcd::backup_control
