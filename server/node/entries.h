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
// DowngradeInfoSet with nothing in it: the downgrade is over.
std::string EncodeDowngradeCancel(RequestId id);

// A v2 PUT, bare: the form in which members of 3.4 understand attributes and cluster version
// (raft-peer-storage.md 5.2, 5.4).
inline constexpr std::string_view kLegacyVersionPath = "/0/version";
std::string LegacyAttributesPath(MemberId member);
std::string EncodeLegacyPut(RequestId id, std::string_view path, std::string_view value);

std::string EncodeRaiseAlarm(RequestId id, MemberId member, std::int32_t type);
std::string EncodeDisarmAlarm(RequestId id, MemberId member, std::int32_t type);
std::string EncodeLeaseRevoke(RequestId id, LeaseId lease);
std::string EncodeLeaseCheckpoint(RequestId id,
                                  const std::vector<lease::LeaseCheckpoint>& checkpoints);
std::string EncodeCompaction(RequestId id, Revision revision);

}  // namespace etcd::node
