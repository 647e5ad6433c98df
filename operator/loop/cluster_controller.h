#pragma once

#include <memory>
#include <string>
#include <vector>

#include "operator/desired/pod.h"
#include "operator/kube/controller.h"
#include "operator/loop/act.h"
#include "operator/loop/memory.h"
#include "operator/loop/metrics.h"
#include "operator/loop/observe.h"
#include "operator/loop/status.h"
#include "operator/loop/zones.h"

namespace etcd::loop {

// Reconciles EtcdClusters with their members: looks, decides, does one step, reports. Thread-safe
// for different clusters.
class ClusterController final : public kube::Controller {
 public:
  // All of it outlives the controller. `make_seed_parts` may be null.
  ClusterController(const kube::ControllerContext& context, member::EtcdAccess& etcd,
                    desired::Settings settings, Metrics& metrics, MakeSeedParts make_seed_parts);

  std::string_view kind() const override { return "EtcdCluster"; }
  std::vector<Watched> watched() const override;
  kube::WorkQueue::Result Reconcile(const kube::WorkKey& key, const std::stop_token& stop) override;

 private:
  absl::StatusOr<Facts> LookAndDecide(const kube::ObjectKey& key, Memory& memory, Outcome& outcome);
  kube::WorkQueue::Result Delete(Facts& facts, Memory& memory);
  void CountReplacements(const Facts& facts, const plan::Step& step);
  void Execute(const Facts& facts, Memory& memory, Outcome& outcome);
  // The status is written by the object that was read, or not at all.
  absl::Status Report(const Facts& facts, const Outcome& outcome, Memory& memory);
  void ReportForbidden(const kube::ObjectKey& key, const absl::Status& refusal);
  absl::Status WriteStatus(const Facts& facts, const model::EtcdClusterStatus& status);
  void WriteMemberStatus(const Facts& facts, const std::string& now);
  kube::WorkQueue::Result Next(const Facts& facts, const Outcome& outcome, Memory& memory) const;

  const kube::ControllerContext context_;
  const desired::Settings settings_;
  Metrics& metrics_;
  Observer observer_;
  Executor executor_;
  Zones zones_;
  Memories memories_;
};

}  // namespace etcd::loop
