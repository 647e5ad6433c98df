#pragma once

#include <cstdint>
#include <string>

#include "server/base/strong_int.h"

namespace etcd {

// Raft term and log index (paper section 5). 0 means "none".
using Term = base::StrongInt<struct TermTag, std::uint64_t>;
using Index = base::StrongInt<struct IndexTag, std::uint64_t>;

// Identity of a member and of a cluster; 0 means "none". Text form is FormatHex.
using MemberId = base::StrongInt<struct MemberIdTag, std::uint64_t>;
using ClusterId = base::StrongInt<struct ClusterIdTag, std::uint64_t>;

// Main revision of the key space: one per committed change set. A fresh store is at 1.
using Revision = base::StrongInt<struct RevisionTag, std::int64_t>;

// Clients choose lease and watch ids too, so any 64-bit value can occur. Lease 0 means "no lease".
using LeaseId = base::StrongInt<struct LeaseIdTag, std::int64_t>;
using WatchId = base::StrongInt<struct WatchIdTag, std::int64_t>;

// Identity of a proposal, unique in the cluster among those in flight; 0 is invalid.
using RequestId = base::StrongInt<struct RequestIdTag, std::uint64_t>;

namespace base {

// Lower-case hex without prefix or padding, as etcd writes ids everywhere (Go's %x).
std::string FormatHex(std::uint64_t value);

}  // namespace base
}  // namespace etcd
