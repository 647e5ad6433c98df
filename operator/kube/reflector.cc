#include "operator/kube/reflector.h"

#include <algorithm>
#include <utility>

#include "operator/kube/api_error.h"

namespace etcd::kube {
namespace {

// A watch that ends sooner than this without an event is a fault of the server, or of something in
// between, and not asked for again at once.
constexpr std::chrono::seconds kShortWatch{1};

}  // namespace

Reflector::Action Reflector::Next(base::Clock::Monotonic now) {
  if (wait_.count() > 0) return {.step = Step::kWait, .wait = std::exchange(wait_, {})};
  if (must_list_) return {.step = Step::kList};
  const auto spread = options_.watch_timeout_max - options_.watch_timeout_min;
  const auto extra = random_.Below(static_cast<std::uint64_t>(spread.count()) + 1);
  watch_begin_ = now;
  watch_events_ = 0;
  return {.step = Step::kWatch,
          .resource_version = resource_version_,
          .watch_timeout =
              options_.watch_timeout_min + std::chrono::seconds(static_cast<std::int64_t>(extra))};
}

void Reflector::OnListed(std::string resource_version) {
  must_list_ = false;
  resource_version_ = std::move(resource_version);
  ++lists_;
}

void Reflector::OnListFailed(base::Clock::Monotonic now, const absl::Status& status) {
  WaitAfterFailure(now, status);
}

void Reflector::OnEvent(std::string resource_version) {
  resource_version_ = std::move(resource_version);
  ++watch_events_;
}

void Reflector::OnWatchEnded(base::Clock::Monotonic now, const absl::Status& status) {
  if (status.ok()) {
    if (watch_events_ == 0 && now - watch_begin_ < kShortWatch) WaitAfterFailure(now, status);
    return;
  }
  switch (ApiErrcOf(status).value_or(ApiErrc::kOther)) {
    // The connection or the server had a fault: what we have is good.
    case ApiErrc::kNotSent:
    case ApiErrc::kNoAnswer:
    case ApiErrc::kUnavailable:
    case ApiErrc::kServerError:
    case ApiErrc::kTooManyRequests:
    case ApiErrc::kUnauthorized:
    case ApiErrc::kForbidden:
    case ApiErrc::kStopped:
      break;
    case ApiErrc::kExpired:
    case ApiErrc::kResourceVersionTooLarge:
      must_list_ = true;
      // Once at once; a server that says so again and again is not hammered with lists.
      if (backoff_.IsHealthy(now)) {
        backoff_.Next(now, random_);
        return;
      }
      break;
    default:
      // Something that we cannot read, which would come again from the same place.
      must_list_ = true;
      break;
  }
  WaitAfterFailure(now, status);
}

void Reflector::WaitAfterFailure(base::Clock::Monotonic now, const absl::Status& status) {
  wait_ = backoff_.Next(now, random_);
  if (const auto asked = RetryAfterOf(status); asked.has_value()) {
    wait_ = std::max(wait_, std::chrono::nanoseconds(*asked));
  }
}

}  // namespace etcd::kube
