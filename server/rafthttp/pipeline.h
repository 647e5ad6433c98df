#pragma once

#include <cstddef>
#include <deque>
#include <memory>

#include "server/raft/types.h"
#include "server/rafthttp/link.h"

namespace etcd::rafthttp {

// One POST a message: for peers without streams yet, and for remotes. Loop thread only.
// Queue: pipeline_messages_max messages besides the pipeline_posts under way; full: the message is
// dropped and the peer reported.
class Pipeline {
 public:
  explicit Pipeline(Link& link) : link_(link), alive_(std::make_shared<bool>(true)) {}
  ~Pipeline() { *alive_ = false; }
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // False: the queue is full.
  bool Send(raft::Message message);

 private:
  void PostNext();
  void OnReply(const config::Url& url, std::size_t bytes,
               const absl::StatusOr<ports::PeerReply>& reply);
  void Failed(const config::Url& url, std::string_view why);

  Link& link_;
  std::deque<raft::Message> queue_;
  std::size_t posting_ = 0;
  const std::shared_ptr<bool> alive_;  // false: answers come too late
};

}  // namespace etcd::rafthttp
