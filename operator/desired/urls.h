#pragma once

#include <string>
#include <string_view>

#include "operator/model/cluster.h"

// Names and addresses of what a cluster is made of, each formed only here.
namespace etcd::desired {

inline constexpr int kClientPort = 2379;
inline constexpr int kPeerPort = 2380;
inline constexpr int kMetricsPort = 2381;

// "http", or "https" once the cluster has certificates.
std::string_view Scheme(const model::EtcdCluster& cluster);

std::string PeerService(const std::string& cluster);
std::string ClientService(const std::string& cluster);
std::string SlotService(const std::string& cluster, int slot);
std::string ServiceAccount(const std::string& cluster);
std::string VolumeClaim(const std::string& member);

// ".c-peer.n.svc.cluster.local": behind the name of a member.
std::string MemberDomain(const model::EtcdCluster& cluster, std::string_view cluster_domain);
std::string PeerUrl(const model::EtcdCluster& cluster, const std::string& member,
                    std::string_view cluster_domain);
std::string ClientUrl(const model::EtcdCluster& cluster, const std::string& member,
                      std::string_view cluster_domain);
// The URL that users are told.
std::string ServiceUrl(const model::EtcdCluster& cluster);
// --initial-cluster-token: namespace, name and uid, so that no two clusters share a member id.
std::string ClusterToken(const model::EtcdCluster& cluster);

}  // namespace etcd::desired
