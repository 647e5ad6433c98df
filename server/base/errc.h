#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <absl/status/status.h>

namespace etcd {

// Every error that a client of etcd can see, once. The row of each (canonical code, exact message)
// is in errc.cc; code branches on the Errc, never on a text. Texts are wire facts: Go's client
// looks them up in a map.
enum class Errc : std::uint8_t {
  kOk = 0,
  // Requests.
  kEmptyKey,
  kKeyNotFound,
  kValueProvided,
  kLeaseProvided,
  kTooManyOps,
  kDuplicateKey,
  kInvalidClientApiVersion,
  kInvalidSortOption,
  kCompacted,
  kFutureRevision,
  kNoSpace,
  kRequestTooLarge,
  kTooManyRequests,
  // Leases and watches.
  kLeaseNotFound,
  kLeaseExists,
  kLeaseTtlTooLarge,
  kWatchCanceled,
  kNotPrimaryLessor,
  // Membership.
  kMemberExists,
  kPeerUrlExists,
  kNotEnoughStartedMembers,
  kMemberBadUrls,
  kMemberNotFound,
  kMemberNotLearner,
  kLearnerNotReady,
  kTooManyLearners,
  kClusterIdMismatch,
  kUnhealthyCluster,
  // Auth.
  kRootUserNotExist,
  kRootRoleNotExist,
  kUserExists,
  kUserEmpty,
  kUserNotFound,
  kRoleExists,
  kRoleNotFound,
  kRoleEmpty,
  kAuthFailed,
  kPermissionNotGiven,
  kPermissionDenied,
  kRoleNotGranted,
  kPermissionNotGranted,
  kAuthNotEnabled,
  kInvalidAuthToken,
  kInvalidAuthMgmt,
  kAuthOldRevision,
  // Consensus and the server's state.
  kNoLeader,
  kNotLeader,
  kLeaderChanged,
  kNotCapable,
  kStopped,
  kTimeout,
  kTimeoutDueToLeaderFail,
  kTimeoutDueToConnectionLost,
  kTimeoutWaitAppliedIndex,
  kCorrupt,
  kNotSupportedForLearner,
  kBadLeaderTransferee,
  kTimeoutLeaderTransfer,
  // Downgrade.
  kWrongDowngradeVersionFormat,
  kInvalidDowngradeTarget,
  kClusterVersionUnavailable,
  kDowngradeInProcess,
  kNoInflightDowngrade,
  kUnknownMethod,
  // RangeStream (3.7).
  kRangeStreamSort,
  kRangeStreamFilter,
  // The caller's context.
  kContextCanceled,
  kContextDeadlineExceeded,
  kCount,
};

struct ErrcRow {
  Errc errc;
  absl::StatusCode code;
  std::string_view message;
};

const ErrcRow& RowOf(Errc errc);

// The status of a row; carries the Errc itself, so that ErrcOf finds it again.
absl::Status Error(Errc errc);

// kOk for an OK status; nullopt for a status that no row describes.
std::optional<Errc> ErrcOf(const absl::Status& status);

}  // namespace etcd
