#include "server/main/options.h"

#include <algorithm>

#include "server/base/status.h"
#include "server/config/go_values.h"
#include "server/config/version.h"

namespace etcd::server {
namespace {

absl::StatusOr<transport::ListenEndpoint> EndpointOf(const config::Url& url) {
  transport::ListenEndpoint endpoint;
  if (url.is_unix()) {
    endpoint.unix_path = url.host;
    return endpoint;
  }
  ASSIGN_OR_RETURN(const config::HostPort address, config::SplitHostPort(url.host));
  ASSIGN_OR_RETURN(const std::uint64_t port, config::ParseGoUint(address.port, 16));
  endpoint.host = address.host;
  endpoint.port = static_cast<std::uint16_t>(port);
  return endpoint;
}

absl::Status AddEndpoints(const config::Config& config, const config::UrlList& urls, bool grpc,
                          bool http, transport::ServerOptions& options) {
  for (const config::Url& url : urls) {
    ASSIGN_OR_RETURN(transport::ListenEndpoint endpoint, EndpointOf(url));
    endpoint.serve_grpc = grpc;
    endpoint.serve_http = http;
    endpoint.reuse_port = config.socket_reuse_port;
    options.endpoints.push_back(std::move(endpoint));
  }
  return absl::OkStatus();
}

}  // namespace

node::MemberOptions MakeMemberOptions(const config::Config& config, const DataDir& dir) {
  node::MemberOptions options;
  options.name = config.name;
  options.client_urls = config::ToStrings(config.advertise_client_urls);
  for (const auto& [name, urls] : config.initial_members) {
    options.initial_cluster.push_back({name, urls});
  }
  options.cluster_token = config.initial_cluster_token;
  options.wal_dir = dir.wal();
  options.snap_dir = dir.snap();
  options.max_wals = config.max_wals;
  options.max_snapshots = config.max_snapshots;
  options.heartbeat_interval =
      std::chrono::milliseconds(static_cast<std::int64_t>(config.heartbeat_interval));
  options.election_ticks = static_cast<int>(config.election_ticks);
  options.pre_vote = config.pre_vote;
  options.initial_election_tick_advance = config.initial_election_tick_advance;
  options.strict_reconfig_check = config.strict_reconfig_check;
  options.learners_max = static_cast<std::size_t>(std::max<std::int64_t>(0, config.max_learners));
  options.may_have_joined = config.initial_cluster_state == "existing";
  options.force_new_cluster = config.force_new_cluster;
  options.hold_cluster_version = config.hold_cluster_version;
  options.snapshot_count = config.snapshot_count;
  options.catchup_entries = config.snapshot_catchup_entries;
  options.request_bytes_max = config.max_request_bytes;
  options.quota_bytes = config.quota_backend_bytes;
  if (config.auto_compaction_period.count() > 0) {
    options.auto_compaction = node::AutoCompaction::kPeriodic;
    options.compaction_period = config.auto_compaction_period;
  } else if (config.auto_compaction_revisions > 0) {
    options.auto_compaction = node::AutoCompaction::kRevision;
    options.compaction_retention = config.auto_compaction_revisions;
  }
  options.corrupt_check_interval = config.corrupt_check_time;
  if (config.feature_gates.enabled(config::Gate::kCompactHashCheck)) {
    options.compact_hash_check_interval = config.compact_hash_check_time;
  }
  options.store.compaction_batch_limit = config.compaction_batch_limit;
  options.store.compaction_sleep_interval = config.compaction_sleep_interval;
  options.lease.checkpoint = config.feature_gates.enabled(config::Gate::kLeaseCheckpoint);
  options.server_version = std::string(config::kEtcdVersion);
  return options;
}

rafthttp::TransportOptions MakePeerOptions(const config::Config& config) {
  rafthttp::TransportOptions options;
  options.listen_urls = config.listen_peer_urls;
  options.reuse_port = config.socket_reuse_port;
  options.election_timeout =
      std::chrono::milliseconds(static_cast<std::int64_t>(config.election_timeout));
  options.read_timeout = config.raft_read_timeout;
  options.write_timeout = config.raft_write_timeout;
  return options;
}

watch::WatchOptions MakeWatchOptions(const config::Config& config) {
  watch::WatchOptions options;
  options.fragment_bytes = config.max_request_bytes + kRequestOverheadBytes;
  options.progress_interval = config.watch_progress_notify_interval;
  return options;
}

api::v3::Options MakeApiOptions(const config::Config& config) {
  api::v3::Options options;
  options.server_version = std::string(config::kEtcdVersion);
  options.txn_ops_max = static_cast<std::int64_t>(config.max_txn_ops);
  options.request_bytes_max = config.max_request_bytes;
  options.election_timeout =
      std::chrono::milliseconds(static_cast<std::int64_t>(config.election_timeout));
  options.request_timeout = config.request_timeout;
  return options;
}

api::http::Options MakeHttpOptions(const config::Config& config) {
  api::http::Options options;
  options.server_version = std::string(config::kEtcdVersion);
  options.cors_origins = config::SplitComma(config.cors);
  options.host_whitelist = config.host_whitelist;
  // An empty flag refuses every host; an empty list would allow all. No host has this name.
  if (options.host_whitelist.empty()) options.host_whitelist = {"\n"};
  return options;
}

absl::StatusOr<transport::ServerOptions> MakeClientOptions(const config::Config& config) {
  transport::ServerOptions options;
  options.receive_message_bytes_max = config.max_request_bytes + kRequestOverheadBytes;
  options.http_body_bytes_max = 2 * options.receive_message_bytes_max;  // base64 and names
  options.concurrent_streams_max = config.max_concurrent_streams;
  options.ping_min_time = config.grpc_keepalive_min_time;
  options.ping_interval = config.grpc_keepalive_interval;
  options.ping_timeout = config.grpc_keepalive_timeout;
  const bool split = !config.listen_client_http_urls.empty();
  RETURN_IF_ERROR(AddEndpoints(config, config.listen_client_urls, true, !split, options));
  RETURN_IF_ERROR(AddEndpoints(config, config.listen_client_http_urls, false, true, options));
  return options;
}

absl::StatusOr<transport::ServerOptions> MakeMetricsOptions(const config::Config& config) {
  transport::ServerOptions options;
  options.loops = 1;
  config::UrlList urls;
  for (const config::Url& url : config.listen_metrics_urls) {
    if (!url.is_unix()) urls.push_back(url);  // as in etcd, nothing listens at a unix URL here
  }
  RETURN_IF_ERROR(AddEndpoints(config, urls, false, true, options));
  return options;
}

}  // namespace etcd::server
