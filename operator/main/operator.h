#pragma once

#include <atomic>
#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

#include <absl/status/statusor.h>

#include "operator/backup_control/backup_metrics.h"
#include "operator/kube/access.h"
#include "operator/kube/elector.h"
#include "operator/loop/cluster_controller.h"
#include "operator/main/flags.h"
#include "operator/main/http_endpoint.h"
#include "operator/main/informers.h"
#include "operator/member/client_access.h"

namespace etcd::op {

// The whole program: constructs everything, serves probes at once, works while it leads. Owned and
// called by the main thread.
class Operator {
 public:
  struct Callbacks {
    std::function<void()> on_elected;  // then Work is to be called; on the elector's thread
    std::function<void()> on_lost;     // the process must end at once
  };
  static absl::StatusOr<std::unique_ptr<Operator>> Make(const Flags& flags, Callbacks callbacks);
  ~Operator();

  // Lists, then lets the workers loose, on a thread of its own: the caller waits for signals.
  void Work();
  // Workers finish their step, then the lease is given back.
  void Stop();

 private:
  Operator(const Flags& flags, kube::Access access, Callbacks callbacks);
  absl::Status Listen();
  void Begin(const std::stop_token& stop);
  std::vector<std::unique_ptr<kube::Controller>> MakeControllers(
      const kube::ControllerContext& context);
  kube::WorkQueue::Result Reconcile(const kube::WorkKey& key, const std::stop_token& stop);
  desired::Settings MakeSettings();
  absl::StatusOr<loop::SeedParts> MakeSeedParts(const loop::Facts& facts,
                                                const model::EtcdMember& seed);
  Page Health(const std::string& path);
  Page Figures(const std::string& path);

  const Flags flags_;
  const kube::Access access_;
  base::SystemClock clock_;
  std::stop_source stop_;
  loop::Metrics metrics_;
  backup_control::BackupMetrics backup_metrics_;
  kube::CurlTransport transport_;
  kube::CredentialSource credentials_;
  kube::Client client_;
  kube::EventRecorder events_;
  member::ClientAccess etcd_;
  kube::WorkQueue queue_;
  Informers informers_;
  desired::Settings settings_;
  std::vector<std::unique_ptr<kube::Controller>> controllers_;
  std::atomic<bool> is_working_ = false;
  kube::Elector elector_;
  std::jthread beginning_;
  std::unique_ptr<HttpEndpoint> health_, figures_;
};

}  // namespace etcd::op
