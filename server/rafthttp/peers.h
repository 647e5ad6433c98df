#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <absl/container/btree_map.h>

#include "server/rafthttp/link.h"
#include "server/rafthttp/peer.h"

namespace etcd::rafthttp {

// Everybody that this member talks to. Loop thread only.
class Peers {
 public:
  explicit Peers(const Context& context) : context_(context) {}

  // A known peer gets new URLs.
  void Add(MemberId id, const std::vector<std::string>& urls);
  void Remove(MemberId id);
  void Clear();
  // Null: not a member, as far as is known.
  Peer* Find(MemberId id);
  // Somebody who is not a member sent something. Does nothing beyond remotes_max.
  void AddRemote(MemberId id, const std::vector<std::string>& urls);

  // Routes all, then writes once per connection.
  void Send(std::vector<raft::Message> messages);
  // Dropped on its way here.
  void Dropped(MemberId to);

  const Context& context() const { return context_; }

 private:
  const Context& context_;
  absl::btree_map<MemberId, std::unique_ptr<Peer>> peers_;
  absl::btree_map<MemberId, std::unique_ptr<Remote>> remotes_;
  std::vector<Peer*> touched_;  // of the Send under way
};

}  // namespace etcd::rafthttp
