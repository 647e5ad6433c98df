#pragma once

#include <map>
#include <mutex>
#include <string>

#include "operator/kube/controller.h"
#include "operator/loop/facts.h"

namespace etcd::loop {

// Zones of nodes, asked for by name and remembered for ten minutes: nodes are not watched, and an
// operator of some namespaces only has no right to see them. Thread-safe.
class Zones {
 public:
  explicit Zones(const kube::ControllerContext& context) : context_(context) {}

  // Fills in the zones of the pods that run somewhere.
  void Fill(Facts& facts);

 private:
  struct Known {
    std::string zone{};  // empty: it has none, or is not to be seen
    base::Clock::Monotonic at{};
  };
  std::string Of(const std::string& node);

  const kube::ControllerContext context_;
  std::mutex mu_;
  std::map<std::string, Known> nodes_;  // guarded by mu_
};

}  // namespace etcd::loop
