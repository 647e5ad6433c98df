#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "operator/desired/settings.h"
#include "operator/kube/json.h"
#include "operator/kube/resource.h"
#include "operator/model/cluster.h"
#include "operator/model/member.h"

// The Kubernetes objects that a cluster needs, as bodies to send. Pure.
namespace etcd::desired {

using kube::Json;

// An object with its kind.
struct Wanted {
  kube::Resource resource;
  Json body;
};

// Labels of everything that belongs to the cluster.
Json ClusterLabels(const model::EtcdCluster& cluster, std::string_view component);
Json MemberLabels(const model::EtcdCluster& cluster, const model::EtcdMember& member);

// For metadata.ownerReferences, as the controlling owner.
Json OwnedBy(const model::EtcdCluster& cluster);
Json OwnedBy(const model::EtcdMember& member);

// The record of a member, with its finalizer.
Json MemberBody(const model::EtcdCluster& cluster, const std::string& name, int slot,
                std::int64_t seq, bool is_bootstrap);

// The member's volume: without an owner, so that no garbage collector deletes data.
Json VolumeClaimBody(const model::EtcdCluster& cluster, const model::EtcdMember& member);

// What is applied over and over, whatever the members do: services, the members' account, and the
// network policy when it is asked for.
std::vector<Wanted> StandingObjects(const model::EtcdCluster& cluster, const Settings& settings);

// The budget for `voters` members that vote now (operator-spec 12); nothing when there shall be
// none.
std::optional<Json> DisruptionBudget(const model::EtcdCluster& cluster, int voters);

}  // namespace etcd::desired
