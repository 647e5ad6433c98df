#include "operator/kube/election.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "operator/kube/backoff.h"
#include "server/base/check.h"

namespace etcd::kube {
namespace {

// What a lease may say of itself; more is not waited for.
constexpr std::int64_t kLeaseSecondsMax = 3600;

std::chrono::seconds DurationOf(const Object& lease, std::chrono::seconds otherwise) {
  const std::int64_t seconds = IntAt(lease.json(), {"spec", "leaseDurationSeconds"}).value_or(0);
  if (seconds <= 0) return otherwise;
  return std::chrono::seconds(std::min(seconds, kLeaseSecondsMax));
}

}  // namespace

Election::Time Election::LeadsUntil() const {
  if (!renewed_at_.has_value()) return Time::min();
  return *renewed_at_ + options_.renew_deadline;
}

bool Election::IsFree(Time now) const {
  if (!lease_ || holder_.empty() || holder_ == options_.identity) return true;
  return now >= observed_at_ + DurationOf(lease_, options_.lease_duration);
}

Election::Action Election::Next(Time now) {
  if (std::exchange(must_wait_, false)) {
    std::chrono::nanoseconds wait = options_.retry_period;
    // Candidates spread themselves; a leader keeps its pace.
    if (!renewed_at_.has_value()) wait += UpTo(wait * 12 / 10, random_);
    return {Step::kWait, wait};
  }
  if (must_read_) return {Step::kGet};
  if (!lease_) return {Step::kCreate};
  if (IsFree(now)) return {Step::kUpdate};
  // Somebody else leads; look again later.
  must_read_ = true;
  must_wait_ = true;
  return Next(now);
}

Json Election::Body(Time now, WallTime wall_now) {
  write_begin_ = now;
  Json body;
  if (lease_) {
    body = lease_.json();
  } else {
    body = {{"apiVersion", "coordination.k8s.io/v1"},
            {"kind", "Lease"},
            {"metadata", {{"namespace", options_.ns}, {"name", options_.name}}}};
  }
  if (!body["spec"].is_object()) body["spec"] = Json::object();
  Json& spec = body["spec"];
  const std::string time = FormatMicroTime(wall_now);
  if (holder_ != options_.identity) {
    const std::int64_t transitions = IntAt(body, {"spec", "leaseTransitions"}).value_or(0);
    spec["leaseTransitions"] = lease_ ? transitions + 1 : 0;
    spec["acquireTime"] = time;
  }
  spec["holderIdentity"] = options_.identity;
  spec["leaseDurationSeconds"] = options_.lease_duration.count();
  spec["renewTime"] = time;
  return body;
}

void Election::Observe(Time now, const Object& lease) {
  const bool is_same = lease_ && lease && lease.resource_version() == lease_.resource_version();
  if (!is_same) observed_at_ = now;
  lease_ = lease;
  holder_ = lease ? std::string(TextAt(lease.json(), {"spec", "holderIdentity"})) : std::string();
  must_read_ = false;
}

void Election::OnRead(Time now, const Object& lease) {
  Observe(now, lease);
  // Taken by another, or deleted: then anybody may take it at this moment.
  if (holder_ != options_.identity) renewed_at_.reset();
}

void Election::OnWritten(Time now, const Object& lease) {
  Observe(now, lease);
  must_wait_ = true;
  if (holder_ != options_.identity) {
    renewed_at_.reset();  // an API server that answers with something else than what we wrote
    must_read_ = true;
    return;
  }
  // A renewal that came too late does not bring back what was lost meanwhile.
  if (has_lost(now)) return;
  renewed_at_ = write_begin_;
  led_ = led_ || is_leader(now);
}

void Election::OnFailed(bool must_read) {
  must_wait_ = true;
  must_read_ = must_read_ || must_read;
}

std::optional<Json> Election::Release(WallTime wall_now) {
  const bool is_ours = renewed_at_.has_value() && lease_ && holder_ == options_.identity;
  renewed_at_.reset();
  if (!is_ours) return std::nullopt;
  Json body = lease_.json();
  const std::string time = FormatMicroTime(wall_now);
  body["spec"]["holderIdentity"] = "";
  body["spec"]["leaseDurationSeconds"] = 1;
  body["spec"]["renewTime"] = time;
  body["spec"]["acquireTime"] = time;
  return body;
}

}  // namespace etcd::kube
