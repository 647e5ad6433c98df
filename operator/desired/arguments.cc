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
      fmt::format("--listen-peer-urls={}://0.0.0.0:{}", scheme, kPeerPort),
      fmt::format("--listen-client-urls={}://0.0.0.0:{}", scheme, kClientPort),
      fmt::format("--listen-metrics-urls=http://0.0.0.0:{}", kMetricsPort),
      "--initial-cluster=" + input.initial_cluster,
      fmt::format("--initial-cluster-state={}", input.is_new_cluster ? "new" : "existing"),
      "--initial-cluster-token=" + ClusterToken(cluster)};
  AddSettings(cluster.spec.etcd, args);
  return args;
}

std::int64_t DurationMs(std::string_view text) {
  double total = 0;
  while (!text.empty()) {
    std::size_t used = 0;
    while (used < text.size() && (std::isdigit(text[used]) != 0 || text[used] == '.')) ++used;
    if (used == 0) return 0;
    const double value = std::stod(std::string(text.substr(0, used)));
    text.remove_prefix(used);
    std::size_t unit = 0;
    while (unit < text.size() && std::isalpha(text[unit]) != 0) ++unit;
    const std::string_view name = text.substr(0, unit);
    text.remove_prefix(unit);
    const double ms = name == "h"    ? 3600e3
                      : name == "m"  ? 60e3
                      : name == "s"  ? 1e3
                      : name == "ms" ? 1
                                     : 0;
    total += value * ms;
  }
  return static_cast<std::int64_t>(total);
}

std::int64_t QuantityBytes(std::string_view text) {
  std::size_t used = 0;
  while (used < text.size() && (std::isdigit(text[used]) != 0 || text[used] == '.')) ++used;
  if (used == 0) return 0;
  const double value = std::stod(std::string(text.substr(0, used)));
  const std::string_view unit = text.substr(used);
  constexpr std::string_view kPrefixes = "KMGTPE";
  double factor = 1;
  if (unit == "k") {
    factor = 1e3;
  } else if (unit == "m") {
    factor = 1e-3;
  } else if (!unit.empty() &&
             (unit[0] == 'e' || (unit[0] == 'E' && unit.size() > 1 && unit[1] != 'i'))) {
    factor = std::stod("1" + std::string(unit));
  } else if (!unit.empty()) {
    const std::size_t power = kPrefixes.find(unit[0]);
    if (power == std::string_view::npos) return 0;
    const double base = unit.size() == 2 && unit[1] == 'i' ? 1024 : 1000;
    for (std::size_t i = 0; i <= power; ++i) factor *= base;
  }
  return static_cast<std::int64_t>(value * factor);
}

}  // namespace etcd::desired
