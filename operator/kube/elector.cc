#include "operator/kube/elector.h"

#include <algorithm>
#include <pthread.h>
#include <utility>

#include <nlohmann/json.hpp>

#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::kube {
namespace {

constexpr std::chrono::milliseconds kReleaseTimeout{2000};
constexpr std::chrono::milliseconds kShortest{100};

}  // namespace

Elector::Elector(Client& client, const base::Clock& clock, Election::Options options,
                 std::uint64_t seed, Callbacks callbacks)
    : client_(client),
      clock_(clock),
      options_(options),
      callbacks_(std::move(callbacks)),
      election_(std::move(options), seed) {
  Publish();
}

Elector::~Elector() { Stop(); }

void Elector::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
  pthread_setname_np(thread_.native_handle(), "elector");
}

void Elector::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  const std::optional<Json> body = election_.Release(clock_.WallNow());
  Publish();
  if (!body.has_value()) return;
  CallOptions call;
  call.timeout = kReleaseTimeout;
  call.is_rate_limited = false;
  base::IgnoreError(client_.Update(kLeases, *body, call).status(), "it expires by itself");
}

bool Elector::MayAct(std::chrono::nanoseconds call_timeout) const {
  const base::Clock::Monotonic until{std::chrono::nanoseconds(leads_until_ns_.load())};
  return until != base::Clock::Monotonic::min() && clock_.Now() < until - call_timeout;
}

void Elector::Publish() {
  leads_until_ns_ = std::chrono::nanoseconds(election_.LeadsUntil().time_since_epoch()).count();
}

void Elector::Run(const std::stop_token& stop) noexcept {
  while (!stop.stop_requested()) {
    Do(election_.Next(clock_.Now()), stop);
    Publish();
    const auto now = clock_.Now();
    if (election_.has_lost(now)) {
      LOG_ERROR("leadership lost", {"lease", options_.name}, {"holder", election_.holder()});
      callbacks_.on_lost();
      return;
    }
    if (!was_elected_ && election_.is_leader(now)) {
      was_elected_ = true;
      LOG_INFO("elected leader", {"lease", options_.name}, {"identity", options_.identity});
      callbacks_.on_elected();
    }
  }
}

void Elector::Do(const Election::Action& action, const std::stop_token& stop) {
  const auto now = clock_.Now();
  // Nothing may outlast our belief to lead: its end must be noticed in time.
  std::chrono::nanoseconds longest = options_.renew_deadline / 2;
  if (election_.is_leader(now)) longest = std::min(longest, election_.LeadsUntil() - now);
  CallOptions call;
  call.timeout = std::max(kShortest, std::chrono::ceil<std::chrono::milliseconds>(longest));
  call.retries = 0;
  call.is_rate_limited = false;
  call.stop = stop;
  switch (action.step) {
    case Election::Step::kWait:
      RealSleep(stop)(election_.is_leader(now) ? std::min(action.wait, longest) : action.wait);
      return;
    case Election::Step::kGet: {
      const absl::StatusOr<Object> lease = client_.Get(kLeases, {options_.ns, options_.name}, call);
      if (lease.ok() || Is(lease.status(), ApiErrc::kNotFound)) {
        election_.OnRead(clock_.Now(), lease.ok() ? *lease : Object());
      } else {
        LOG_WARN("lease cannot be read", {"lease", options_.name}, {"error", lease.status()});
        election_.OnFailed(true);
      }
      return;
    }
    case Election::Step::kCreate:
      return Write(true, call);
    case Election::Step::kUpdate:
      return Write(false, call);
  }
}

void Elector::Write(bool is_new, const CallOptions& call) {
  const Json body = election_.Body(clock_.Now(), clock_.WallNow());
  const absl::StatusOr<Object> lease =
      is_new ? client_.Create(kLeases, body, call) : client_.Update(kLeases, body, call);
  if (lease.ok()) {
    election_.OnWritten(clock_.Now(), *lease);
    return;
  }
  LOG_WARN("lease cannot be written", {"lease", options_.name}, {"error", lease.status()});
  election_.OnFailed(true);
}

}  // namespace etcd::kube
