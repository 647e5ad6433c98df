#include "server/api/v3/maintenance.h"

#include <cstdint>
#include <etcdserverpb/rpc.pb.h>
#include <string>
#include <utility>

#include "server/api/v3/downgrade.h"
#include "server/api/v3/request.h"
#include "server/api/v3/wire.h"
#include "server/base/bytes.h"
#include "server/base/failpoint.h"
#include "server/base/status.h"

namespace etcd::api::v3 {
namespace {

using base::CallContextPtr;
using base::UnaryDone;

std::uint64_t Wire(std::int64_t value) { return static_cast<std::uint64_t>(value); }

// AlarmMember as Go prints it, zero fields left out: "memberID:7 alarm:NOSPACE ".
std::string AlarmText(const node::AlarmInfo& alarm) {
  std::string out;
  if (alarm.member) out += "memberID:" + std::to_string(alarm.member.value()) + " ";
  if (alarm.type == 0) return out;
  const std::string& name =
      etcdserverpb::AlarmType_Name(static_cast<etcdserverpb::AlarmType>(alarm.type));
  return out + "alarm:" + (name.empty() ? std::to_string(alarm.type) : name) + " ";
}

// StatusResponse: 1 header, 2 version, 3 dbSize, 4 leader, 5 raftIndex, 6 raftTerm,
// 7 raftAppliedIndex, 8 errors, 9 dbSizeInUse, 10 isLearner, 11 storageVersion, 12 dbSizeQuota,
// 13 downgradeInfo.
std::string EncodeStatus(const Core& core) {
  node::Node& node = core.node();
  const node::Status status = node.status();
  std::string out;
  core.AppendHeader(out, core.store().current_revision());
  base::AppendBytesField(out, 2, core.options().server_version);
  base::AppendVarintField(out, 3, node.BackendBytes());
  base::AppendVarintField(out, 4, status.leader.value());
  base::AppendVarintField(out, 5, status.committed.value());
  base::AppendVarintField(out, 6, status.term.value());
  base::AppendVarintField(out, 7, status.applied.value());
  if (!status.leader) base::AppendBytesField(out, 8, RowOf(Errc::kNoLeader).message);
  for (const node::AlarmInfo& alarm : node.Alarms()) {
    base::AppendMessageField(out, 8, AlarmText(alarm));
  }
  base::AppendVarintField(out, 9, node.BackendBytesInUse());
  base::AppendVarintField(out, 10, status.is_learner ? 1 : 0);
  base::AppendBytesField(out, 11, node.StorageVersion());
  base::AppendVarintField(out, 12, Wire(node.QuotaBytes()));
  std::string downgrade;  // DowngradeInfo: 1 enabled, 2 targetVersion; always present
  base::AppendVarintField(downgrade, 1, node.Downgrade().enabled ? 1 : 0);
  base::AppendBytesField(downgrade, 2, node.Downgrade().target_version);
  base::AppendMessageField(out, 13, downgrade);
  return out;
}

// HashKVResponse: 1 header (current revision), 2 hash, 3 compact_revision, 4 hash_revision.
absl::StatusOr<base::Body> AnswerHashKv(const Core& core, Revision at) {
  ASSIGN_OR_RETURN(const mvcc::HashResult result, core.store().HashKv(at));
  std::string out;
  core.AppendHeader(out, result.current);
  base::AppendVarintField(out, 2, result.hash);
  base::AppendVarintField(out, 3, Wire(result.compact_revision.value()));
  base::AppendVarintField(out, 4, Wire(result.hash_revision.value()));
  return base::Body(base::Rope(std::move(out)));
}

absl::StatusOr<base::Body> AnswerHash(const Core& core) {
  ASSIGN_OR_RETURN(const mvcc::BackendHash result, core.deps().hash_backend());
  std::string out;
  core.AppendHeader(out, result.current);
  base::AppendVarintField(out, 2, result.hash);
  return base::Body(base::Rope(std::move(out)));
}

template <typename Hash>
absl::StatusOr<base::Body> Timed(const Core& core, bool at_revision, const Hash& hash) {
  const base::Clock& clock = core.bulk().clock();
  const base::Clock::Monotonic start = clock.Now();
  absl::StatusOr<base::Body> body = hash();
  RequestObserver* const observer = core.deps().observer;
  if (observer != nullptr && body.ok()) observer->OnHash(at_revision, clock.Now() - start);
  return body;
}

}  // namespace

void MaintenanceService::Status(CallContextPtr, std::string_view, UnaryDone done) const {
  done(base::Body(base::Rope(EncodeStatus(core_))));
}

// Every action goes through the log, GET too.
void MaintenanceService::Alarm(CallContextPtr context, std::string_view request,
                               UnaryDone done) const {
  etcdserverpb::AlarmRequest alarm;
  std::string storage;
  auto bytes = CanonicalBytes(kAlarmRequestShape, request, alarm, storage);
  if (!bytes.ok()) return done(bytes.status());
  alarm.ParseFromArray(bytes->data(), static_cast<int>(bytes->size()));
  // Go's server dies of an action that is not defined: in the log it would be a poison for the Go
  // members of a mixed cluster.
  if (!etcdserverpb::AlarmRequest::AlarmAction_IsValid(alarm.action())) {
    return done(Error(Errc::kUnknownMethod));
  }
  core_.Propose(LogField::kAlarm, *bytes, context, std::move(done));
}

void MaintenanceService::Defragment(CallContextPtr, std::string_view, UnaryDone done) const {
  // Nothing is copied here: etcd's moments fall together.
  if (FAILPOINT_RETURNS("defragOpenFileError") || FAILPOINT_RETURNS("defragdbFail")) {
    return done(absl::UnknownError("failpoint"));
  }
  FAILPOINT("defragBeforeCopy");
  FAILPOINT("defragBeforeRename");
  done(base::Body());  // the response has no header either
}

void MaintenanceService::Hash(CallContextPtr, std::string_view, UnaryDone done) const {
  core_.bulk().Post([this, done = std::move(done)]() mutable {
    done(Timed(core_, false, [this] { return AnswerHash(core_); }));
  });
}

void MaintenanceService::HashKv(CallContextPtr, std::string_view request, UnaryDone done) const {
  Revision at;
  WireReader reader(request);
  for (WireField field; reader.Next(field);) {
    if (field.IsVarint(1)) at = Revision(static_cast<std::int64_t>(field.varint));
  }
  if (!reader.ok()) return done(MalformedRequest());
  core_.bulk().Post([this, at, done = std::move(done)]() mutable {
    done(Timed(core_, true, [this, at] { return AnswerHashKv(core_, at); }));
  });
}

// MoveLeaderRequest: 1 targetID. The response is an empty message, without a header.
void MaintenanceService::MoveLeader(CallContextPtr context, std::string_view request,
                                    UnaryDone done) const {
  MemberId target;
  WireReader reader(request);
  for (WireField field; reader.Next(field);) {
    if (field.IsVarint(1)) target = MemberId(field.varint);
  }
  if (!reader.ok()) return done(MalformedRequest());
  core_.node().MoveLeader(target, {.deadline = context->deadline, .low_cost = false},
                          [done = std::move(done)](absl::Status status) mutable {
                            if (!status.ok()) return done(std::move(status));
                            done(base::Body());
                          });
}

void MaintenanceService::Downgrade(CallContextPtr context, std::string_view request,
                                   UnaryDone done) const {
  v3::Downgrade(core_, context, request, std::move(done));
}

}  // namespace etcd::api::v3
