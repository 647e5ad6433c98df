#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "server/base/ids.h"
#include "server/config/urls.h"
#include "server/net/address.h"

namespace etcd::rafthttp {

// Who this member is: known only after the log was opened or the cluster was asked, so it comes
// with Transport::Start.
struct Identity {
  MemberId id;
  ClusterId cluster_id;
  std::string name;                         // for logs
  std::vector<std::string> advertise_urls;  // X-PeerURLs: how others reach this member
  // What this member reports as its version, "3.6.16": a whole MAJOR.MINOR.PATCH without "v", since
  // anything else in a header stops Go peers (raft-peer-storage.md 3.3). It may follow the cluster
  // version, so it is asked for each request. Thread-safe, must not block.
  std::function<std::string()> server_version;
};

struct TransportOptions {
  config::UrlList listen_urls;        // --listen-peer-urls; http only until there is TLS
  bool reuse_port = false;            // --socket-reuse-port
  net::Lookup lookup = net::Resolve;  // of the names in peer URLs

  std::chrono::nanoseconds election_timeout = std::chrono::seconds(1);  // a dial takes 1 s + this
  // --raft-read-timeout, --raft-write-timeout: a connection that moves no byte for so long is
  // dead. Each side of a stream says something every read_timeout / 3.
  std::chrono::nanoseconds read_timeout = std::chrono::seconds(5);
  std::chrono::nanoseconds write_timeout = std::chrono::seconds(5);
  std::chrono::nanoseconds probe_interval = std::chrono::seconds(4);
  // Of one stream; of a whole peer's posts it is the same.
  std::chrono::nanoseconds redial_interval = std::chrono::milliseconds(100);
  // A request head that comes slower than this is dropped.
  std::chrono::nanoseconds head_timeout = std::chrono::seconds(10);

  // Bounds of what strangers can make this member hold.
  std::size_t connections_max = 4096;  // accepted ones; the oldest without a request gives way
  std::size_t head_bytes_max = 64 << 10;
  std::size_t body_bytes_max = 64 << 10;              // of requests for the other handler: 413
  std::size_t bodies_bytes_max = 256 << 20;           // accepted bodies under way, all together
  std::size_t message_bytes_max = 64 << 20;           // one raft message on a stream or pipeline
  std::size_t snapshot_message_bytes_max = 64 << 20;  // the kSnap before its database, as Go 3.6
  std::size_t reply_bytes_max = 64 << 20;             // answers to Ask
  std::size_t remotes_max = 64;            // senders that are not members (yet) and get answers
  std::size_t snapshots_received_max = 4;  // at the same time; each has a thread

  // Bounds of what waits for one peer; what is over is dropped and reported unreachable
  // (raft-peer-storage.md 3.9).
  std::size_t stream_messages_max = 4096;
  std::size_t stream_payload_bytes_max = 256 << 20;
  std::size_t pipeline_messages_max = 64;
  std::size_t pipeline_posts = 4;  // in parallel
};

}  // namespace etcd::rafthttp
