#include "operator/desired/urls.h"

#include <fmt/format.h>

namespace etcd::desired {

std::string_view Scheme(const model::EtcdCluster& cluster) {
  return cluster.spec.tls.mode == model::TlsMode::kDisabled ? "http" : "https";
}

std::string PeerService(const std::string& cluster) { return cluster + "-peer"; }
std::string ClientService(const std::string& cluster) { return cluster + "-client"; }
std::string SlotService(const std::string& cluster, int slot) {
  return fmt::format("{}-m{}", cluster, slot);
}
std::string ServiceAccount(const std::string& cluster) { return cluster + "-member"; }
std::string VolumeClaim(const std::string& member) { return "data-" + member; }

std::string MemberDomain(const model::EtcdCluster& cluster, std::string_view cluster_domain) {
  return fmt::format(".{}.{}.svc.{}", PeerService(cluster.metadata.name),
                     cluster.metadata.namespace_, cluster_domain);
}

std::string PeerUrl(const model::EtcdCluster& cluster, const std::string& member,
                    std::string_view cluster_domain) {
  return fmt::format("{}://{}{}:{}", Scheme(cluster), member, MemberDomain(cluster, cluster_domain),
                     kPeerPort);
}

std::string ClientUrl(const model::EtcdCluster& cluster, const std::string& member,
                      std::string_view cluster_domain) {
  return fmt::format("{}://{}{}:{}", Scheme(cluster), member, MemberDomain(cluster, cluster_domain),
                     kClientPort);
}

std::string ServiceUrl(const model::EtcdCluster& cluster) {
  return fmt::format("{}://{}.{}.svc:{}", Scheme(cluster), ClientService(cluster.metadata.name),
                     cluster.metadata.namespace_, kClientPort);
}

std::string ClusterToken(const model::EtcdCluster& cluster) {
  const model::ObjectMeta& meta = cluster.metadata;
  return meta.namespace_ + "/" + meta.name + "/" + meta.uid;
}

}  // namespace etcd::desired
