#pragma once

#include <optional>
#include <string>

#include "operator/backup/order.h"
#include "operator/backup_control/backup_metrics.h"
#include "operator/backup_control/object_controller.h"
#include "operator/backup_control/pod_parts.h"
#include "operator/desired/kinds.h"
#include "operator/model/backup.h"

namespace etcd::backup_control {

struct BackupOptions {
  PodOptions pod{};
  std::string cluster_domain{"cluster.local"};
};

// Runs an EtcdBackup: a Job for each try, the report of its pod, the status (operator-spec 10.1).
// Nothing is remembered here; Completed and Failed are final.
class BackupController final : public ObjectController<ObjectLook<model::EtcdBackup>> {
 public:
  // `metrics` outlives it.
  BackupController(const kube::ControllerContext& context, BackupOptions options,
                   BackupMetrics& metrics)
      : ObjectController(context, desired::kBackups, &model::ParseEtcdBackup),
        options_(std::move(options)),
        metrics_(metrics) {}

  std::vector<Watched> watched() const override;

 private:
  using Look = ObjectLook<model::EtcdBackup>;

  Result Act(Look& look) override;
  Result Delete(Look& look) override;
  Result Advance(Look& look);
  Result Begin(Look& look);
  Result Follow(Look& look, const kube::Object& job);
  Result Collect(Look& look, const kube::Object& job);
  Result AfterFailure(Look& look, const kube::Object& job, const backup::Report& report);
  Result Finish(Look& look, const backup::Report& report);
  Result Fail(Look& look, const std::string& reason, const std::string& message);
  Result Expire(const Look& look);
  Result Wait(Look& look, std::string_view reason, const std::string& message);

  // A sentence about what is not there yet; empty when all is.
  absl::StatusOr<std::string> Missing(const Look& look);
  absl::StatusOr<std::vector<std::string>> EndpointsOf(const Look& look);
  absl::StatusOr<backup::Order> MakeOrder(const Look& look, backup::OrderKind kind);
  absl::Status CreateJob(const Look& look, const std::string& name, backup::OrderKind kind);
  void TellPruned(const Look& look, const backup::Report& report);
  void Count(const Look& look, bool is_ok);

  const BackupOptions options_;
  BackupMetrics& metrics_;
};

}  // namespace etcd::backup_control
