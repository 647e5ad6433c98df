#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "operator/kube/controller.h"
#include "operator/kube/informer.h"

namespace etcd::op {

// One informer for each kind and namespace that controllers watch. Made once, then read by all.
class Informers final : public kube::Caches {
 public:
  // `namespaces` empty: all. Controllers are asked what they watch; changes go to `queue`.
  Informers(kube::Client& client, const base::Clock& clock, std::vector<std::string> namespaces,
            kube::InformerObserver* observer);

  void Watch(const std::vector<kube::Controller::Watched>& watched, kube::WorkQueue& queue);
  // After the last Watch: makes them. From then on nothing here changes but their stores.
  void Prepare();
  void Start();
  void Stop();

  // All that may be read has been listed.
  bool have_synced() const;
  // No thread has been silent for longer than its calls can take.
  bool are_alive() const;

  // Null also when it could not be listed.
  const kube::Store* StoreOf(const kube::Resource& resource, const std::string& ns) const override;

 private:
  // What is to be told of a change of one kind.
  struct Kind {
    kube::Resource resource{};
    std::string label_selector{};
    std::vector<std::function<std::vector<kube::WorkKey>(const kube::Change&)>> keys_of{};
    std::map<std::string, std::unique_ptr<kube::Informer>> informers{};  // by namespace
  };

  kube::Client& client_;
  const base::Clock& clock_;
  std::vector<std::string> namespaces_;
  kube::InformerObserver* const observer_;
  kube::WorkQueue* queue_ = nullptr;
  std::map<std::string, Kind> kinds_;  // by "group/plural"; not changed after Prepare
};

}  // namespace etcd::op
