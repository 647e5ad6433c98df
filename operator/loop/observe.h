#pragma once

#include <absl/status/statusor.h>

#include "operator/kube/controller.h"
#include "operator/loop/facts.h"

namespace etcd::loop {

// Looks at one cluster: its objects, then its members, all at once (operator-spec 7). Blocks for
// as long as the slowest member may take to answer.
class Observer {
 public:
  Observer(const kube::ControllerContext& context, member::EtcdAccess& etcd,
           const desired::Settings& settings)
      : context_(context), etcd_(etcd), settings_(settings) {}

  // From the caches, or, `fresh`, from the API server itself. kNotFound when there is no cluster.
  absl::StatusOr<Facts> Look(const kube::ObjectKey& key, bool fresh) const;

  // Asks the members that have an address, then one of them for the list.
  void AskMembers(Facts& facts) const;

 private:
  absl::StatusOr<kube::Object> Cluster(const kube::ObjectKey& key, bool fresh) const;
  absl::StatusOr<std::vector<kube::Object>> OfCluster(const kube::Resource& resource,
                                                      const kube::ObjectKey& key, bool fresh) const;
  void AskForList(Facts& facts) const;

  const kube::ControllerContext context_;
  member::EtcdAccess& etcd_;
  const desired::Settings& settings_;
};

}  // namespace etcd::loop
