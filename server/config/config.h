#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "server/config/feature_gates.h"
#include "server/config/urls.h"

namespace etcd::config {

struct LogRotation {
  std::int64_t max_megabytes = 100;
  std::int64_t max_days = 0;     // 0: for ever
  std::int64_t max_backups = 0;  // 0: all
  bool local_time = false;
  bool compress = false;
};

// Everything that the command line, the environment or the file can set. Filled by Parse,
// validated, and immutable from then on. The member initialisers are the defaults, also those that
// --help shows. Fields are named after their flags; values are as given unless a comment says
// otherwise.
struct Config {
  // Member.
  std::string name = "default";
  std::string data_dir;                            // never empty after Parse
  std::string wal_dir;                             // empty: data_dir/member/wal
  std::uint64_t snapshot_count = 10'000;           // never 0 after Parse
  std::uint64_t snapshot_catchup_entries = 5'000;  // never 0 after Parse
  std::uint64_t max_snapshots = 5;                 // files; 0: no limit
  std::uint64_t max_wals = 5;                      // files; 0: no limit
  std::uint64_t heartbeat_interval = 100;          // milliseconds
  std::uint64_t election_timeout = 1'000;          // milliseconds
  bool initial_election_tick_advance = true;
  bool pre_vote = true;
  UrlList listen_peer_urls = {{"http", "localhost:2380"}};
  UrlList listen_client_urls = {{"http", "localhost:2379"}};
  UrlList listen_client_http_urls;
  std::int64_t quota_backend_bytes = 0;  // 0: 2 GiB; negative: no quota
  std::uint64_t max_txn_ops = 128;
  std::uint64_t max_request_bytes = 1'572'864;
  std::uint32_t max_concurrent_streams = 4'294'967'295;
  std::chrono::nanoseconds grpc_keepalive_min_time = std::chrono::seconds(5);
  std::chrono::nanoseconds grpc_keepalive_interval = std::chrono::hours(2);
  std::chrono::nanoseconds grpc_keepalive_timeout = std::chrono::seconds(20);
  bool socket_reuse_port = false;
  bool socket_reuse_address = false;
  bool enable_grpc_gateway = true;
  bool enable_grpc_reflection = false;
  std::int64_t max_learners = 1;
  std::chrono::nanoseconds warning_apply_duration = std::chrono::milliseconds(100);
  std::chrono::nanoseconds warning_unary_request_duration = std::chrono::milliseconds(300);
  std::chrono::nanoseconds watch_progress_notify_interval{0};  // 10 min after Parse when 0
  std::int64_t compaction_batch_limit = 0;                     // 1000 after Parse when 0
  std::chrono::nanoseconds compaction_sleep_interval{0};       // 10 ms after Parse when 0
  FeatureGates feature_gates;

  // Clustering.
  UrlList initial_advertise_peer_urls = {{"http", "localhost:2380"}};
  UrlList advertise_client_urls = {{"http", "localhost:2379"}};
  std::string initial_cluster = "default=http://localhost:2380";
  std::string initial_cluster_state = "new";
  std::string initial_cluster_token = "etcd-cluster";
  bool strict_reconfig_check = true;
  std::string auto_compaction_mode = "periodic";
  std::string auto_compaction_retention = "0";

  // HTTP edges.
  std::string cors = "*";                           // "*" or a list of origin URLs
  std::vector<std::string> host_whitelist = {"*"};  // empty: every Host header is refused

  // Logging and metrics.
  std::string logger = "zap";
  std::vector<std::string> log_outputs = {"default"};
  std::string log_level = "info";
  std::string log_format = "json";
  bool enable_log_rotation = false;
  std::string log_rotation_config_json =
      R"({"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false})";
  std::string metrics = "basic";
  UrlList listen_metrics_urls;

  bool unsafe_no_fsync = false;
  bool force_new_cluster = false;

  // Ours: keeps the cluster version of an older cluster although every member could do more, so
  // that its members can go back to the older etcd.
  bool hold_cluster_version = false;

  // Comparisons of the members' data by the leader; 0: never. The second needs its feature gate.
  std::chrono::nanoseconds corrupt_check_time{0};
  std::chrono::nanoseconds compact_hash_check_time = std::chrono::minutes(1);
  // Ours: a member whose own data is damaged replaces it by that of the others.
  bool auto_rebuild = false;

  // Accepted; what they tune does not exist here (flag_table.cc says why, row by row).
  std::chrono::nanoseconds backend_batch_interval{0};
  std::int64_t backend_batch_limit = 0;
  std::string backend_bbolt_freelist_type = "map";
  std::uint64_t bootstrap_defrag_threshold_megabytes = 0;
  std::chrono::nanoseconds raft_read_timeout = std::chrono::seconds(5);
  std::chrono::nanoseconds raft_write_timeout = std::chrono::seconds(5);
  std::chrono::nanoseconds downgrade_check_time = std::chrono::seconds(5);
  std::string v2_deprecation = "write-only";
  std::string discovery_fallback = "exit";
  std::string ignored;  // last value of any ignored flag

  // Features of later versions: Parse refuses every value but the default.
  bool enable_pprof = false;
  bool memory_mlock = false;
  std::string cert_file, key_file, client_cert_file, client_key_file, client_crl_file;
  std::string trusted_ca_file, client_cert_allowed_hostname;
  bool client_cert_auth = false;
  bool auto_tls = false;
  std::string peer_cert_file, peer_key_file, peer_client_cert_file, peer_client_key_file;
  std::string peer_trusted_ca_file, peer_crl_file, peer_cert_allowed_cn;
  std::string peer_cert_allowed_hostname;
  bool peer_client_cert_auth = false;
  bool peer_auto_tls = false;
  bool peer_skip_client_san_verification = false;
  std::uint64_t self_signed_cert_validity = 1;
  std::vector<std::string> cipher_suites;
  std::string tls_min_version = "TLS1.2";
  std::string tls_max_version;
  std::string auth_token = "simple";
  std::uint64_t bcrypt_cost = 10;
  std::uint64_t auth_token_ttl = 300;
  std::string discovery, discovery_proxy, discovery_srv, discovery_srv_name, discovery_token;
  std::string discovery_endpoints, discovery_cert, discovery_key, discovery_cacert;
  std::string discovery_user, discovery_password;
  std::chrono::nanoseconds discovery_dial_timeout = std::chrono::seconds(2);
  std::chrono::nanoseconds discovery_request_timeout = std::chrono::seconds(5);
  std::chrono::nanoseconds discovery_keepalive_time = std::chrono::seconds(2);
  std::chrono::nanoseconds discovery_keepalive_timeout = std::chrono::seconds(6);
  bool discovery_insecure_transport = true;
  bool discovery_insecure_skip_tls_verify = false;
  bool enable_distributed_tracing = false;
  std::string distributed_tracing_address = "localhost:4317";
  std::string distributed_tracing_service_name = "etcd";
  std::string distributed_tracing_instance_id;
  std::int64_t distributed_tracing_sampling_rate = 0;

  // ---- Derived by Parse.
  std::int64_t election_ticks = 10;  // election_timeout / heartbeat_interval
  // 5 s + 2 election timeouts: how long a request waits for consensus.
  std::chrono::nanoseconds request_timeout = std::chrono::seconds(7);
  // auto_compaction_retention read: a duration (periodic) or a number of revisions; 0: off.
  std::chrono::nanoseconds auto_compaction_period{0};
  std::int64_t auto_compaction_revisions = 0;
  std::optional<LogRotation> log_rotation;  // set when enable_log_rotation
  // initial_cluster read: name -> peer URLs, ascending. Empty when it cannot be read.
  std::map<std::string, std::vector<std::string>> initial_members;
  // Why a member without a log cannot start with this; a restart ignores it.
  absl::Status bootstrap;
};

}  // namespace etcd::config
