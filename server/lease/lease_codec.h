#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "server/base/ids.h"

namespace etcd::lease {

// What the lease bucket holds for one lease.
struct LeaseRecord {
  LeaseId id;
  std::int64_t ttl_seconds = 0;
  std::int64_t remaining_ttl_seconds = 0;  // of the last checkpoint; 0: none
};

// Bucket key: the id as eight big-endian bytes (negative ids sort last, as in etcd).
std::string EncodeLeaseKey(LeaseId id);

// leasepb.Lease { 1 int64 ID, 2 int64 TTL, 3 int64 RemainingTTL }, proto3: zeros are left out,
// negative numbers take ten bytes.
std::string EncodeLeaseRecord(const LeaseRecord& record);

// DataLoss when the bytes are no Lease or belong to another key. Unknown fields are skipped.
absl::StatusOr<LeaseRecord> DecodeLeaseRecord(std::string_view key, std::string_view value);

}  // namespace etcd::lease
