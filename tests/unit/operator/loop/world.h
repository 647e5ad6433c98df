#pragma once

#include <memory>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

#include "fake_etcd.h"
#include "operator/loop/cluster_controller.h"
#include "tests/support/fake_kube.h"
#include "tests/support/virtual_executor.h"

namespace etcd::loop {

// The process died.
struct Crash {};

// One EtcdCluster "c" in the namespace "n", an API server, an etcd and kubelets in memory, virtual
// time, and the controller. Checks after each turn what must always hold; `faults` is what did not.
class World {
 public:
  using Json = nlohmann::json;

  explicit World(const Json& spec = Json::object());
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // One reconcile, then the kubelets. May throw Crash.
  kube::WorkQueue::Result Turn();
  // Until the controller is idle; false when that takes too long.
  bool Settle(int turns = 400);
  // Another process takes over.
  void Restart();
  // Another one with other settings.
  void Restart(desired::Settings settings) {
    settings_ = std::move(settings);
    Restart();
  }
  const desired::Settings& settings() const { return settings_; }
  // After the n-th change from now on: what becomes of the process or of the answer.
  enum class Fate { kDies, kLosesAnswer };
  void CrashAt(int change, Fate fate);
  void Scale(int replicas) { Spec({{"replicas", replicas}}); }
  void Spec(const Json& patch);
  void DeleteCluster();
  void LosePod(const std::string& name);

  Json Cluster();
  Json Condition(const std::string& type);
  std::vector<Json> All(const std::string& path);  // "pods"
  std::vector<std::string> Members();
  std::vector<std::string> faults();
  std::vector<std::string> Events();  // reasons of all that were told until now
  std::string Figures() { return metrics_.Text(); }

  testing::FakeKube server;
  testing::VirtualClock clock;
  FakeEtcd etcd;
  bool has_lost_answer = false;
  bool may_act = true;
  bool kubelet_runs = true;
  std::set<std::string> dead;  // pods that no kubelet runs
  int writes = 0;              // to the API server, tried
  int changes = 0;             // of anything, from the last CrashAt on

 private:
  struct Transport;
  // Of services only: what is decided by is asked for each time.
  struct ServiceCache final : kube::Caches {
    const kube::Store* StoreOf(const kube::Resource& resource, const std::string&) const override {
      return resource.plural == kube::kServices.plural ? &services : nullptr;
    }
    kube::Store services{[](const kube::Object& object) { return object.ns() + "/c"; }};
  };
  void FillCache();
  bool LosesAnswer();  // of the change that was just made
  void Kubelet();
  bool IsStopped(Json pod);
  FakeEtcd::Server ServerOf(const Json& pod, const Json& claim);
  void CheckTurn(int etcd_changes);

  std::unique_ptr<Transport> transport_;
  kube::CredentialSource credentials_{kube::CredentialConfig{}};
  kube::Client client_;
  kube::EventRecorder events_;
  ServiceCache caches_;
  Metrics metrics_{"test", "rev"};
  desired::Settings settings_;
  std::unique_ptr<ClusterController> controller_;
  std::set<std::string> uids_of_names_;  // "name uid", of all members that ever were
  std::set<std::string> names_;
  std::vector<std::string> faults_;
  int crash_at_ = 0;
  Fate fate_ = Fate::kDies;
  int next_ip_ = 1;
  int checked_writes_ = 0;
  std::set<std::string> stopping_;      // uids of pods
  std::set<std::string> deleted_pods_;  // in this turn
};

}  // namespace etcd::loop
