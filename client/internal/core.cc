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
// Of a call without a timeout.
constexpr std::size_t kMaxAttempts = 100;
// While no endpoint is connected, they are looked at this often.
constexpr std::chrono::milliseconds kLook{5};
// An attempt gets this long at least before another endpoint is asked.
constexpr std::chrono::seconds kLeastAttempt{1};

gpr_timespec FromNow(SteadyClock::duration time) {
  const auto count = std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(count, GPR_TIMESPAN));
}

absl::Status Closed() { return NeverSent(absl::CancelledError("the client is closed")); }

}  // namespace

struct Core::Running {
  Kind kind;
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

absl::Status Core::Call(Kind kind, const CallOptions& options, const Attempt& attempt) {
  ASSIGN_OR_RETURN(Endpoints endpoints, Candidates(options));
  Running call{kind, !options.endpoint.empty(), std::nullopt, std::move(endpoints)};
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
  while (call.endpoints.size() > 1 && !IsClosed()) {
    std::shared_ptr<Endpoint> second_choice;
    std::shared_ptr<const Channel> connecting;
    for (const auto& endpoint : call.endpoints) {
      std::shared_ptr<const Channel> channel = endpoint->Current();
      const grpc_connectivity_state state = channel->channel->GetState(true);
      if (state == GRPC_CHANNEL_READY) {
        if (!endpoint->IsSuspect()) return endpoint;
        if (second_choice == nullptr) second_choice = endpoint;
      } else if (state != GRPC_CHANNEL_TRANSIENT_FAILURE && connecting == nullptr) {
        connecting = std::move(channel);
      }
    }
    if (connecting == nullptr || call.left() == SteadyClock::duration::zero()) {
      return second_choice != nullptr ? second_choice : call.endpoints.front();
    }
    Sleep(kLook);
  }
  return call.endpoints.front();
}

absl::Status Core::TryOnce(Running& call, Endpoint& endpoint, const Attempt& attempt) {
  ++call.attempts;
  grpc::ClientContext context;
  if (const auto time = call.AttemptTime(); time.has_value()) context.set_deadline(FromNow(*time));
  if (!Enter(context)) return Closed();
  const grpc::Status status = attempt(*endpoint.Current(), context);
  Leave(context);
  if (status.ok()) return absl::OkStatus();
  // Until its headers are given to a connection a call has its channel's target for its peer.
  const bool was_never_sent = context.peer() == endpoint.target();
  return FromGrpc(status, {call.IsChange(), was_never_sent, endpoint.name()});
}

bool Core::MayRepeat(Running& call, Endpoint& endpoint, const absl::Status& status) const {
  if (IsClosed() || call.left() == SteadyClock::duration::zero()) return false;
  if (!call.deadline.has_value() && call.attempts >= kMaxAttempts) return false;
  const std::optional<Errc> errc = ErrcOf(status);
  if (errc == Errc::kNotSupportedForLearner) {
    if (call.endpoints.size() == 1) return false;
    std::erase_if(call.endpoints, [&](const auto& one) { return one.get() == &endpoint; });
    return true;
  }
  const bool has_no_answer =
      !errc.has_value() && (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status));
  if (has_no_answer) endpoint.Suspect();
  if (WasNeverSent(status)) return !call.is_named;
  if (!call.MayRunTwice()) return false;
  if (!call.is_named) return absl::IsUnavailable(status) || has_no_answer;
  // A connection that a restarted server left behind is noticed by using it.
  return has_no_answer && absl::IsUnavailable(status) && !std::exchange(call.has_broken, true);
}

}  // namespace etcd::client::internal
