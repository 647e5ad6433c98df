// The flags of a member. All of them exist in etcd 3.5 and later, so that upstream's image runs
// too.
#include <chrono>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "operator/desired/pod.h"
#include "operator/desired/urls.h"

namespace etcd::desired {
namespace {

void AddSettings(const model::EtcdSettings& etcd, std::vector<std::string>& args) {
  const auto add = [&](std::string_view flag, const auto& value) {
    args.push_back(fmt::format("--{}={}", flag, value));
  };
  add("quota-backend-bytes", QuantityBytes(etcd.quota_backend_bytes));
  add("auto-compaction-mode", ToText(etcd.auto_compaction.mode));
  add("auto-compaction-retention", etcd.auto_compaction.retention);
  if (etcd.snapshot_count) add("snapshot-count", *etcd.snapshot_count);
  if (etcd.heartbeat_interval) add("heartbeat-interval", DurationMs(*etcd.heartbeat_interval));
  if (etcd.election_timeout) add("election-timeout", DurationMs(*etcd.election_timeout));
  if (etcd.max_request_bytes) add("max-request-bytes", QuantityBytes(*etcd.max_request_bytes));
  if (etcd.max_txn_ops) add("max-txn-ops", *etcd.max_txn_ops);
  if (etcd.log_level) add("log-level", ToText(*etcd.log_level));
  for (const auto& [flag, value] : etcd.extra_args) add(flag, value);
}

}  // namespace

std::vector<std::string> ServerArguments(const PodInput& input, const Settings& settings) {
  const model::EtcdCluster& cluster = input.cluster;
  const std::string& name = input.member.metadata.name;
  const std::string_view scheme = Scheme(cluster);
  std::vector<std::string> args = {
      "--name=" + name,
      fmt::format("--data-dir={}", kDataDir),
      "--initial-advertise-peer-urls=" + PeerUrl(cluster, name, settings.cluster_domain),
      "--advertise-client-urls=" + ClientUrl(cluster, name, settings.cluster_domain),
      fmt::format("--listen-peer-urls={}://{}:{}", scheme, settings.listen_host, kPeerPort),
      fmt::format("--listen-client-urls={}://{}:{}", scheme, settings.listen_host, kClientPort),
      fmt::format("--listen-metrics-urls=http://{}:{}", settings.listen_host, kMetricsPort),
      "--initial-cluster=" + input.initial_cluster,
      fmt::format("--initial-cluster-state={}", input.is_new_cluster ? "new" : "existing"),
      "--initial-cluster-token=" + ClusterToken(cluster)};
  AddSettings(cluster.spec.etcd, args);
  return args;
}

}  // namespace etcd::desired
