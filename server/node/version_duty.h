#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/functional/any_invocable.h>

#include "server/node/shared.h"
#include "server/node/versions.h"

namespace etcd::node {

// The leader's care for the cluster version (raft-peer-storage.md 9.1, 9.4): at the first commit of
// its term and every 4 s it asks every member for its version, and proposes what they can all do.
// Owner: the raft thread.
class VersionDuty {
 public:
  using Propose = absl::AnyInvocable<void(absl::AnyInvocable<std::string(RequestId)>, ProposeDone)>;

  // `propose` may be called as long as this lives; its answer comes on any thread.
  VersionDuty(Shared& shared, Propose propose) : shared_(shared), propose_(std::move(propose)) {}

  void OnTick();
  void OnTermStarted() { next_round_ = {}; }

 private:
  struct Round;

  void Ask();
  void AskOne(const std::shared_ptr<Round>& round, std::size_t slot, std::vector<std::string> urls);
  void Decide(const Round& round);
  void SetVersion(const std::string& version, bool all_know_requests);
  void CancelDowngrade();
  bool is_leader() const { return shared_.leader.load() == shared_.id.value(); }

  Shared& shared_;
  Propose propose_;
  bool busy_ = false;  // a round or its proposal is under way
  base::Clock::Monotonic next_round_;
};

}  // namespace etcd::node
