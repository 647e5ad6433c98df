#include "server/metrics/server_metrics.h"

namespace etcd::metrics {
namespace {

// Durations from a millisecond on, as most of etcd's histograms have them.
Buckets Milliseconds() { return ExponentialBuckets(0.001, 2, 14); }

}  // namespace

ServerMetrics::ServerMetrics(Registry& r)
    : has_leader(r.AddGauge("etcd_server_has_leader", "Whether a leader is known: 1, else 0.")),
      is_leader(r.AddGauge("etcd_server_is_leader", "Whether this member leads.")),
      is_learner(r.AddGauge("etcd_server_is_learner", "Whether this member is a learner.")),
      leader_changes(r.AddCounter("etcd_server_leader_changes_seen_total", "New leaders seen.")),
      proposals_committed(
          r.AddGauge("etcd_server_proposals_committed_total", "Index of the last commit.")),
      proposals_applied(
          r.AddGauge("etcd_server_proposals_applied_total", "Index of the last applied entry.")),
      proposals_pending(
          r.AddGauge("etcd_server_proposals_pending", "Proposals that wait for their result.")),
      proposals_failed(
          r.AddCounter("etcd_server_proposals_failed_total", "Proposals that failed.")),
      slow_apply(r.AddCounter("etcd_server_slow_apply_total", "Slow applies.")),
      slow_read_indexes(
          r.AddCounter("etcd_server_slow_read_indexes_total", "Slow read index rounds.")),
      read_indexes_failed(
          r.AddCounter("etcd_server_read_indexes_failed_total", "Failed read index rounds.")),
      heartbeat_send_failures(r.AddCounter("etcd_server_heartbeat_send_failures_total",
                                           "Heartbeats that were sent late.")),
      quota_backend_bytes(
          r.AddGauge("etcd_server_quota_backend_bytes", "Quota of the backend in force.")),
      snapshot_apply_in_progress(r.AddGauge("etcd_server_snapshot_apply_in_progress_total",
                                            "Whether a received snapshot is being installed.")),
      learner_promote_successes(
          r.AddCounter("etcd_server_learner_promote_successes", "Learners promoted.")),
      health_success(r.AddCounter("etcd_server_health_success", "Good answers of /health.")),
      health_failures(r.AddCounter("etcd_server_health_failures", "Bad answers of /health.")),
      wal_fsync(r.AddHistogram("etcd_disk_wal_fsync_duration_seconds", "Syncs of the log.",
                               Milliseconds())),
      wal_write(r.AddHistogram("etcd_disk_wal_write_duration_seconds", "Writes to the log.",
                               Milliseconds())),
      wal_write_bytes(r.AddGauge("etcd_disk_wal_write_bytes_total", "Bytes written to the log.")),
      backend_commit(r.AddHistogram("etcd_disk_backend_commit_duration_seconds",
                                    "Commits of the backend.", Milliseconds())),
      backend_defrag(r.AddHistogram("etcd_disk_backend_defrag_duration_seconds",
                                    "Defragmentations of the backend.",
                                    ExponentialBuckets(0.1, 2, 13))),
      backend_snapshot(r.AddHistogram("etcd_disk_backend_snapshot_duration_seconds",
                                      "Snapshots of the backend.",
                                      ExponentialBuckets(0.01, 2, 17))),
      defrag_inflight(r.AddGauge("etcd_disk_defrag_inflight", "Whether a defragmentation runs.")),
      snap_fsync(r.AddHistogram("etcd_snap_fsync_duration_seconds", "Syncs of snapshot files.",
                                Milliseconds())),
      snap_db_fsync(r.AddHistogram("etcd_snap_db_fsync_duration_seconds",
                                   "Syncs of received databases.", Milliseconds())),
      snap_db_save(r.AddHistogram("etcd_snap_db_save_total_duration_seconds",
                                  "Saves of received databases.", ExponentialBuckets(0.1, 2, 10))),
      db_size(r.AddGauge("etcd_mvcc_db_total_size_in_bytes", "Bytes that the backend takes.")),
      db_size_in_use(r.AddGauge("etcd_mvcc_db_total_size_in_use_in_bytes", "Bytes of live data.")),
      open_read_transactions(r.AddGauge("etcd_mvcc_db_open_read_transactions", "Reads under way.")),
      hash_duration(r.AddHistogram("etcd_mvcc_hash_duration_seconds", "Hashes of the backend.",
                                   ExponentialBuckets(0.01, 2, 15))),
      hash_rev_duration(r.AddHistogram("etcd_mvcc_hash_rev_duration_seconds",
                                       "Hashes at a revision.", ExponentialBuckets(0.01, 2, 15))),
      puts(r.AddCounter("etcd_mvcc_put_total", "Puts.")),
      deletes(r.AddCounter("etcd_mvcc_delete_total", "Deletes.")),
      ranges(r.AddCounter("etcd_mvcc_range_total", "Ranges.")),
      txns(r.AddCounter("etcd_mvcc_txn_total", "Transactions.")),
      client_sent_bytes(r.AddCounter("etcd_network_client_grpc_sent_bytes_total",
                                     "Bytes of messages sent to clients.")),
      client_received_bytes(r.AddCounter("etcd_network_client_grpc_received_bytes_total",
                                         "Bytes of messages received from clients.")),
      lease_granted(r.AddCounter("etcd_debugging_lease_granted_total", "Leases granted.")),
      lease_renewed(r.AddCounter("etcd_debugging_lease_renewed_total", "Leases renewed.")),
      lease_revoked(r.AddCounter("etcd_debugging_lease_revoked_total", "Leases revoked.")),
      lease_expired(r.AddCounter("etcd_debugging_server_lease_expired_total", "Leases expired.")),
      lease_ttl(r.AddHistogram("etcd_debugging_lease_ttl_total", "TTLs of leases, in seconds.",
                               ExponentialBuckets(1, 2, 24))),
      events(r.AddCounter("etcd_debugging_mvcc_events_total", "Events sent to watchers.")),
      compaction_keys(
          r.AddCounter("etcd_debugging_mvcc_db_compaction_keys_total", "Revisions compacted.")),
      keys(r.AddGauge("etcd_debugging_mvcc_keys_total", "Live keys.")),
      watchers(r.AddGauge("etcd_debugging_mvcc_watcher_total", "Watchers.")),
      watch_streams(r.AddGauge("etcd_debugging_mvcc_watch_stream_total", "Watch streams.")),
      slow_watchers(r.AddGauge("etcd_debugging_mvcc_slow_watcher_total", "Watchers behind.")),
      pending_events(r.AddGauge("etcd_debugging_mvcc_pending_events_total", "Events to be sent.")),
      current_revision(r.AddGauge("etcd_debugging_mvcc_current_revision", "Current revision.")),
      compact_revision(r.AddGauge("etcd_debugging_mvcc_compact_revision", "Compact revision.")),
      put_bytes(r.AddGauge("etcd_debugging_mvcc_total_put_size_in_bytes", "Bytes of puts.")),
      compaction_last(r.AddGauge("etcd_debugging_mvcc_db_compaction_last",
                                 "Time of the last compaction, in seconds of the epoch.")),
      compaction_pause(
          r.AddHistogram("etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds",
                         "Pauses of compaction.", ExponentialBuckets(1, 2, 13))),
      compaction_total(
          r.AddHistogram("etcd_debugging_mvcc_db_compaction_total_duration_milliseconds",
                         "Compactions.", ExponentialBuckets(100, 2, 14))),
      index_compaction_pause(
          r.AddHistogram("etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds",
                         "Pauses of compaction of the index.", ExponentialBuckets(0.5, 2, 14))),
      snap_save(r.AddHistogram("etcd_debugging_snap_save_total_duration_seconds",
                               "Saves of snapshot files.", Milliseconds())),
      snap_marshalling(r.AddHistogram("etcd_debugging_snap_save_marshalling_duration_seconds",
                                      "Encoding of snapshot files.", Milliseconds())),
      registry_(r) {
  // What Go's store has and ours has not: there for queries, at rest.
  for (const char* part : {"rebalance", "spill", "write"}) {
    r.AddHistogram("etcd_debugging_disk_backend_commit_" + std::string(part) + "_duration_seconds",
                   "Part of a commit of Go's backend.", Milliseconds());
  }
  r.AddCounter("etcd_debugging_store_expires_total", "Expired keys of the v2 store.");
  r.AddCounter("etcd_debugging_store_watch_requests_total", "Watches of the v2 store.");
  r.AddCounter("etcd_debugging_store_reads_total", "Reads of the v2 store.",
               {{"action", "getRecursive"}});
  for (const char* action : {"create", "set"}) {
    r.AddCounter("etcd_debugging_store_writes_total", "Writes of the v2 store.",
                 {{"action", action}});
  }
  r.AddGauge("etcd_debugging_store_watchers", "Watchers of the v2 store.");
  r.AddGauge("etcd_debugging_auth_revision", "Revision of the auth store.");
  for (const char* name : {"cache_hits_total", "cache_keys_total", "cache_misses_total",
                           "watchers_coalescing_total"}) {
    r.AddGauge("etcd_grpc_proxy_" + std::string(name), "Of the gRPC proxy.");
  }
  r.AddCounter("etcd_grpc_proxy_events_coalescing_total", "Of the gRPC proxy.");
}

// Two threads that meet an empty cell get the same histogram from the registry.
void ServerMetrics::ObserveApply(std::size_t slot, std::string_view op, bool success,
                                 double seconds) {
  std::atomic<Histogram*>& cell = apply_[slot][success ? 1 : 0];
  Histogram* histogram = cell.load(std::memory_order_acquire);
  if (histogram == nullptr) {
    histogram = &registry_.AddHistogram(
        "etcd_server_apply_duration_seconds", "Applying one request.",
        ExponentialBuckets(0.0001, 2, 20),
        {{"op", std::string(op)}, {"success", success ? "true" : "false"}, {"version", "v3"}});
    cell.store(histogram, std::memory_order_release);
  }
  histogram->Observe(seconds);
}

void ServerMetrics::ObserveRange(bool success, double seconds) {
  std::atomic<Histogram*>& cell = range_[success ? 1 : 0];
  Histogram* histogram = cell.load(std::memory_order_acquire);
  if (histogram == nullptr) {
    histogram = &registry_.AddHistogram(
        "etcd_server_range_duration_seconds", "Carrying out one range.",
        ExponentialBuckets(0.0001, 2, 20), {{"success", success ? "true" : "false"}});
    cell.store(histogram, std::memory_order_release);
  }
  histogram->Observe(seconds);
}

Counter& ServerMetrics::StreamFailures(std::string_view type, std::string_view api) {
  return registry_.AddCounter("etcd_network_server_stream_failures_total",
                              "Streams that failed at this server.",
                              {{"API", std::string(api)}, {"Type", std::string(type)}});
}

Counter& ServerMetrics::ClientRequests(std::string_view type, std::string_view api_version) {
  return registry_.AddCounter(
      "etcd_server_client_requests_total", "Requests by the API version of the client.",
      {{"client_api_version", std::string(api_version)}, {"type", std::string(type)}});
}

Counter& ServerMetrics::PromotionFailures(std::string_view reason) {
  return registry_.AddCounter("etcd_server_learner_promote_failures",
                              "Learners that were not promoted.",
                              {{"Reason", std::string(reason)}});
}

void ServerMetrics::OnHealthCheck(std::string_view type, std::string_view name, bool ok) {
  registry_
      .AddGauge("etcd_server_healthcheck", "Last result of a check: 1 is good.",
                {{"name", std::string(name)}, {"type", std::string(type)}})
      .Set(ok ? 1 : 0);
  registry_
      .AddCounter("etcd_server_healthchecks_total", "Results of checks.",
                  {{"name", std::string(name)},
                   {"status", ok ? "success" : "error"},
                   {"type", std::string(type)}})
      .Add();
}

void ServerMetrics::SetIdentity(std::string_view member_id_hex, std::string_view version) {
  registry_
      .AddGauge("etcd_server_id", "The member's id, in the label.",
                {{"server_id", std::string(member_id_hex)}})
      .Set(1);
  registry_
      .AddGauge("etcd_server_version", "The server's version, in the label.",
                {{"server_version", std::string(version)}})
      .Set(1);
  registry_
      .AddGauge("etcd_server_go_version", "The language, in the label.",
                {{"server_go_version", "C++20"}})
      .Set(1);
}

void ServerMetrics::SetClusterVersion(std::string_view major_minor) {
  const auto series = [&](const std::string& version) -> Gauge& {
    return registry_.AddGauge("etcd_cluster_version", "The cluster's version, in the label.",
                              {{"cluster_version", version}});
  };
  if (cluster_version_ == major_minor) return;
  if (!cluster_version_.empty()) series(cluster_version_).Set(0);
  cluster_version_ = std::string(major_minor);
  if (!cluster_version_.empty()) series(cluster_version_).Set(1);
}

void ServerMetrics::SetFeature(std::string_view name, std::string_view stage, bool enabled) {
  registry_
      .AddGauge("etcd_server_feature_enabled", "Whether a feature gate is on.",
                {{"name", std::string(name)}, {"stage", std::string(stage)}})
      .Set(enabled ? 1 : 0);
}

void ServerMetrics::SetAlarm(std::string_view member_id_hex, std::string_view type, bool raised) {
  registry_
      .AddGauge("etcd_debugging_server_alarms", "Whether an alarm is raised.",
                {{"alarm_type", std::string(type)}, {"server_id", std::string(member_id_hex)}})
      .Set(raised ? 1 : 0);
}

}  // namespace etcd::metrics
