#include "tests/simulation/lease_client.h"

#include <algorithm>

#include <fmt/format.h>

#include "server/base/errc.h"

namespace etcd::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

void LeaseClient::Fail(const std::string& what) {
  shared_.world.Fail(fmt::format("lease client {}: {}", number_, what));
}

const Ledger::Lease* LeaseClient::Known(std::int64_t id) const {
  const auto found = shared_.ledger.leases().find(id);
  return found == shared_.ledger.leases().end() ? nullptr : &found->second;
}

std::optional<Nanos> LeaseClient::RemovedAt(std::int64_t id) const {
  const Ledger::Lease* known = Known(id);
  return known == nullptr ? std::nullopt : known->removed_at;
}

void LeaseClient::Start() {
  Connect();
  Tick();
}

void LeaseClient::Connect() {
  stream_ = home_.member().Open(
      "/etcdserverpb.Lease/LeaseKeepAlive",
      [this](const std::string& bytes) { OnKeptAlive(bytes); },
      [this] {
        stream_ = nullptr;
        home_.Move();
        for (auto& [id, lease] : leases_) lease.asked.clear();
        Connect();
      });
  if (stream_ != nullptr) return;
  home_.Move();
  shared_.world.After(milliseconds(200), [this] { Connect(); });
}

void LeaseClient::Tick() {
  shared_.world.After(Between(shared_.random(), milliseconds(50), seconds(1)), [this] {
    if (shared_.quiet) return;
    for (auto& [id, lease] : leases_) {
      if (lease.keep && lease.acknowledged && !RemovedAt(id)) KeepAlive(id, lease);
    }
    const std::uint64_t draw = shared_.random().Below(100);
    if (leases_.size() < 3 || draw < 15) Grant();
    if (!leases_.empty()) {
      auto at = leases_.begin();
      std::advance(at, shared_.random().Below(leases_.size()));
      if (draw >= 15 && draw < 20) Revoke(at->first);
      if (draw >= 20 && draw < 40) at->second.keep = !at->second.keep;
      if (draw >= 40 && draw < 60) AskTimeToLive(at->first);
    }
    Tick();
  });
}

void LeaseClient::Grant() {
  const std::int64_t id = (number_ + 1) * 100'000 + next_++;
  etcdserverpb::LeaseGrantRequest request;
  request.set_id(id);
  request.set_ttl(1 + static_cast<std::int64_t>(shared_.random().Below(kTtlMax.count())));
  // The server raises what is shorter than an election.
  leases_[id].ttl_seconds = std::max<std::int64_t>(request.ttl(), 2);
  leases_[id].renewed = shared_.world.now();
  ++calls_;
  home_.member().Call("/etcdserverpb.Lease/LeaseGrant", request.SerializeAsString(),
                      [this, id](const Reply& reply) {
                        --calls_;
                        if (reply.kind != Reply::Kind::kOk) return;
                        if (Known(id) == nullptr) return Fail("a grant that the store lacks");
                        etcdserverpb::LeaseGrantResponse response;
                        if (!response.ParseFromString(reply.bytes) || response.id() != id ||
                            response.ttl() < leases_[id].ttl_seconds) {
                          return Fail("grant: " + response.ShortDebugString());
                        }
                        leases_[id].acknowledged = true;
                        shared_.leases.push_back(id);
                      });
}

void LeaseClient::Revoke(std::int64_t id) {
  leases_[id].revoking = true;
  etcdserverpb::LeaseRevokeRequest request;
  request.set_id(id);
  ++calls_;
  home_.member().Call("/etcdserverpb.Lease/LeaseRevoke", request.SerializeAsString(),
                      [this, id](const Reply& reply) {
                        --calls_;
                        if (reply.kind != Reply::Kind::kOk) return;
                        shared_.world.Count("lease revoked");
                        if (!RemovedAt(id)) Fail("a revoke was acknowledged, the lease is there");
                      });
}

void LeaseClient::AskTimeToLive(std::int64_t id) {
  etcdserverpb::LeaseTimeToLiveRequest request;
  request.set_id(id);
  const Nanos begun = shared_.world.now();
  const bool exists = leases_[id].acknowledged && !RemovedAt(id);
  ++calls_;
  home_.member().Call(
      "/etcdserverpb.Lease/LeaseTimeToLive", request.SerializeAsString(),
      [this, id, begun, exists](const Reply& reply) {
        --calls_;
        etcdserverpb::LeaseTimeToLiveResponse response;
        if (reply.kind != Reply::Kind::kOk || !response.ParseFromString(reply.bytes)) return;
        // A leader that does not know yet of its successor may answer with the past.
        if (!shared_.is_alone()) return;
        const std::optional<Nanos> removed = RemovedAt(id);
        if (response.ttl() >= 0 && removed && *removed < begun) {
          Fail(fmt::format("lease {} has {} s, it is gone", id, response.ttl()));
        }
        if (response.ttl() < 0 && exists && !removed) {
          Fail(fmt::format("lease {} is said to be gone", id));
        }
      });
}

// ---- Keepalive

void LeaseClient::KeepAlive(std::int64_t id, Lease& lease) {
  if (stream_ == nullptr) return;
  etcdserverpb::LeaseKeepAliveRequest request;
  request.set_id(id);
  lease.asked.push_back(shared_.world.now());
  stream_->SendRequest(request.SerializeAsString());
}

void LeaseClient::OnKeptAlive(const std::string& bytes) {
  etcdserverpb::LeaseKeepAliveResponse response;
  if (!response.ParseFromString(bytes)) return Fail("no LeaseKeepAliveResponse");
  ++shared_.operations;
  const std::int64_t id = response.id();
  const auto found = leases_.find(id);
  if (found == leases_.end() || found->second.asked.empty()) return Fail("a keepalive too many");
  Lease& lease = found->second;
  const Nanos asked = lease.asked.front();
  lease.asked.pop_front();
  if (response.ttl() > 0) {
    shared_.world.Count("lease renewed");
    return CheckRenewal(id, lease, asked);
  }
  if (!RemovedAt(id)) Fail(fmt::format("keepalive: lease {} is said to be gone", id));
}

void LeaseClient::CheckRenewal(std::int64_t id, Lease& lease, Nanos asked) {
  const std::optional<Nanos> removed = RemovedAt(id);
  if (removed && *removed < asked) {
    return Fail(fmt::format("lease {} was renewed after its end", id));
  }
  if (removed && !lease.revoking && *removed < asked + Shortest(lease)) {
    return Fail(fmt::format("lease {} ended in spite of a renewal", id));
  }
  lease.renewed = std::max(lease.renewed, asked);
}

// The TTL by the fastest clock that a leader can have.
Nanos LeaseClient::Shortest(const Lease& lease) const {
  const double rate = 1 + static_cast<double>(shared_.options.clock_drift_per_mille) / 1000;
  const double ttl = static_cast<double>(Nanos(seconds(lease.ttl_seconds)).count());
  return Nanos(static_cast<std::int64_t>(ttl / rate) - 1);
}

// Only the clock of the leader ends a lease that nobody revokes, and never early.
void LeaseClient::OnRemoved(std::int64_t id, const Ledger::Lease& gone) {
  const auto found = leases_.find(id);
  if (found == leases_.end()) return;
  std::erase(shared_.leases, id);
  const Lease& lease = found->second;
  if (lease.revoking) return;
  shared_.world.Count("lease expired");
  const Nanos due = lease.renewed + Shortest(lease);
  if (*gone.removed_at < due) {
    Fail(fmt::format("lease {} of {} s ended {} ms early", id, lease.ttl_seconds,
                     (due - *gone.removed_at).count() / 1'000'000));
  }
}

bool LeaseClient::AllGone() const {
  return std::all_of(leases_.begin(), leases_.end(), [this](const auto& item) {
    return Known(item.first) == nullptr || RemovedAt(item.first);
  });
}

}  // namespace etcd::simulation
