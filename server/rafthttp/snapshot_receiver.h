#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "server/net/stream.h"
#include "server/rafthttp/http.h"
#include "server/rafthttp/link.h"
#include "server/rafthttp/workers.h"

namespace etcd::rafthttp {

// Takes over connections whose request is a POST of a snapshot: each gets a thread, which reads,
// writes the sink and answers. Loop thread only.
class SnapshotReceiver {
 public:
  // A request whose head has been read and found good.
  struct Request {
    std::unique_ptr<net::ByteStream> stream;
    std::unique_ptr<RequestParser> parser;
    std::string input;  // what came behind the head
    std::string peer;   // address, for logs
  };

  SnapshotReceiver(const Context& context, Workers& workers)
      : context_(context), workers_(workers) {}

  // There are snapshots_received_max already.
  bool full() const { return *running_ >= context_.options.snapshots_received_max; }
  void Start(Request request);

 private:
  const Context& context_;
  Workers& workers_;
  // Shared with the threads, which outlive nothing but the loop.
  const std::shared_ptr<std::atomic<std::size_t>> running_ =
      std::make_shared<std::atomic<std::size_t>>(0);
};

}  // namespace etcd::rafthttp
