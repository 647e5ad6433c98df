#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "server/apply/range_exec.h"

namespace etcdserverpb {
class InternalRaftRequest;
}

namespace etcd::apply {

// What a request of the log asks for; kNone: it is no such request.
enum class Operation : std::uint8_t {
  kNone,
  kUnknown,
  kPut,
  kDeleteRange,
  kTxn,
  kCompaction,
  kLeaseGrant,
  kLeaseRevoke,
  kLeaseCheckpoint,
  kAlarm,
  kAuth,
  kClusterVersionSet,
  kClusterMemberAttrSet,
  kDowngradeInfoSet,
};

// Label `op` of etcd_server_apply_duration_seconds, by Operation.
inline constexpr std::array<std::string_view, 14> kOperationNames = {"",
                                                                     "unknown",
                                                                     "Put",
                                                                     "DeleteRange",
                                                                     "Txn",
                                                                     "Compaction",
                                                                     "LeaseGrant",
                                                                     "LeaseRevoke",
                                                                     "LeaseCheckpoint",
                                                                     "Alarm",
                                                                     "unknown",
                                                                     "ClusterVersionSet",
                                                                     "ClusterMemberAttrSet",
                                                                     "DowngradeInfoSet"};

Operation OperationOf(const etcdserverpb::InternalRaftRequest& request);

// The bytes of an InternalRaftRequest as etcd logs them: text format without values, which are
// replaced by their sizes, and without what a password or token could stand in.
std::string DescribeEntry(std::string_view entry);

// The same of a RangeRequest.
std::string DescribeRange(const RangeQuery& query);

}  // namespace etcd::apply
