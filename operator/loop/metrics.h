#pragma once

#include <map>
#include <mutex>
#include <string>

#include "operator/kube/client.h"
#include "operator/kube/informer.h"
#include "operator/kube/work_queue.h"
#include "server/metrics/registry.h"

namespace etcd::loop {

// What /metrics shows of one cluster. Vanishes with it.
struct ClusterFigures {
  int replicas = 0;  // wanted
  int ready = 0;
  int voters = 0;
  int learners = 0;
  bool is_quorate = false;
  std::map<std::string, double> conditions{};  // type -> 1 true, 0 false, -1 unknown
};

// The operator's metrics (operator-spec 15). Thread-safe.
class Metrics final : public kube::ClientObserver, public kube::InformerObserver {
 public:
  Metrics(std::string version, std::string revision);

  void Reconciled(std::string_view kind, const absl::Status& status, double seconds);
  void StepDone(std::string_view type, std::string_view result, double seconds);
  // A member goes and another one will take its place. `cause`: UserRequest, RemovedByHand.
  void Replaced(std::string_view cause);
  // A replacement came to a gate that it has to wait at.
  void ReplacementBlocked(std::string_view gate);
  void SetCluster(const kube::ObjectKey& key, ClusterFigures figures);
  void DropCluster(const kube::ObjectKey& key);
  void SetLeader(bool is_leader);
  void SetQueue(const kube::QueueCore::Stats& stats);

  void OnRequest(std::string_view method, const kube::Resource& resource, int code,
                 std::chrono::nanoseconds took) override;
  void OnWatchEnded(const kube::Resource& resource, const absl::Status& reason) override;
  void OnListed(const kube::Resource& resource, std::size_t objects) override;
  void OnListFailed(const kube::Resource& resource, const absl::Status& reason) override;

  // Prometheus' text format.
  std::string Text();
  metrics::Registry& registry() { return registry_; }

 private:
  void ShowClusters();
  void Count(std::string_view name, std::string_view help, const metrics::Labels& labels);
  void Observe(std::string_view name, std::string_view help, const metrics::Labels& labels,
               double seconds);

  std::mutex mu_;
  metrics::Registry registry_;  // additions of one name are guarded by mu_
  std::map<std::pair<std::string, metrics::Labels>, metrics::Counter*> counters_;
  std::map<std::pair<std::string, metrics::Labels>, metrics::Histogram*> histograms_;
  std::map<kube::ObjectKey, ClusterFigures> clusters_;  // guarded by mu_
  metrics::Gauge& leader_;
  metrics::Gauge &queue_depth_, &queue_oldest_;
  metrics::Counter &queue_adds_, &queue_retries_;
};

}  // namespace etcd::loop
