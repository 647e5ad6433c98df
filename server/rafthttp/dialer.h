#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>

#include "server/config/urls.h"
#include "server/net/address.h"
#include "server/net/loop.h"
#include "server/net/readiness.h"
#include "server/net/resolver.h"
#include "server/net/timer_queue.h"
#include "server/rafthttp/connection.h"

namespace etcd::rafthttp {

// What dials need. Outlives them.
struct Dialing {
  net::Loop& loop;
  net::Resolver& resolver;
};

// One attempt to reach one URL: asks the resolver anew (etcd issue 14573), then tries each address.
// Loop thread only.
class Dial final : public std::enable_shared_from_this<Dial> {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<ConnectionPtr>)>;
  struct Timeouts {
    std::chrono::nanoseconds dial;   // resolving and connecting together
    std::chrono::nanoseconds write;  // of the connection
  };

  // `done` is called once, never before Start has returned; not after Cancel.
  static std::shared_ptr<Dial> Start(const Dialing& dialing, config::Url url, Timeouts timeouts,
                                     Done done);

  Dial(const Dialing& dialing, config::Url url, Timeouts timeouts, Done done);
  ~Dial();
  void Cancel();

 private:
  void Begin();
  void AskResolver(const net::Endpoint& endpoint);
  void TryNext();
  void OnWritable();
  void CloseDescriptor();
  void Finish(absl::StatusOr<ConnectionPtr> result);

  net::Loop& loop_;
  net::Resolver& resolver_;
  const config::Url url_;
  const Timeouts timeouts_;
  Done done_;  // empty: over
  net::Timer timer_;
  std::vector<net::Address> addresses_;  // not tried yet, in reverse
  net::Address current_;
  int descriptor_ = -1;
  net::Readiness readiness_;
  absl::Status last_error_;
};

}  // namespace etcd::rafthttp
