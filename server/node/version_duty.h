#pragma once

#include <cstdint>
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
  // One for each member, nullopt where it did not answer.
  using Answers = std::vector<std::optional<MemberVersion>>;
  using OnAnswers = absl::AnyInvocable<void(const Answers&)>;

  // `propose` may be called as long as this lives; its answer comes on any thread.
  VersionDuty(Shared& shared, Propose propose) : shared_(shared), propose_(std::move(propose)) {}

  void OnTick();
  // Asks every member, on any member; `done` is called once, on the raft thread.
  void Ask(OnAnswers done);
  void OnTermStarted() {
    next_round_ = {};
    Forget();
  }
  // Others belong to the cluster now, or other answers count.
  void Forget() {
    ++era_;
    shared_.heard_versions.reset();
  }

 private:
  struct Round;

  void AskOne(const std::shared_ptr<Round>& round, std::size_t slot, std::vector<std::string> urls);
  void Decide(const Answers& answers, std::uint64_t asked_in);
  void SetVersion(const std::string& version, bool all_know_requests);
  void CancelDowngrade();
  bool is_leader() const { return shared_.leader.load() == shared_.id.value(); }

  Shared& shared_;
  Propose propose_;
  std::uint64_t era_ = 0;  // of heard_versions
  bool busy_ = false;      // a round or its proposal is under way
  base::Clock::Monotonic next_round_;
};

}  // namespace etcd::node
