#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>

#include "server/config/urls.h"
#include "server/net/loop.h"
#include "server/ports/peer_client.h"
#include "server/rafthttp/connection.h"
#include "server/rafthttp/dialer.h"
#include "server/rafthttp/options.h"

namespace etcd::rafthttp {

class Exchange;
class IdleConnection;

// Requests with an answer: pipeline posts, probes, what the node asks of other members. Loop thread
// only.
class HttpClient {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<ports::PeerReply>)>;
  enum class Reuse : std::uint8_t {
    kNever,    // a connection of its own: the request must not be made twice
    kAllowed,  // over an idle one, once more over a new one if that turns out to be dead
  };
  struct Call {
    config::Url url;
    ports::PeerRequest request;
    std::chrono::nanoseconds timeout;
    Reuse reuse = Reuse::kNever;
  };

  HttpClient(const Dialing& dialing, const TransportOptions& options);
  ~HttpClient();

  // `done` is called once, never before Send has returned. kUnavailable: nothing (whole) was
  // answered; kDeadlineExceeded; kResourceExhausted: the answer is too large.
  void Send(Call call, Done done);
  // Ends all with kUnavailable; nothing can be sent afterwards.
  void Close();

 private:
  friend class Exchange;
  friend class IdleConnection;

  ConnectionPtr TakeIdle(const std::string& url);
  void Keep(const std::string& url, ConnectionPtr connection);
  void Forget(IdleConnection* idle);
  void Finished(const std::shared_ptr<Exchange>& exchange);

  const Dialing& dialing_;
  net::Loop& loop_;
  const TransportOptions& options_;
  bool closed_ = false;
  absl::flat_hash_set<std::shared_ptr<Exchange>> exchanges_;
  absl::btree_map<std::string, std::vector<std::unique_ptr<IdleConnection>>> idle_;  // by URL
};

}  // namespace etcd::rafthttp
