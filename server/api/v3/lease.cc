#include "server/api/v3/lease.h"

#include <cstdint>
#include <etcdserverpb/rpc.pb.h>
#include <string>
#include <utility>

#include "server/api/v3/keep_alive.h"
#include "server/api/v3/request.h"
#include "server/apply/quota.h"
#include "server/base/bytes.h"
#include "server/base/status.h"
#include "server/lease/lessor.h"

namespace etcd::api::v3 {
namespace {

using base::CallContextPtr;
using base::UnaryDone;

constexpr std::chrono::milliseconds kPrimaryRetryInterval{50};
constexpr std::uint64_t kPositiveMask = 0x7fff'ffff'ffff'ffffULL;

std::uint64_t Wire(std::int64_t value) { return static_cast<std::uint64_t>(value); }

// LeaseTimeToLiveResponse: 1 header, 2 ID, 3 TTL, 4 grantedTTL, 5 keys.
absl::StatusOr<base::Body> AnswerTimeToLive(const Core& core, LeaseId id, bool with_keys) {
  absl::StatusOr<lease::LeaseInfo> info = core.deps().lessor.TimeToLive(id, with_keys);
  if (!info.ok() && ErrcOf(info.status()) != Errc::kLeaseNotFound) return info.status();
  std::string out;
  core.AppendHeader(out, core.store().current_revision());
  base::AppendVarintField(out, 2, Wire(id.value()));
  if (!info.ok()) {
    base::AppendVarintField(out, 3, Wire(-1));  // how an unknown lease is told
    return base::Body(base::Rope(std::move(out)));
  }
  base::AppendVarintField(out, 3, Wire(info->remaining_ttl_seconds));
  base::AppendVarintField(out, 4, Wire(info->granted_ttl_seconds));
  for (const std::string& key : info->keys) base::AppendMessageField(out, 5, key);
  return base::Body(base::Rope(std::move(out)));
}

void AwaitPrimaryUntil(const Core& core, CallContextPtr context, base::Clock::Monotonic deadline,
                       absl::AnyInvocable<void(absl::Status)> then);

bool LeadsIn(const Core& core, Term term) {
  const node::Status status = core.node().status();
  return status.leader == core.node().member_id() && status.term == term &&
         core.deps().lessor.IsPrimary();
}

// The read index of another leader proves nothing about this member: it must lead in the same term
// before and after.
void ConfirmLeadership(const Core& core, CallContextPtr context, Term term,
                       base::Clock::Monotonic deadline,
                       absl::AnyInvocable<void(absl::Status)> then) {
  core.AfterReadIndex(context, [&core, context, term, deadline,
                                then = std::move(then)](absl::Status status) mutable {
    if (!status.ok()) return then(std::move(status));
    if (LeadsIn(core, term)) return then(absl::OkStatus());
    AwaitPrimaryUntil(core, std::move(context), deadline, std::move(then));
  });
}

void AwaitPrimaryUntil(const Core& core, CallContextPtr context, base::Clock::Monotonic deadline,
                       absl::AnyInvocable<void(absl::Status)> then) {
  const node::Status status = core.node().status();
  if (LeadsIn(core, status.term)) {
    return ConfirmLeadership(core, std::move(context), status.term, deadline, std::move(then));
  }
  base::Executor& timers = core.deps().background;
  if (timers.clock().Now() >= deadline) {
    return then(Error(status.leader ? Errc::kTimeout : Errc::kNoLeader));
  }
  if (context->canceled) return then(Error(Errc::kContextCanceled));
  timers.PostAfter(kPrimaryRetryInterval, [&core, context = std::move(context), deadline,
                                           then = std::move(then)]() mutable {
    AwaitPrimaryUntil(core, std::move(context), deadline, std::move(then));
  });
}

}  // namespace

// A follower would forward to the leader's peer URL here; it waits instead until it leads itself or
// the time is up.
void AwaitPrimary(const Core& core, CallContextPtr context,
                  absl::AnyInvocable<void(absl::Status)> then) {
  const auto deadline =
      core.deps().background.clock().Now() +
      std::chrono::duration_cast<base::Clock::Monotonic::duration>(core.options().request_timeout);
  AwaitPrimaryUntil(core, std::move(context), deadline, std::move(then));
}

void LeaseService::Grant(CallContextPtr context, std::string_view request, UnaryDone done) const {
  etcdserverpb::LeaseGrantRequest grant;
  if (!grant.ParseFromArray(request.data(), static_cast<int>(request.size()))) {
    return done(MalformedRequest());
  }
  if (!core_.node().AdmitByQuota(apply::kLeaseGrantCost)) return done(Error(Errc::kNoSpace));
  // The id is chosen before proposing, so that all members grant the same one.
  while (grant.id() == 0) {
    grant.set_id(static_cast<std::int64_t>(core_.node().NextRequestId().value() & kPositiveMask));
  }
  grant.DiscardUnknownFields();
  core_.Propose(LogField::kLeaseGrant, grant.SerializeAsString(), context, std::move(done));
}

void LeaseService::Revoke(CallContextPtr context, std::string_view request, UnaryDone done) const {
  etcdserverpb::LeaseRevokeRequest revoke;
  std::string storage;
  auto bytes = CanonicalBytes(kLeaseRevokeRequestShape, request, revoke, storage);
  if (!bytes.ok()) return done(bytes.status());
  core_.Propose(LogField::kLeaseRevoke, *bytes, context, std::move(done));
}

void LeaseService::TimeToLive(CallContextPtr context, std::string_view request,
                              UnaryDone done) const {
  etcdserverpb::LeaseTimeToLiveRequest ttl;
  if (!ttl.ParseFromArray(request.data(), static_cast<int>(request.size()))) {
    return done(MalformedRequest());
  }
  AwaitPrimary(core_, context,
               [this, id = LeaseId(ttl.id()), with_keys = ttl.keys(),
                done = std::move(done)](absl::Status status) mutable {
                 if (!status.ok()) return done(std::move(status));
                 done(AnswerTimeToLive(core_, id, with_keys));
               });
}

void LeaseService::Leases(CallContextPtr, std::string_view, UnaryDone done) const {
  std::string out;
  core_.AppendHeader(out, core_.store().current_revision());
  for (const LeaseId id : core_.deps().lessor.Leases()) {
    std::string status;
    base::AppendVarintField(status, 1, Wire(id.value()));
    base::AppendMessageField(out, 2, status);
  }
  done(base::Body(base::Rope(std::move(out))));
}

std::unique_ptr<base::StreamHandler> LeaseService::KeepAlive(CallContextPtr context,
                                                             base::StreamSinkPtr sink) const {
  return OpenKeepAlive(core_, std::move(context), std::move(sink));
}

}  // namespace etcd::api::v3
