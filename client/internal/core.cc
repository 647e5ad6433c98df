#include "client/internal/core.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <absl/strings/str_cat.h>
#include <grpc/support/time.h>

#include "client/internal/endpoint.h"
#include "client/internal/status_map.h"
#include "server/base/status.h"

namespace etcd::client::internal {
namespace {

using Endpoints = std::vector<std::shared_ptr<Endpoint>>;

constexpr std::chrono::milliseconds kFirstPause{25};
constexpr std::chrono::milliseconds kLongestPause{250};
// What servers count clients by.
constexpr char kApiVersion[] = "3.6";
// While no endpoint is connected, their channels are followed in steps of this.
constexpr std::chrono::milliseconds kLook{10};
// What has come in already is looked at before a call.
constexpr std::chrono::milliseconds kGlance{0};
// An attempt gets this long at least before another endpoint is asked.
constexpr std::chrono::seconds kLeastAttempt{1};

gpr_timespec FromNow(SteadyClock::duration time) {
  const auto count = std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(count, GPR_TIMESPAN));
}

// gRPC does nothing by itself: sockets are looked at only while somebody waits on a queue. So
// connections are made, and the end of one is seen, by waiting here for a change of any of them.
void Poll(const std::vector<std::shared_ptr<grpc::Channel>>& channels, SteadyClock::duration time) {
  grpc::CompletionQueue queue;
  const gpr_timespec end = FromNow(time);
  for (const auto& channel : channels) {
    channel->NotifyOnStateChange(channel->GetState(true), end, &queue, nullptr);
  }
  void* tag = nullptr;
  bool ok = false;
  for (std::size_t i = 0; i < channels.size(); ++i) queue.Next(&tag, &ok);
  queue.Shutdown();
  queue.Next(&tag, &ok);
}

absl::Status Closed() { return NeverSent(absl::CancelledError("the client is closed")); }

}  // namespace

struct Core::Running {
  Kind kind;
  const std::string& method;
  bool is_named;                                    // one endpoint, by the caller's wish
  std::optional<SteadyClock::time_point> deadline;  // none: unlimited
  Endpoints endpoints;                              // learners that refused are taken out
  std::size_t attempts = 0;
  bool has_broken = false;  // the named endpoint's connection broke once
  std::chrono::milliseconds pause = kFirstPause;

  bool MayRunTwice() const { return kind == Kind::kRead || kind == Kind::kRepeatable; }
  bool IsChange() const { return kind == Kind::kChange || kind == Kind::kRepeatable; }

  SteadyClock::duration left() const {
    if (!deadline.has_value()) return SteadyClock::duration::max();
    return std::max(*deadline - SteadyClock::now(), SteadyClock::duration::zero());
  }

  // What may be repeated does not stake all its time on one endpoint while there are others: one
  // that is paused still looks connected.
  std::optional<SteadyClock::duration> AttemptTime() const {
    if (!deadline.has_value()) return std::nullopt;
    if (!MayRunTwice() || endpoints.size() <= attempts + 1) return left();
    const auto share = left() / static_cast<int>(endpoints.size() - attempts);
    return std::min<SteadyClock::duration>(left(),
                                           std::max<SteadyClock::duration>(share, kLeastAttempt));
  }
};

absl::StatusOr<std::unique_ptr<Core>> Core::Create(Config config) {
  if (config.tls != TlsOptions{}) {
    return absl::UnimplementedError("TLS is not supported yet: leave Config::tls empty");
  }
  if (config.credentials != Credentials{}) {
    return absl::UnimplementedError(
        "authentication is not supported yet: leave Config::credentials empty");
  }
  std::vector<std::string> endpoints = config.endpoints;
  std::unique_ptr<Core> core(new Core(std::move(config)));
  RETURN_IF_ERROR(core->SetEndpoints(std::move(endpoints)));
  return core;
}

Core::Core(Config config) : config_(std::move(config)) {}

absl::Status Core::SetEndpoints(std::vector<std::string> names) {
  if (names.empty()) return absl::InvalidArgumentError("a client needs an endpoint");
  std::vector<std::string> targets;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(std::string target, TargetOf(name));
    targets.push_back(std::move(target));
  }
  const std::lock_guard lock(mutex_);
  Endpoints fresh;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto has_name = [&](const auto& endpoint) { return endpoint->name() == names[i]; };
    if (std::any_of(fresh.begin(), fresh.end(), has_name)) continue;
    const auto old = std::find_if(endpoints_.begin(), endpoints_.end(), has_name);
    fresh.push_back(
        old != endpoints_.end() ? *old : std::make_shared<Endpoint>(names[i], targets[i], config_));
  }
  endpoints_ = std::move(fresh);
  return absl::OkStatus();
}

std::vector<std::string> Core::endpoints() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& endpoint : endpoints_) names.push_back(endpoint->name());
  return names;
}

void Core::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (grpc::ClientContext* context : in_flight_) context->TryCancel();
  closed_changed_.notify_all();
}

bool Core::IsClosed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

bool Core::Enter(grpc::ClientContext& context) {
  const std::lock_guard lock(mutex_);
  if (!closed_) in_flight_.insert(&context);
  return !closed_;
}

void Core::Leave(grpc::ClientContext& context) {
  const std::lock_guard lock(mutex_);
  in_flight_.erase(&context);
}

// Sockets are not looked at meanwhile.
bool Core::Sleep(SteadyClock::duration time) {
  std::unique_lock lock(mutex_);
  return !closed_changed_.wait_for(lock, time, [this] { return closed_; });
}

absl::Status Core::NeedsOneEndpoint(const CallOptions& options) const {
  const std::lock_guard lock(mutex_);
  if (!options.endpoint.empty() || endpoints_.size() == 1) return absl::OkStatus();
  return NeverSent(absl::InvalidArgumentError(
      "this call is about one member: name it by CallOptions::endpoint"));
}

absl::StatusOr<Core::Endpoints> Core::Candidates(const CallOptions& options) {
  const std::lock_guard lock(mutex_);
  Endpoints chosen = endpoints_;
  if (options.endpoint.empty()) {
    const auto first = static_cast<std::ptrdiff_t>(next_++ % chosen.size());
    std::rotate(chosen.begin(), chosen.begin() + first, chosen.end());
    return chosen;
  }
  std::erase_if(chosen, [&](const auto& one) { return one->name() != options.endpoint; });
  if (chosen.empty()) {
    return NeverSent(absl::InvalidArgumentError(
        absl::StrCat("\"", options.endpoint, "\" is no endpoint of this client")));
  }
  return chosen;
}

absl::Status Core::Call(Kind kind, const std::string& method, const CallOptions& options,
                        const Attempt& attempt) {
  ASSIGN_OR_RETURN(Endpoints endpoints, Candidates(options));
  Running call{kind, method, !options.endpoint.empty(), std::nullopt, std::move(endpoints)};
  const auto timeout = options.timeout.count() == 0 ? config_.call_timeout : options.timeout;
  if (timeout.count() > 0) call.deadline = SteadyClock::now() + timeout;
  for (;;) {
    const std::shared_ptr<Endpoint> endpoint = Pick(call);
    absl::Status status = TryOnce(call, *endpoint, attempt);
    if (status.ok() || !MayRepeat(call, *endpoint, status)) return status;
    // As many endpoints as make a quorum are asked before there is a pause.
    std::rotate(call.endpoints.begin(), call.endpoints.begin() + 1, call.endpoints.end());
    if (call.attempts % (call.endpoints.size() / 2 + 1) != 0) continue;
    if (!Sleep(std::min<SteadyClock::duration>(call.pause, call.left()))) return status;
    if (call.left() == SteadyClock::duration::zero()) return status;
    call.pause = std::min(2 * call.pause, kLongestPause);
  }
}

// The first connected endpoint, of those that did not just fail if there is one. When none is
// connected: the first, whose attempt then waits for its connection or says what is wrong with it.
std::shared_ptr<Endpoint> Core::Pick(Running& call) {
  for (SteadyClock::duration look = kGlance; !IsClosed(); look = kLook) {
    std::vector<std::shared_ptr<grpc::Channel>> channels;
    for (const auto& endpoint : call.endpoints) channels.push_back(endpoint->Current());
    Poll(channels, std::min(look, call.left()));
    if (call.endpoints.size() == 1) break;
    std::shared_ptr<Endpoint> second_choice;
    bool is_any_connecting = false;
    for (std::size_t i = 0; i < channels.size(); ++i) {
      const grpc_connectivity_state state = channels[i]->GetState(true);
      if (state != GRPC_CHANNEL_READY) {
        is_any_connecting |= state != GRPC_CHANNEL_TRANSIENT_FAILURE;
      } else if (!call.endpoints[i]->IsSuspect()) {
        return call.endpoints[i];
      } else if (second_choice == nullptr) {
        second_choice = call.endpoints[i];
      }
    }
    if (!is_any_connecting || call.left() == SteadyClock::duration::zero()) {
      return second_choice != nullptr ? second_choice : call.endpoints.front();
    }
  }
  return call.endpoints.front();
}

absl::Status Core::TryOnce(Running& call, Endpoint& endpoint, const Attempt& attempt) {
  grpc::ClientContext context;
  context.AddMetadata("client-api-version", kApiVersion);
  if (const auto time = call.AttemptTime(); time.has_value()) context.set_deadline(FromNow(*time));
  ++call.attempts;
  if (!Enter(context)) return Closed();
  Exchange exchange(endpoint.Current(), context, call.method);
  const bool is_started = exchange.Start();
  const grpc::Status status = is_started ? attempt(exchange) : exchange.Finish();
  Leave(context);
  return FromGrpc(status, {call.IsChange(), !is_started, endpoint.name()});
}

bool Core::MayRepeat(Running& call, Endpoint& endpoint, const absl::Status& status) const {
  if (IsClosed() || call.left() == SteadyClock::duration::zero()) return false;
  const std::optional<Errc> errc = ErrcOf(status);
  if (errc == Errc::kNotSupportedForLearner) {
    if (call.endpoints.size() == 1) return false;
    std::erase_if(call.endpoints, [&](const auto& one) { return one.get() == &endpoint; });
    return true;
  }
  // The end of an attempt's time comes from this side, or from a server that keeps it too.
  const bool has_no_answer =
      absl::IsDeadlineExceeded(status) || (absl::IsUnavailable(status) && !errc.has_value());
  if (has_no_answer) endpoint.Suspect();
  if (WasNeverSent(status)) return !call.is_named;
  if (!call.MayRunTwice()) return false;
  if (!call.is_named) return absl::IsUnavailable(status) || has_no_answer;
  // A connection that a restarted server left behind is noticed by using it.
  return has_no_answer && absl::IsUnavailable(status) && !std::exchange(call.has_broken, true);
}

}  // namespace etcd::client::internal
