#pragma once

#include <absl/status/statusor.h>

#include "operator/kube/controller.h"

namespace etcd::loop {

// EtcdMembers whose EtcdCluster is gone without having been taken apart: its finalizer was removed
// by hand, say. Nobody else would remove the members' own finalizers, and a namespace that goes
// away would wait for them forever. Volumes stay: the policy is gone with the cluster.

// Whether the EtcdMember is of an earlier cluster of this name, now that the one with `uid` (empty:
// none) has it.
bool IsOrphan(const kube::Object& member, const std::string& cluster, std::string_view uid);

// Its pods, then the record with its finalizer.
absl::Status ClearOrphan(const kube::ControllerContext& context, const kube::Object& member);

// All of a cluster that does not exist, asked of the API server itself. True when it turned out to
// exist: nothing was done.
absl::StatusOr<bool> ClearOrphansOf(const kube::ControllerContext& context,
                                    const kube::ObjectKey& cluster);

}  // namespace etcd::loop
