#include "server/api/http/peer_leases.h"

#include <chrono>
#include <cstdint>
#include <etcdserverpb/rpc.pb.h>
#include <optional>
#include <string>
#include <utility>

#include "server/api/http/reply.h"
#include "server/base/bytes.h"
#include "server/base/failpoint.h"
#include "server/base/status.h"
#include "server/lease/lessor.h"

namespace etcd::api::http {
namespace {

// How long a call waits until this member has applied what it knew to be committed.
constexpr std::chrono::seconds kCatchUpMax(1);
constexpr std::chrono::milliseconds kCatchUpPoll(5);
constexpr std::string_view kProtobuf = "application/protobuf";
constexpr std::string_view kNotFound = "lease not found";
constexpr std::string_view kNotPrimary = "not a primary lessor";

using Then = absl::AnyInvocable<void()>;

bool IsPost(const base::HttpRequest& request, base::HttpResponder& responder) {
  if (request.method == "POST") return true;
  ReplyError(responder, 405, "Method Not Allowed");
  return false;
}

void CatchUp(const PeerDeps& deps, Index index, base::Clock::Monotonic give_up,
             base::HttpResponderPtr responder, Then then) {
  if (deps.node.status().applied >= index) return then();
  if (deps.background.clock().Now() >= give_up) {
    return ReplyError(*responder, 408,
                      "waiting for node to catch up its applied index has timed out");
  }
  deps.background.PostAfter(kCatchUpPoll,
                            [&deps, index, give_up, responder, then = std::move(then)]() mutable {
                              CatchUp(deps, index, give_up, std::move(responder), std::move(then));
                            });
}

// Goes on, on the background thread, once everything committed at this moment is applied.
void AfterCatchUp(const PeerDeps& deps, base::HttpResponderPtr responder, Then then) {
  deps.background.Post([&deps, responder = std::move(responder), then = std::move(then)]() mutable {
    CatchUp(deps, deps.node.status().committed, deps.background.clock().Now() + kCatchUpMax,
            std::move(responder), std::move(then));
  });
}

bool LeadsIn(const PeerDeps& deps, Term term) {
  const node::Status status = deps.node.status();
  return status.leader == deps.node.member_id() && status.term == term && deps.lessor.IsPrimary();
}

// LeaseKeepAliveResponse: 2 ID, 3 TTL, without a header.
void AnswerRenewal(base::HttpResponder& responder, LeaseId id, absl::StatusOr<std::int64_t> ttl) {
  if (!ttl.ok()) {
    if (ErrcOf(ttl.status()) == Errc::kLeaseNotFound) {
      return ReplyError(responder, 404, std::string(kNotFound));
    }
    return ReplyError(responder, 400, std::string(base::MessageOf(ttl.status())));
  }
  std::string body;
  base::AppendVarintField(body, 2, static_cast<std::uint64_t>(id.value()));
  base::AppendVarintField(body, 3, static_cast<std::uint64_t>(*ttl));
  responder.Reply(200, {{"Content-Type", std::string(kProtobuf)}}, std::move(body));
}

// A leader that others have replaced must not renew what its successor has revoked (etcd issue
// 20615): it leads in the same term before and after a read index.
void RenewAsLeader(const PeerDeps& deps, LeaseId id, base::HttpResponderPtr responder) {
  const Term term = deps.node.status().term;
  if (!LeadsIn(deps, term)) return ReplyError(*responder, 400, std::string(kNotPrimary));
  deps.node.ReadIndex(
      [&deps, id, term, responder = std::move(responder)](const absl::Status& status) mutable {
        deps.background.Post([&deps, id, term, ok = status.ok(), responder = std::move(responder)] {
          if (!ok || !LeadsIn(deps, term)) {
            return ReplyError(*responder, 400, std::string(kNotPrimary));
          }
          FAILPOINT("beforeServeHTTPLeaseRenew");
          deps.lessor.Renew(id, [id, responder](absl::StatusOr<std::int64_t> ttl) {
            AnswerRenewal(*responder, id, std::move(ttl));
          });
        });
      });
}

// LeaseInternalRequest: 1 LeaseTimeToLiveRequest.
bool ParseInternal(std::string_view body, etcdserverpb::LeaseTimeToLiveRequest& out) {
  constexpr char kTag = 0x0a;
  std::uint64_t size = 0;
  if (!body.starts_with(kTag)) return false;
  body.remove_prefix(1);
  if (!base::ConsumeVarint(body, size) || size > body.size()) return false;
  return out.ParseFromArray(body.data(), static_cast<int>(size));
}

// LeaseInternalResponse: 1 LeaseTimeToLiveResponse, which is 1 header (empty), 2 ID, 3 TTL,
// 4 grantedTTL, 5 keys.
std::string EncodeInternal(const lease::LeaseInfo& info) {
  std::string inner;
  base::AppendMessageField(inner, 1, {});
  base::AppendVarintField(inner, 2, static_cast<std::uint64_t>(info.id.value()));
  base::AppendVarintField(inner, 3, static_cast<std::uint64_t>(info.remaining_ttl_seconds));
  base::AppendVarintField(inner, 4, static_cast<std::uint64_t>(info.granted_ttl_seconds));
  for (const std::string& key : info.keys) base::AppendMessageField(inner, 5, key);
  std::string out;
  base::AppendMessageField(out, 1, inner);
  return out;
}

void AnswerTimeToLive(const PeerDeps& deps, LeaseId id, bool keys, base::HttpResponder& responder) {
  FAILPOINT("beforeLookupWhenForwardLeaseTimeToLive");
  const absl::StatusOr<lease::LeaseInfo> info = deps.lessor.TimeToLive(id, keys);
  if (info.ok()) {
    return responder.Reply(200, {{"Content-Type", std::string(kProtobuf)}}, EncodeInternal(*info));
  }
  if (ErrcOf(info.status()) == Errc::kLeaseNotFound) {
    return ReplyError(responder, 404, std::string(kNotFound));
  }
  ReplyError(responder, 500, std::string(kNotPrimary));
}

}  // namespace

void ServeLeaseRenewal(const PeerDeps& deps, const base::HttpRequest& request,
                       base::HttpResponderPtr responder) {
  if (!IsPost(request, *responder)) return;
  etcdserverpb::LeaseKeepAliveRequest call;
  if (!call.ParseFromString(request.body)) {
    return ReplyError(*responder, 400, "error unmarshalling request");
  }
  AfterCatchUp(deps, responder,
               [&deps, id = LeaseId(call.id()), responder] { RenewAsLeader(deps, id, responder); });
}

void ServeLeaseTimeToLive(const PeerDeps& deps, const base::HttpRequest& request,
                          base::HttpResponderPtr responder) {
  if (!IsPost(request, *responder)) return;
  etcdserverpb::LeaseTimeToLiveRequest call;
  if (!ParseInternal(request.body, call)) {
    return ReplyError(*responder, 400, "error unmarshalling request");
  }
  AfterCatchUp(deps, responder, [&deps, id = LeaseId(call.id()), keys = call.keys(), responder] {
    AnswerTimeToLive(deps, id, keys, *responder);
  });
}

}  // namespace etcd::api::http
