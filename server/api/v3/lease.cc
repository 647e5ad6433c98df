#include "server/api/v3/lease.h"

#include <cstdint>
#include <etcdserverpb/rpc.pb.h>
#include <memory>
#include <string>
#include <utility>

#include "server/api/v3/keep_alive.h"
#include "server/api/v3/request.h"
#include "server/api/v3/wire.h"
#include "server/apply/quota.h"
#include "server/base/bytes.h"
#include "server/base/failpoint.h"
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
base::Body AnswerUnknown(const Core& core, LeaseId id) {
  std::string out;
  core.AppendHeader(out, core.store().current_revision());
  base::AppendVarintField(out, 2, Wire(id.value()));
  base::AppendVarintField(out, 3, Wire(-1));  // how an unknown lease is told
  return base::Body(base::Rope(std::move(out)));
}

absl::StatusOr<base::Body> AnswerTimeToLive(const Core& core, LeaseId id, bool with_keys) {
  FAILPOINT("beforeLookupWhenLeaseTimeToLive");
  absl::StatusOr<lease::LeaseInfo> info = core.deps().lessor.TimeToLive(id, with_keys);
  if (ErrcOf(info.status()) == Errc::kLeaseNotFound) return AnswerUnknown(core, id);
  if (!info.ok()) return info.status();
  std::string out;
  core.AppendHeader(out, core.store().current_revision());
  base::AppendVarintField(out, 2, Wire(id.value()));
  base::AppendVarintField(out, 3, Wire(info->remaining_ttl_seconds));
  base::AppendVarintField(out, 4, Wire(info->granted_ttl_seconds));
  for (const std::string& key : info->keys) base::AppendMessageField(out, 5, key);
  return base::Body(base::Rope(std::move(out)));
}

// One request on its way to the primary, wherever that is or will be.
struct PrimaryCall {
  const Core& core;
  CallContextPtr context;
  PrimaryQuestion question;
  base::Clock::Monotonic deadline;
  PrimaryAnswer then;
};
using PrimaryCallPtr = std::shared_ptr<PrimaryCall>;

void TryPrimary(const PrimaryCallPtr& call);

bool LeadsIn(const Core& core, Term term) {
  const node::Status status = core.node().status();
  return status.leader == core.node().member_id() && status.term == term &&
         core.deps().lessor.IsPrimary();
}

void TryPrimaryLater(const PrimaryCallPtr& call) {
  base::Executor& timers = call->core.deps().background;
  if (timers.clock().Now() >= call->deadline) {
    const bool has_leader = static_cast<bool>(call->core.node().status().leader);
    return call->then(Error(has_leader ? Errc::kTimeout : Errc::kNoLeader));
  }
  if (call->context->canceled) return call->then(Error(Errc::kContextCanceled));
  timers.PostAfter(kPrimaryRetryInterval, [call] { TryPrimary(call); });
}

// The read index of another leader proves nothing about this member: it must lead in the same term
// before and after.
void ConfirmLeadership(const PrimaryCallPtr& call, Term term) {
  call->core.AfterReadIndex(call->context, [call, term](absl::Status status) {
    if (!status.ok()) return call->then(std::move(status));
    if (LeadsIn(call->core, term)) return call->then(std::nullopt);
    TryPrimaryLater(call);
  });
}

void TryPrimary(const PrimaryCallPtr& call) {
  const node::Status status = call->core.node().status();
  if (LeadsIn(call->core, status.term)) return ConfirmLeadership(call, status.term);
  call->core.node().AskLeader(call->question.path, call->question.body, call->deadline,
                              [call](absl::StatusOr<std::string> answer) {
                                if (answer.ok())
                                  return call->then(std::optional<std::string>(*std::move(answer)));
                                if (ErrcOf(answer.status()) == Errc::kLeaseNotFound)
                                  return call->then(answer.status());
                                TryPrimaryLater(call);
                              });
}

// LeaseInternalResponse{1: LeaseTimeToLiveResponse}, whose header is the primary's: ours goes in
// its place.
absl::StatusOr<base::Body> ForwardedTimeToLive(const Core& core, std::string_view answer) {
  std::string out;
  core.AppendHeader(out, core.store().current_revision());
  WireReader outer(answer);
  for (WireField field; outer.Next(field);) {
    if (!field.IsBytes(1)) continue;
    WireReader reader(field.bytes);
    for (WireField inner; reader.Next(inner);) {
      if (inner.type == base::kWireVarint) base::AppendVarintField(out, inner.number, inner.varint);
      if (inner.IsBytes(5)) base::AppendMessageField(out, 5, inner.bytes);
    }
    if (!reader.ok()) return Error(Errc::kNoLeader);
  }
  if (!outer.ok()) return Error(Errc::kNoLeader);
  return base::Body(base::Rope(std::move(out)));
}

std::string TimeToLiveQuestion(LeaseId id, bool with_keys) {
  std::string request;
  base::AppendVarintField(request, 1, Wire(id.value()));
  if (with_keys) base::AppendVarintField(request, 2, 1);
  std::string out;
  base::AppendMessageField(out, 1, request);
  return out;
}

}  // namespace

void AskPrimary(const Core& core, CallContextPtr context, PrimaryQuestion question,
                PrimaryAnswer then) {
  const auto deadline =
      core.deps().background.clock().Now() +
      std::chrono::duration_cast<base::Clock::Monotonic::duration>(core.options().request_timeout);
  TryPrimary(std::make_shared<PrimaryCall>(
      PrimaryCall{core, std::move(context), std::move(question), deadline, std::move(then)}));
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
  const LeaseId id(ttl.id());
  AskPrimary(core_, context, {"/leases/internal", TimeToLiveQuestion(id, ttl.keys())},
             [this, id, with_keys = ttl.keys(),
              done = std::move(done)](absl::StatusOr<std::optional<std::string>> answer) mutable {
               // Not found elsewhere is not found here: the same answer.
               const bool not_found = ErrcOf(answer.status()) == Errc::kLeaseNotFound;
               if (!answer.ok() && !not_found) return done(answer.status());
               if (not_found) return done(AnswerUnknown(core_, id));
               if (!answer->has_value()) return done(AnswerTimeToLive(core_, id, with_keys));
               done(ForwardedTimeToLive(core_, **answer));
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
