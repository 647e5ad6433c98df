// Every error that etcd's servers send, word by word as they send it (not taken from our own
// table), and what a caller learns from it.
#include "client/internal/status_map.h"

#include <cstddef>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "server/base/status.h"

namespace etcd::client::internal {
namespace {

struct Row {
  grpc::StatusCode wire_code;
  const char* text;
  Errc errc;
  bool is_open = false;  // after it nobody knows whether a change happened
};

constexpr bool kOpen = true;

const Row kRows[] = {
    {grpc::INVALID_ARGUMENT, "etcdserver: key is not provided", Errc::kEmptyKey},
    {grpc::INVALID_ARGUMENT, "etcdserver: key not found", Errc::kKeyNotFound},
    {grpc::INVALID_ARGUMENT, "etcdserver: value is provided", Errc::kValueProvided},
    {grpc::INVALID_ARGUMENT, "etcdserver: lease is provided", Errc::kLeaseProvided},
    {grpc::INVALID_ARGUMENT, "etcdserver: too many operations in txn request", Errc::kTooManyOps},
    {grpc::INVALID_ARGUMENT, "etcdserver: duplicate key given in txn request", Errc::kDuplicateKey},
    {grpc::INVALID_ARGUMENT, "etcdserver: invalid client api version",
     Errc::kInvalidClientApiVersion},
    {grpc::INVALID_ARGUMENT, "etcdserver: invalid sort option", Errc::kInvalidSortOption},
    {grpc::OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted",
     Errc::kCompacted},
    {grpc::OUT_OF_RANGE, "etcdserver: mvcc: required revision is a future revision",
     Errc::kFutureRevision},
    {grpc::RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded", Errc::kNoSpace},
    {grpc::NOT_FOUND, "etcdserver: requested lease not found", Errc::kLeaseNotFound},
    {grpc::FAILED_PRECONDITION, "etcdserver: lease already exists", Errc::kLeaseExists},
    {grpc::OUT_OF_RANGE, "etcdserver: too large lease TTL", Errc::kLeaseTtlTooLarge},
    {grpc::CANCELLED, "etcdserver: watch canceled", Errc::kWatchCanceled},
    {grpc::FAILED_PRECONDITION, "etcdserver: member ID already exist", Errc::kMemberExists},
    {grpc::FAILED_PRECONDITION, "etcdserver: Peer URLs already exists", Errc::kPeerUrlExists},
    {grpc::UNKNOWN, "etcdserver: re-configuration failed due to not enough started members",
     Errc::kNotEnoughStartedMembers},
    {grpc::INVALID_ARGUMENT, "etcdserver: given member URLs are invalid", Errc::kMemberBadUrls},
    {grpc::NOT_FOUND, "etcdserver: member not found", Errc::kMemberNotFound},
    {grpc::FAILED_PRECONDITION, "etcdserver: can only promote a learner member",
     Errc::kMemberNotLearner},
    {grpc::FAILED_PRECONDITION,
     "etcdserver: can only promote a learner member which is in sync with leader",
     Errc::kLearnerNotReady},
    {grpc::FAILED_PRECONDITION, "etcdserver: too many learner members in cluster",
     Errc::kTooManyLearners},
    {grpc::FAILED_PRECONDITION, "etcdserver: cluster ID mismatch", Errc::kClusterIdMismatch},
    {grpc::INVALID_ARGUMENT, "etcdserver: request is too large", Errc::kRequestTooLarge},
    {grpc::UNKNOWN, "etcdserver: too many requests", Errc::kTooManyRequests},
    {grpc::FAILED_PRECONDITION, "etcdserver: root user does not exist", Errc::kRootUserNotExist},
    {grpc::FAILED_PRECONDITION, "etcdserver: root user does not have root role",
     Errc::kRootRoleNotExist},
    {grpc::FAILED_PRECONDITION, "etcdserver: user name already exists", Errc::kUserExists},
    {grpc::INVALID_ARGUMENT, "etcdserver: user name is empty", Errc::kUserEmpty},
    {grpc::FAILED_PRECONDITION, "etcdserver: user name not found", Errc::kUserNotFound},
    {grpc::FAILED_PRECONDITION, "etcdserver: role name already exists", Errc::kRoleExists},
    {grpc::FAILED_PRECONDITION, "etcdserver: role name not found", Errc::kRoleNotFound},
    {grpc::INVALID_ARGUMENT, "etcdserver: role name is empty", Errc::kRoleEmpty},
    {grpc::INVALID_ARGUMENT, "etcdserver: authentication failed, invalid user ID or password",
     Errc::kAuthFailed},
    {grpc::INVALID_ARGUMENT, "etcdserver: permission not given", Errc::kPermissionNotGiven},
    {grpc::PERMISSION_DENIED, "etcdserver: permission denied", Errc::kPermissionDenied},
    {grpc::FAILED_PRECONDITION, "etcdserver: role is not granted to the user",
     Errc::kRoleNotGranted},
    {grpc::FAILED_PRECONDITION, "etcdserver: permission is not granted to the role",
     Errc::kPermissionNotGranted},
    {grpc::FAILED_PRECONDITION, "etcdserver: authentication is not enabled", Errc::kAuthNotEnabled},
    {grpc::UNAUTHENTICATED, "etcdserver: invalid auth token", Errc::kInvalidAuthToken},
    {grpc::INVALID_ARGUMENT, "etcdserver: invalid auth management", Errc::kInvalidAuthMgmt},
    {grpc::INVALID_ARGUMENT, "etcdserver: revision of auth store is old", Errc::kAuthOldRevision},
    {grpc::UNAVAILABLE, "etcdserver: no leader", Errc::kNoLeader, kOpen},
    {grpc::FAILED_PRECONDITION, "etcdserver: not leader", Errc::kNotLeader},
    {grpc::UNAVAILABLE, "etcdserver: leader changed", Errc::kLeaderChanged, kOpen},
    {grpc::FAILED_PRECONDITION, "etcdserver: not capable", Errc::kNotCapable},
    {grpc::UNAVAILABLE, "etcdserver: server stopped", Errc::kStopped, kOpen},
    {grpc::UNAVAILABLE, "etcdserver: request timed out", Errc::kTimeout, kOpen},
    {grpc::UNAVAILABLE, "etcdserver: request timed out, possibly due to previous leader failure",
     Errc::kTimeoutDueToLeaderFail, kOpen},
    {grpc::UNAVAILABLE, "etcdserver: request timed out, possibly due to connection lost",
     Errc::kTimeoutDueToConnectionLost, kOpen},
    {grpc::UNAVAILABLE,
     "etcdserver: request timed out, waiting for the applied index took too long",
     Errc::kTimeoutWaitAppliedIndex, kOpen},
    {grpc::UNAVAILABLE, "etcdserver: unhealthy cluster", Errc::kUnhealthyCluster},
    {grpc::DATA_LOSS, "etcdserver: corrupt cluster", Errc::kCorrupt},
    {grpc::FAILED_PRECONDITION, "etcdserver: rpc not supported for learner",
     Errc::kNotSupportedForLearner},
    {grpc::FAILED_PRECONDITION, "etcdserver: bad leader transferee", Errc::kBadLeaderTransferee},
    {grpc::INVALID_ARGUMENT, "etcdserver: wrong downgrade target version format",
     Errc::kWrongDowngradeVersionFormat},
    {grpc::INVALID_ARGUMENT, "etcdserver: invalid downgrade target version",
     Errc::kInvalidDowngradeTarget},
    {grpc::FAILED_PRECONDITION, "etcdserver: cluster version not found during downgrade",
     Errc::kClusterVersionUnavailable},
    {grpc::FAILED_PRECONDITION, "etcdserver: cluster has a downgrade job in progress",
     Errc::kDowngradeInProcess},
    {grpc::FAILED_PRECONDITION, "etcdserver: no inflight downgrade job",
     Errc::kNoInflightDowngrade},
    {grpc::CANCELLED, "etcdserver: request canceled", Errc::kContextCanceled, kOpen},
    {grpc::UNKNOWN, "etcdserver: request cancelled", Errc::kContextCanceled, kOpen},
    {grpc::DEADLINE_EXCEEDED, "etcdserver: context deadline exceeded",
     Errc::kContextDeadlineExceeded, kOpen},
    // Without the prefix.
    {grpc::CANCELLED, "context canceled", Errc::kContextCanceled, kOpen},
    {grpc::DEADLINE_EXCEEDED, "context deadline exceeded", Errc::kContextDeadlineExceeded, kOpen},
    {grpc::UNKNOWN, "etcdserver: unknown method", Errc::kUnknownMethod},
    {grpc::UNKNOWN, "etcdserver: request timed out, leader transfer took too long",
     Errc::kTimeoutLeaderTransfer, kOpen},
    {grpc::UNKNOWN, "not a primary lessor", Errc::kNotPrimaryLessor},
    // 3.5 and before.
    {grpc::UNAVAILABLE, "etcdserver: not capable", Errc::kNotCapable},
    {grpc::UNAVAILABLE, "etcdserver: rpc not supported for learner", Errc::kNotSupportedForLearner},
    {grpc::UNAVAILABLE, "etcdserver: cluster version not found during downgrade",
     Errc::kClusterVersionUnavailable},
    {grpc::UNKNOWN, "auth: permission denied", Errc::kPermissionDenied},
    {grpc::UNKNOWN, "auth: user name is empty", Errc::kUserEmpty},
    // From the lock and election services every error has this code.
    {grpc::UNKNOWN, "etcdserver: requested lease not found", Errc::kLeaseNotFound},
    // 3.7.
    {grpc::UNIMPLEMENTED, "RangeStream does not support custom sort orders",
     Errc::kRangeStreamSort},
    {grpc::UNIMPLEMENTED, "RangeStream does not support revision filters",
     Errc::kRangeStreamFilter},
};

TEST(StatusMap, EveryRowIsFoundByItsText) {
  for (const Row& row : kRows) {
    const absl::Status status = FromGrpc({row.wire_code, row.text}, {.is_change = true});
    EXPECT_EQ(ErrcOf(status), row.errc) << row.text;
    EXPECT_EQ(status.code(), RowOf(row.errc).code) << row.text;
    EXPECT_EQ(base::MessageOf(status), RowOf(row.errc).message) << row.text;
    EXPECT_EQ(OutcomeOf(status), row.is_open ? Outcome::kUnknown : Outcome::kNotApplied)
        << row.text;
    EXPECT_FALSE(WasNeverSent(status)) << row.text;
  }
}

TEST(StatusMap, TheTableHasEveryErrc) {
  std::set<Errc> seen;
  for (const Row& row : kRows) seen.insert(row.errc);
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(Errc::kCount) - 1);  // all but kOk
}

TEST(StatusMap, AFailedReadHasNoEffect) {
  for (const Row& row : kRows) {
    EXPECT_EQ(OutcomeOf(FromGrpc({row.wire_code, row.text}, {})), Outcome::kNotApplied) << row.text;
  }
}

TEST(StatusMap, ATextThatOnlyBeginsAsARowIsNone) {
  const absl::Status status =
      FromGrpc({grpc::UNAVAILABLE, "etcdserver: request timed out."}, {.is_change = true});
  EXPECT_EQ(ErrcOf(status), std::nullopt);
  EXPECT_EQ(OutcomeOf(status), Outcome::kUnknown);
}

struct Unmapped {
  grpc::StatusCode code;
  const char* text;
  Outcome outcome;
};

// What no row describes counts as unknown unless the code can only be a refusal.
const Unmapped kUnmapped[] = {
    {grpc::UNAVAILABLE, "Socket closed", Outcome::kUnknown},
    {grpc::DEADLINE_EXCEEDED, "Deadline Exceeded", Outcome::kUnknown},
    {grpc::CANCELLED, "CANCELLED", Outcome::kUnknown},
    {grpc::INTERNAL, "RST_STREAM", Outcome::kUnknown},
    {grpc::UNKNOWN, "auth: token signing attempted with verify-only key", Outcome::kUnknown},
    {grpc::ABORTED, "x", Outcome::kUnknown},
    {grpc::DATA_LOSS, "x", Outcome::kUnknown},
    {grpc::RESOURCE_EXHAUSTED, "memory", Outcome::kUnknown},
    {grpc::RESOURCE_EXHAUSTED, "grpc: received message larger than max (9 vs. 8)",
     Outcome::kNotApplied},
    {grpc::UNIMPLEMENTED, "unknown service", Outcome::kNotApplied},
    {grpc::INVALID_ARGUMENT, "x", Outcome::kNotApplied},
    {grpc::NOT_FOUND, "x", Outcome::kNotApplied},
    {grpc::ALREADY_EXISTS, "x", Outcome::kNotApplied},
    {grpc::PERMISSION_DENIED, "x", Outcome::kNotApplied},
    {grpc::UNAUTHENTICATED, "x", Outcome::kNotApplied},
    {grpc::FAILED_PRECONDITION, "x", Outcome::kNotApplied},
    {grpc::OUT_OF_RANGE, "x", Outcome::kNotApplied},
};

TEST(StatusMap, AnErrorWithoutARowKeepsItsCodeAndNamesTheEndpoint) {
  for (const Unmapped& error : kUnmapped) {
    const absl::Status status =
        FromGrpc({error.code, error.text}, {.is_change = true, .endpoint = "http://m0:2379"});
    EXPECT_EQ(static_cast<int>(status.code()), static_cast<int>(error.code)) << error.text;
    EXPECT_EQ(base::MessageOf(status), std::string("http://m0:2379: ") + error.text);
    EXPECT_EQ(ErrcOf(status), std::nullopt) << error.text;
    EXPECT_EQ(OutcomeOf(status), error.outcome) << error.text;
  }
}

TEST(StatusMap, WhatWasNeverSentHasNoEffect) {
  const absl::Status status = FromGrpc({grpc::UNAVAILABLE, "connection refused"},
                                       {.is_change = true, .was_never_sent = true});
  EXPECT_TRUE(WasNeverSent(status));
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotApplied);
}

TEST(StatusMap, SuccessAndForeignStatusesHaveNoOutcome) {
  EXPECT_TRUE(FromGrpc(grpc::Status::OK, {.is_change = true}).ok());
  EXPECT_EQ(OutcomeOf(absl::OkStatus()), Outcome::kNotApplied);
  EXPECT_EQ(OutcomeOf(absl::UnavailableError("x")), Outcome::kNotApplied);
  EXPECT_FALSE(WasNeverSent(absl::UnavailableError("x")));
}

}  // namespace
}  // namespace etcd::client::internal
