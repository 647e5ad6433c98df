#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/base/ids.h"
#include "server/lease/lessor.h"

// The entries that a member proposes by itself: InternalRaftRequest bytes with the header's id.
namespace etcd::node {

std::string EncodeMemberAttributes(RequestId id, MemberId member, std::string_view name,
                                   const std::vector<std::string>& client_urls);
std::string EncodeClusterVersion(RequestId id, std::string_view version);
std::string EncodeRaiseAlarm(RequestId id, MemberId member, std::int32_t type);
std::string EncodeLeaseRevoke(RequestId id, LeaseId lease);
std::string EncodeLeaseCheckpoint(RequestId id,
                                  const std::vector<lease::LeaseCheckpoint>& checkpoints);
std::string EncodeCompaction(RequestId id, Revision revision);

}  // namespace etcd::node
