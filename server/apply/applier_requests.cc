#include <charconv>
#include <etcdserverpb/raft_internal.pb.h>
#include <string>
#include <utility>
#include <vector>

#include "server/apply/applier.h"
#include "server/apply/legacy_request.h"
#include "server/base/bytes.h"
#include "server/base/etcd_version.h"
#include "server/base/log.h"
#include "server/base/status.h"
#include "server/storage/engine/buckets.h"

// What each request of the log does, and the layers around it.
namespace etcd::apply {
namespace {

using etcdserverpb::InternalRaftRequest;

constexpr std::uint32_t kAlarmsField = 2;
constexpr std::uint32_t kLeaseIdField = 2;
constexpr std::uint32_t kLeaseTtlField = 3;
constexpr std::uint32_t kAuthRevisionField = 3;
// Whose backend schema this is; older clusters have no storage version.
constexpr int kOwnMinor = 6;
constexpr std::string_view kOwnStorageVersion = "3.6.0";

bool NeedsSpace(const InternalRaftRequest& r) {
  return r.has_put() || r.has_lease_grant() || (r.has_txn() && CostOf(r.txn()) > 0);
}

bool TouchesKeys(const InternalRaftRequest& r) {
  return r.has_range() || r.has_put() || r.has_delete_range() || r.has_txn() ||
         r.has_compaction() || r.has_lease_grant() || r.has_lease_revoke();
}

bool IsAuth(const InternalRaftRequest& r) {
  return r.has_auth_enable() || r.has_auth_disable() || r.has_authenticate() ||
         r.has_auth_user_add() || r.has_auth_user_delete() || r.has_auth_user_get() ||
         r.has_auth_user_change_password() || r.has_auth_user_grant_role() ||
         r.has_auth_user_revoke_role() || r.has_auth_user_list() || r.has_auth_role_list() ||
         r.has_auth_role_add() || r.has_auth_role_delete() || r.has_auth_role_get() ||
         r.has_auth_role_grant_permission() || r.has_auth_role_revoke_permission();
}

Response AuthStatusOff() {
  Response response;
  base::AppendVarintField(response.body, kAuthRevisionField, 1);  // that of a fresh store
  return response;
}

}  // namespace

absl::Status Applier::CheckAlarms(const InternalRaftRequest& request) const {
  if (state_.alarms.current().empty()) return absl::OkStatus();
  if (state_.alarms.IsRaised(kAlarmCorrupt) && TouchesKeys(request)) {
    return Error(Errc::kCorrupt);
  }
  if (state_.alarms.IsRaised(kAlarmNoSpace) && NeedsSpace(request)) {
    return Error(Errc::kNoSpace);
  }
  return absl::OkStatus();
}

// The place of the permission check (user and auth revision of the header against the auth store).
// Until there is one, what would change it never gets here (NeedsAuth); those that read it, which
// pass the log as well and change nothing on any member, have a definite result.
absl::Status Applier::CheckAuth(const InternalRaftRequest& request) const {
  if (!IsAuth(request)) return absl::OkStatus();
  return base::MakeStatus(absl::StatusCode::kUnimplemented,
                          "etcdserver: authentication is not supported yet");
}

bool Applier::FitsQuota(const InternalRaftRequest& request) const {
  if (request.has_put()) return state_.quota.Admits(CostOf(request.put()));
  if (request.has_txn()) return state_.quota.Admits(CostOf(request.txn()));
  return !request.has_lease_grant() || state_.quota.Admits(kLeaseGrantCost);
}

absl::StatusOr<Response> Applier::Execute(const InternalRaftRequest& request, BatchOutcome& out) {
  if (request.has_put()) return kv_.Put(request.put());
  if (request.has_txn()) return kv_.Txn(request.txn());
  if (request.has_delete_range()) return kv_.DeleteRange(request.delete_range());
  if (request.has_range()) return kv_.Range(request.range());
  if (request.has_compaction()) return kv_.Compact(Revision(request.compaction().revision()));
  if (request.has_lease_grant()) return LeaseGrant(request.lease_grant());
  if (request.has_lease_revoke()) return LeaseRevoke(request.lease_revoke());
  if (request.has_lease_checkpoint()) return LeaseCheckpoint(request.lease_checkpoint());
  if (request.has_alarm()) return Alarm(request.alarm());
  if (request.has_auth_status()) return AuthStatusOff();
  if (request.has_cluster_version_set()) {
    RETURN_IF_ERROR(SetClusterVersion(request.cluster_version_set().ver(), out));
    return Response();
  }
  if (request.has_cluster_member_attr_set()) {
    const auto& set = request.cluster_member_attr_set();
    const auto& urls = set.member_attributes().client_urls();
    state_.cluster.SetAttributes(MemberId(set.member_id()), set.member_attributes().name(),
                                 {urls.begin(), urls.end()}, batch_);
    return Response();
  }
  if (request.has_downgrade_info_set()) {
    const auto& set = request.downgrade_info_set();
    state_.cluster.SetDowngrade({set.enabled() ? set.ver() : "", set.enabled()}, batch_);
    return Response();
  }
  if (request.has_downgrade_version_test()) return Response();
  // kInternal, so that it is no result: others may know the operation, so this member must stop.
  return base::MakeStatus(absl::StatusCode::kInternal,
                          "the log holds an operation that this version does not know");
}

absl::StatusOr<Response> Applier::Alarm(const etcdserverpb::AlarmRequest& request) {
  const struct Alarm alarm {
    MemberId(request.memberid()), static_cast<std::int32_t>(request.alarm())
  };
  std::vector<struct Alarm> listed;
  switch (static_cast<int>(request.action())) {
    case etcdserverpb::AlarmRequest::GET:
      for (const auto& raised : state_.alarms.current()) {
        if (alarm.type == kAlarmNone || raised.type == alarm.type) listed.push_back(raised);
      }
      break;
    case etcdserverpb::AlarmRequest::ACTIVATE:
      if (alarm.type == kAlarmNone) break;
      state_.alarms.Activate(alarm, batch_);
      listed.push_back(alarm);
      break;
    case etcdserverpb::AlarmRequest::DEACTIVATE:
      if (state_.alarms.Deactivate(alarm, batch_)) listed.push_back(alarm);
      break;
    default:
      return Error(Errc::kUnknownMethod);  // Go dies here
  }
  Response response;
  for (const auto& item : listed) {
    base::AppendMessageField(response.body, kAlarmsField, EncodeAlarm(item));
  }
  return response;
}

absl::StatusOr<Response> Applier::LeaseGrant(const etcdserverpb::LeaseGrantRequest& request) {
  ASSIGN_OR_RETURN(const std::int64_t ttl,
                   state_.lessor.Grant(LeaseId(request.id()), request.ttl(), batch_));
  Response response;
  base::AppendVarintField(response.body, kLeaseIdField, static_cast<std::uint64_t>(request.id()));
  base::AppendVarintField(response.body, kLeaseTtlField, static_cast<std::uint64_t>(ttl));
  return response;
}

absl::StatusOr<Response> Applier::LeaseRevoke(const etcdserverpb::LeaseRevokeRequest& request) {
  ASSIGN_OR_RETURN(const std::vector<std::string> keys,
                   state_.lessor.Revoke(LeaseId(request.id()), batch_));
  kv_.DeleteKeys(keys);
  return Response();
}

absl::StatusOr<Response> Applier::LeaseCheckpoint(
    const etcdserverpb::LeaseCheckpointRequest& request) {
  const bool persist = base::MinorOf(state_.cluster.current().cluster_version) >= kOwnMinor;
  for (const etcdserverpb::LeaseCheckpoint& checkpoint : request.checkpoints()) {
    RETURN_IF_ERROR(state_.lessor.Checkpoint({LeaseId(checkpoint.id()), checkpoint.remaining_ttl()},
                                             persist, batch_));
  }
  return Response();
}

// The storage version follows the cluster version (raft-peer-storage.md 8.5).
absl::Status Applier::SetClusterVersion(std::string_view version, BatchOutcome& out) {
  const int minor = base::MinorOf(version);
  if (minor > kOwnMinor) {
    return base::MakeStatus(absl::StatusCode::kInternal,
                            "the cluster version is newer than this server");
  }
  if (minor < base::MinorOf(state_.cluster.current().cluster_version))
    out.cluster_version_lowered = true;
  state_.cluster.SetClusterVersion(version, batch_);
  out.cluster_version_set = true;
  const std::string key = engine::MetaKey(engine::kBucketMeta, engine::kMetaStorageVersion);
  if (minor == kOwnMinor) {
    batch_.Put(engine::Family::kMeta, key, std::string(kOwnStorageVersion));
  } else {
    batch_.Delete(engine::Family::kMeta, key);
  }
  return absl::OkStatus();
}

void Applier::ApplyLegacy(const LegacyRequest& request, const raft::Entry& at, BatchOutcome& out) {
  constexpr std::string_view kMembers = "/0/members/";
  constexpr std::string_view kAttributes = "/attributes";
  absl::Status status;
  if (request.method == "PUT" && request.path == "/0/version") {
    status = SetClusterVersion(request.value, out);
  } else if (request.method == "PUT" && request.path.starts_with(kMembers) &&
             request.path.ends_with(kAttributes)) {
    const std::string_view hex = request.path.substr(
        kMembers.size(), request.path.size() - kMembers.size() - kAttributes.size());
    std::uint64_t id = 0;
    std::from_chars(hex.data(), hex.data() + hex.size(), id, 16);
    auto attributes = membership::DecodeAttributes(request.value);
    if (attributes.ok()) {
      state_.cluster.SetAttributes(MemberId(id), attributes->name, attributes->client_urls, batch_);
    }
  } else {
    // Health checks of 3.4 (QGET) and v2 keys: this store has no v2 keys, so nothing changes.
    LOG_DEBUG("skipped a v2 request of the log", {"index", at.index});
  }
  if (request.id == 0) return;
  out.outcomes.push_back({RequestId(request.id), {status, {}, Revision(), at.index}, std::nullopt});
}

}  // namespace etcd::apply
