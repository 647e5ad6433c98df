#pragma once

#include <optional>
#include <string>

#include "operator/backup/order.h"
#include "operator/backup_control/backup_metrics.h"
#include "operator/backup_control/pod_parts.h"
#include "operator/kube/controller.h"
#include "operator/model/backup.h"

namespace etcd::backup_control {

struct BackupOptions {
  PodOptions pod{};
  std::string cluster_domain{"cluster.local"};
};

// Runs an EtcdBackup: a Job for each try, the report of its pod, the status (operator-spec 10.1).
// Nothing is remembered here; Completed and Failed are final.
class BackupController final : public kube::Controller {
 public:
  // `metrics` outlives it.
  BackupController(const kube::ControllerContext& context, BackupOptions options,
                   BackupMetrics& metrics)
      : context_(context), options_(std::move(options)), metrics_(metrics) {}

  std::string_view kind() const override { return model::EtcdBackup::kKind; }
  std::vector<Watched> watched() const override;
  kube::WorkQueue::Result Reconcile(const kube::WorkKey& key, const std::stop_token& stop) override;

 private:
  using Result = kube::WorkQueue::Result;
  // An EtcdBackup while it is looked at. `status` is written at the end when it has changed.
  struct Look {
    kube::Object object;
    model::EtcdBackup backup;
    model::EtcdBackupStatus status;
    std::string now;
  };

  Result Advance(Look& look);
  Result Begin(Look& look);
  Result Follow(Look& look, const kube::Object& job);
  Result Collect(Look& look, const kube::Object& job);
  Result AfterFailure(Look& look, const kube::Object& job, const backup::Report& report);
  Result Finish(Look& look, const backup::Report& report);
  Result Fail(Look& look, const std::string& reason, const std::string& message);
  Result Expire(const Look& look);
  Result Delete(Look& look);
  Result Wait(Look& look, std::string_view reason, const std::string& message);

  // A sentence about what is not there yet; empty when all is.
  absl::StatusOr<std::string> MissingPart(const Look& look);
  absl::StatusOr<std::vector<std::string>> EndpointsOf(const Look& look);
  absl::StatusOr<backup::Order> MakeOrder(const Look& look, backup::OrderKind kind);
  absl::StatusOr<std::optional<kube::Json>> PodOf(const kube::Object& job);
  absl::Status CreateJob(const Look& look, const std::string& name, backup::OrderKind kind);
  absl::Status WriteStatus(Look& look);
  void SetReady(Look& look, model::ConditionStatus status, std::string_view reason,
                const std::string& message);
  void Count(const Look& look, bool is_ok);

  const kube::ControllerContext context_;
  const BackupOptions options_;
  BackupMetrics& metrics_;
};

}  // namespace etcd::backup_control
