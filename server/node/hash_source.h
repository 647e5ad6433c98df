#pragma once

#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>

#include "server/node/corruption.h"
#include "server/node/peer_hashes.h"
#include "server/node/shared.h"

namespace etcd::node {

// Hashes of this member and of the others, for those on the raft thread who compare them.
// Whole-store hashes run on MemberPorts::bulk. Owner: the raft thread; answers come on it.
class HashSource {
 public:
  using OnHash = absl::AnyInvocable<void(absl::StatusOr<OwnHash>)>;
  using OnPeers = absl::AnyInvocable<void(std::vector<PeerHash>)>;

  explicit HashSource(Shared& shared) : shared_(shared) {}

  // HashKV of the head.
  void Head(OnHash done);
  // Of every other member but `except`; none without a way to ask them.
  void Peers(Revision at, MemberId except, OnPeers done);

 private:
  Shared& shared_;
};

}  // namespace etcd::node
