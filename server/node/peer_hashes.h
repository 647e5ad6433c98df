#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>

#include "server/base/ids.h"
#include "server/membership/member.h"
#include "server/ports/peer_client.h"
#include "server/storage/mvcc/store.h"

// HashKV of other members over their peer ports (raft-peer-storage.md 3.17).
namespace etcd::node {

struct PeerHash {
  MemberId id;
  std::vector<std::string> urls;
  absl::StatusOr<mvcc::HashResult> hash;  // else why there is none
};

// What GET /members/hashkv answers. Errors: kCompacted, kFutureRevision, kClusterIdMismatch, or
// kUnavailable with the text of anything else.
absl::StatusOr<mvcc::HashResult> ParseHashReply(const ports::PeerReply& reply);

struct HashQuestion {
  MemberId self;
  ClusterId cluster;
  Revision at;                       // 0: the head
  std::chrono::nanoseconds timeout;  // of each request
};

// Asks all of `members` but `self` at once, the URLs of each one after the other until one answers,
// and hands over what they said, in their order. `done` is called once, on any thread; before this
// returns when there is nobody to ask.
void AskPeerHashes(ports::PeerClient& client, const HashQuestion& question,
                   const std::vector<membership::Member>& members,
                   absl::AnyInvocable<void(std::vector<PeerHash>)> done);

}  // namespace etcd::node
