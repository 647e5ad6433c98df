#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "server/config/urls.h"
#include "server/rafthttp/address.h"
#include "server/rafthttp/connection.h"
#include "server/rafthttp/loop.h"

namespace etcd::rafthttp {

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
  static std::shared_ptr<Dial> Start(Loop& loop, config::Url url, Timeouts timeouts, Done done);

  Dial(Loop& loop, config::Url url, Timeouts timeouts, Done done);
  ~Dial();
  void Cancel();

 private:
  using Descriptor =
      boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;

  void Begin();
  void AskResolver();
  void TryNext();
  void OnWritable();
  void CloseDescriptor();
  void Finish(absl::StatusOr<ConnectionPtr> result);

  Loop& loop_;
  const config::Url url_;
  const Timeouts timeouts_;
  Done done_;  // empty: over
  Timer timer_;
  boost::asio::ip::tcp::resolver resolver_;
  std::vector<Address> addresses_;  // not tried yet, in reverse
  Address current_;
  int descriptor_ = -1;
  Descriptor readiness_;
  absl::Status last_error_;
};

}  // namespace etcd::rafthttp
