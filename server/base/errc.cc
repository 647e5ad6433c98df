#include "server/base/errc.h"

#include <array>
#include <cstddef>
#include <string>

#include <absl/strings/cord.h>

namespace etcd {
namespace {

// Status payload under which a status carries its Errc.
constexpr char kPayloadUrl[] = "etcd/errc";

// Codes are those seen on the wire, which for two rows differ from the table of Go's client.
constexpr std::array<ErrcRow, static_cast<std::size_t>(Errc::kCount)> kRows = {{
    {Errc::kOk, absl::StatusCode::kOk, ""},
    {Errc::kEmptyKey, absl::StatusCode::kInvalidArgument, "etcdserver: key is not provided"},
    {Errc::kKeyNotFound, absl::StatusCode::kInvalidArgument, "etcdserver: key not found"},
    {Errc::kValueProvided, absl::StatusCode::kInvalidArgument, "etcdserver: value is provided"},
    {Errc::kLeaseProvided, absl::StatusCode::kInvalidArgument, "etcdserver: lease is provided"},
    {Errc::kTooManyOps, absl::StatusCode::kInvalidArgument,
     "etcdserver: too many operations in txn request"},
    {Errc::kDuplicateKey, absl::StatusCode::kInvalidArgument,
     "etcdserver: duplicate key given in txn request"},
    {Errc::kInvalidClientApiVersion, absl::StatusCode::kInvalidArgument,
     "etcdserver: invalid client api version"},
    {Errc::kInvalidSortOption, absl::StatusCode::kInvalidArgument,
     "etcdserver: invalid sort option"},
    {Errc::kCompacted, absl::StatusCode::kOutOfRange,
     "etcdserver: mvcc: required revision has been compacted"},
    {Errc::kFutureRevision, absl::StatusCode::kOutOfRange,
     "etcdserver: mvcc: required revision is a future revision"},
    {Errc::kNoSpace, absl::StatusCode::kResourceExhausted,
     "etcdserver: mvcc: database space exceeded"},
    {Errc::kRequestTooLarge, absl::StatusCode::kInvalidArgument,
     "etcdserver: request is too large"},
    {Errc::kTooManyRequests, absl::StatusCode::kUnknown, "etcdserver: too many requests"},
    {Errc::kLeaseNotFound, absl::StatusCode::kNotFound, "etcdserver: requested lease not found"},
    {Errc::kLeaseExists, absl::StatusCode::kFailedPrecondition, "etcdserver: lease already exists"},
    {Errc::kLeaseTtlTooLarge, absl::StatusCode::kOutOfRange, "etcdserver: too large lease TTL"},
    {Errc::kWatchCanceled, absl::StatusCode::kCancelled, "etcdserver: watch canceled"},
    {Errc::kNotPrimaryLessor, absl::StatusCode::kUnknown, "not a primary lessor"},
    {Errc::kMemberExists, absl::StatusCode::kFailedPrecondition,
     "etcdserver: member ID already exist"},
    {Errc::kPeerUrlExists, absl::StatusCode::kFailedPrecondition,
     "etcdserver: Peer URLs already exists"},
    {Errc::kNotEnoughStartedMembers, absl::StatusCode::kUnknown,
     "etcdserver: re-configuration failed due to not enough started members"},
    {Errc::kMemberBadUrls, absl::StatusCode::kInvalidArgument,
     "etcdserver: given member URLs are invalid"},
    {Errc::kMemberNotFound, absl::StatusCode::kNotFound, "etcdserver: member not found"},
    {Errc::kMemberNotLearner, absl::StatusCode::kFailedPrecondition,
     "etcdserver: can only promote a learner member"},
    {Errc::kLearnerNotReady, absl::StatusCode::kFailedPrecondition,
     "etcdserver: can only promote a learner member which is in sync with leader"},
    {Errc::kTooManyLearners, absl::StatusCode::kFailedPrecondition,
     "etcdserver: too many learner members in cluster"},
    {Errc::kClusterIdMismatch, absl::StatusCode::kFailedPrecondition,
     "etcdserver: cluster ID mismatch"},
    {Errc::kUnhealthyCluster, absl::StatusCode::kUnavailable, "etcdserver: unhealthy cluster"},
    {Errc::kRootUserNotExist, absl::StatusCode::kFailedPrecondition,
     "etcdserver: root user does not exist"},
    {Errc::kRootRoleNotExist, absl::StatusCode::kFailedPrecondition,
     "etcdserver: root user does not have root role"},
    {Errc::kUserExists, absl::StatusCode::kFailedPrecondition,
     "etcdserver: user name already exists"},
    {Errc::kUserEmpty, absl::StatusCode::kInvalidArgument, "etcdserver: user name is empty"},
    {Errc::kUserNotFound, absl::StatusCode::kFailedPrecondition, "etcdserver: user name not found"},
    {Errc::kRoleExists, absl::StatusCode::kFailedPrecondition,
     "etcdserver: role name already exists"},
    {Errc::kRoleNotFound, absl::StatusCode::kFailedPrecondition, "etcdserver: role name not found"},
    {Errc::kRoleEmpty, absl::StatusCode::kInvalidArgument, "etcdserver: role name is empty"},
    {Errc::kAuthFailed, absl::StatusCode::kInvalidArgument,
     "etcdserver: authentication failed, invalid user ID or password"},
    {Errc::kPermissionNotGiven, absl::StatusCode::kInvalidArgument,
     "etcdserver: permission not given"},
    {Errc::kPermissionDenied, absl::StatusCode::kPermissionDenied, "etcdserver: permission denied"},
    {Errc::kRoleNotGranted, absl::StatusCode::kFailedPrecondition,
     "etcdserver: role is not granted to the user"},
    {Errc::kPermissionNotGranted, absl::StatusCode::kFailedPrecondition,
     "etcdserver: permission is not granted to the role"},
    {Errc::kAuthNotEnabled, absl::StatusCode::kFailedPrecondition,
     "etcdserver: authentication is not enabled"},
    {Errc::kInvalidAuthToken, absl::StatusCode::kUnauthenticated, "etcdserver: invalid auth token"},
    {Errc::kInvalidAuthMgmt, absl::StatusCode::kInvalidArgument,
     "etcdserver: invalid auth management"},
    {Errc::kAuthOldRevision, absl::StatusCode::kInvalidArgument,
     "etcdserver: revision of auth store is old"},
    {Errc::kNoLeader, absl::StatusCode::kUnavailable, "etcdserver: no leader"},
    {Errc::kNotLeader, absl::StatusCode::kFailedPrecondition, "etcdserver: not leader"},
    {Errc::kLeaderChanged, absl::StatusCode::kUnavailable, "etcdserver: leader changed"},
    {Errc::kNotCapable, absl::StatusCode::kFailedPrecondition, "etcdserver: not capable"},
    {Errc::kStopped, absl::StatusCode::kUnavailable, "etcdserver: server stopped"},
    {Errc::kTimeout, absl::StatusCode::kUnavailable, "etcdserver: request timed out"},
    {Errc::kTimeoutDueToLeaderFail, absl::StatusCode::kUnavailable,
     "etcdserver: request timed out, possibly due to previous leader failure"},
    {Errc::kTimeoutDueToConnectionLost, absl::StatusCode::kUnavailable,
     "etcdserver: request timed out, possibly due to connection lost"},
    {Errc::kTimeoutWaitAppliedIndex, absl::StatusCode::kUnavailable,
     "etcdserver: request timed out, waiting for the applied index took too long"},
    {Errc::kCorrupt, absl::StatusCode::kDataLoss, "etcdserver: corrupt cluster"},
    {Errc::kNotSupportedForLearner, absl::StatusCode::kFailedPrecondition,
     "etcdserver: rpc not supported for learner"},
    {Errc::kBadLeaderTransferee, absl::StatusCode::kFailedPrecondition,
     "etcdserver: bad leader transferee"},
    {Errc::kTimeoutLeaderTransfer, absl::StatusCode::kUnknown,
     "etcdserver: request timed out, leader transfer took too long"},
    {Errc::kWrongDowngradeVersionFormat, absl::StatusCode::kInvalidArgument,
     "etcdserver: wrong downgrade target version format"},
    {Errc::kInvalidDowngradeTarget, absl::StatusCode::kInvalidArgument,
     "etcdserver: invalid downgrade target version"},
    {Errc::kClusterVersionUnavailable, absl::StatusCode::kFailedPrecondition,
     "etcdserver: cluster version not found during downgrade"},
    {Errc::kDowngradeInProcess, absl::StatusCode::kFailedPrecondition,
     "etcdserver: cluster has a downgrade job in progress"},
    {Errc::kNoInflightDowngrade, absl::StatusCode::kFailedPrecondition,
     "etcdserver: no inflight downgrade job"},
    {Errc::kUnknownMethod, absl::StatusCode::kUnknown, "etcdserver: unknown method"},
    {Errc::kRangeStreamSort, absl::StatusCode::kUnimplemented,
     "RangeStream does not support custom sort orders"},
    {Errc::kRangeStreamFilter, absl::StatusCode::kUnimplemented,
     "RangeStream does not support revision filters"},
    {Errc::kContextCanceled, absl::StatusCode::kCancelled, "context canceled"},
    {Errc::kContextDeadlineExceeded, absl::StatusCode::kDeadlineExceeded,
     "context deadline exceeded"},
}};

constexpr bool RowsAreInEnumOrder() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<std::size_t>(kRows[i].errc) != i) return false;
  }
  return true;
}
static_assert(RowsAreInEnumOrder());

}  // namespace

const ErrcRow& RowOf(Errc errc) { return kRows[static_cast<std::size_t>(errc)]; }

absl::Status Error(Errc errc) {
  const ErrcRow& row = RowOf(errc);
  absl::Status status(row.code, absl::string_view(row.message.data(), row.message.size()));
  if (!status.ok()) {
    status.SetPayload(kPayloadUrl, absl::Cord(std::string(1, static_cast<char>(errc))));
  }
  return status;
}

std::optional<Errc> ErrcOf(const absl::Status& status) {
  if (status.ok()) return Errc::kOk;
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value() || payload->size() != 1) return std::nullopt;
  return static_cast<Errc>(static_cast<std::uint8_t>((*payload)[0]));
}

}  // namespace etcd
