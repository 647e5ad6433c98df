#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include "client/config.h"
#include "client/internal/exchange.h"

namespace etcd::client::internal {

using SteadyClock = std::chrono::steady_clock;

// One endpoint and the channel to it. Thread-safe.
class Endpoint {
 public:
  Endpoint(std::string name, std::string target, const Config& config);

  const std::string& name() const { return name_; }

  // The channel to use now. gRPC waits longer and longer before it connects a failed channel or
  // looks up its name again (up to two minutes): a member's pod is back long before. So a failed
  // channel is replaced, at most ten times a second; retries are spaced by Core.
  std::shared_ptr<grpc::Channel> Current();

  // After an attempt that ended badly: others are asked first for a second.
  void Suspect();
  bool IsSuspect() const;

 private:
  const std::string name_;
  const std::string target_;
  const Config& config_;
  std::mutex mutex_;
  std::shared_ptr<grpc::Channel> channel_;  // guarded by mutex_
  SteadyClock::time_point made_;            // guarded by mutex_
  std::atomic<SteadyClock::rep> suspect_until_{0};
};

// How a call may be repeated, and what its failure leaves behind.
enum class Kind : std::uint8_t {
  kRead,        // changes nothing: repeated while the answer is Unavailable
  kRepeatable,  // a change that is the same when it is done twice: as kRead, but its outcome counts
  kChange,      // repeated only when it was never sent
  kStream,      // changes nothing, but what was received cannot be taken back: as kChange
};

// Chooses endpoints and repeats attempts: the rules are in client.h. Thread-safe.
class Core {
 public:
  // What to do once the call is on a connection; perhaps several times.
  using Attempt = std::function<grpc::Status(Exchange&)>;

  static absl::StatusOr<std::unique_ptr<Core>> Create(Config config);

  absl::Status SetEndpoints(std::vector<std::string> endpoints);
  std::vector<std::string> endpoints() const;
  void Close();

  // `method`: "/etcdserverpb.KV/Put".
  absl::Status Call(Kind kind, const std::string& method, const CallOptions& options,
                    const Attempt& attempt);
  // InvalidArgument when it is open which member the call is about.
  absl::Status NeedsOneEndpoint(const CallOptions& options) const;

 private:
  using Endpoints = std::vector<std::shared_ptr<Endpoint>>;
  struct Running;  // a call with its attempts (core.cc)

  explicit Core(Config config);

  absl::StatusOr<Endpoints> Candidates(const CallOptions& options);
  std::shared_ptr<Endpoint> Pick(Running& call);
  absl::Status TryOnce(Running& call, Endpoint& endpoint, const Attempt& attempt);
  // Takes note of why the attempt failed.
  bool MayRepeat(Running& call, Endpoint& endpoint, const absl::Status& status) const;
  bool IsClosed() const;
  // False: the client was closed meanwhile.
  bool Sleep(SteadyClock::duration time);
  bool Enter(grpc::ClientContext& context);
  void Leave(grpc::ClientContext& context);

  const Config config_;
  mutable std::mutex mutex_;  // guards what follows
  Endpoints endpoints_;
  std::size_t next_ = 0;  // where the next call begins
  bool closed_ = false;
  std::set<grpc::ClientContext*> in_flight_;
  std::condition_variable closed_changed_;
};

}  // namespace etcd::client::internal
