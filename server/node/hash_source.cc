#include "server/node/hash_source.h"

#include <utility>

namespace etcd::node {

void HashSource::Head(OnHash done) {
  base::Executor& bulk =
      shared_.ports.bulk != nullptr ? *shared_.ports.bulk : shared_.ports.compaction;
  bulk.Post([this, done = std::move(done)]() mutable {
    auto hash = HashOfHead(*shared_.store);
    shared_.ports.raft.Post(
        [done = std::move(done), hash = std::move(hash)]() mutable { done(std::move(hash)); });
  });
}

void HashSource::Peers(Revision at, MemberId except, OnPeers done) {
  std::vector<membership::Member> members;
  if (shared_.ports.peer_client != nullptr) {
    for (const auto& [id, member] : shared_.cluster.view()->members) {
      if (id != except) members.push_back(member);
    }
  }
  auto on_raft = [this, done = std::move(done)](std::vector<PeerHash> peers) mutable {
    shared_.ports.raft.Post(
        [done = std::move(done), peers = std::move(peers)]() mutable { done(std::move(peers)); });
  };
  if (members.empty()) return on_raft({});
  AskPeerHashes(*shared_.ports.peer_client,
                {shared_.id, shared_.cluster_id, at, shared_.options.request_timeout()}, members,
                std::move(on_raft));
}

}  // namespace etcd::node
