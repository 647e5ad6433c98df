#pragma once

#include <deque>
#include <memory>
#include <set>
#include <string>

#include "server/base/http_call.h"
#include "server/ports/peer_client.h"
#include "tests/support/sim_cluster.h"

namespace etcd::testing {

// Plain HTTP between the members of a SimCluster: requests go to the production handler of the peer
// port of the member at the URL. Give it to members as their peer_client before they start. No
// member may be killed while it answers. One thread.
class SimPeerClient final : public ports::PeerClient {
 public:
  explicit SimPeerClient(SimCluster& cluster)
      : cluster_(cluster), executor_(cluster.scheduler.NewExecutor()) {
    for (std::size_t i = 0; i < cluster.size(); ++i) cluster[i].peer_client = this;
  }

  // Machines whose peer port does not answer.
  std::set<std::size_t> silent;
  std::size_t hashes_asked = 0;
  std::size_t pending = 0;  // asked and not answered

  void Ask(std::string url, ports::PeerRequest request, std::chrono::nanoseconds timeout,
           absl::AnyInvocable<void(absl::StatusOr<ports::PeerReply>)> done) override;

 private:
  SimCluster& cluster_;
  base::Executor& executor_;
  std::deque<std::unique_ptr<base::HttpHandler>> handlers_;  // answers under way refer to them
};

}  // namespace etcd::testing
