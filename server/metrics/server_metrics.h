#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>

#include "server/metrics/registry.h"

namespace etcd::metrics {

// etcd's own metrics (server-surface.md 7.1-7.4), as far as one member has them. Names, types and
// buckets are wire facts: dashboards and alerts query them. Note that several *_total are gauges.
// References live as long as the registry. Labelled series appear on first use, as in etcd.
struct ServerMetrics {
  explicit ServerMetrics(Registry& registry);

  // etcd_server_*
  Gauge &has_leader, &is_leader, &is_learner;
  Counter& leader_changes;
  Gauge &proposals_committed, &proposals_applied, &proposals_pending;
  Counter& proposals_failed;
  Counter &slow_apply, &slow_read_indexes, &read_indexes_failed, &heartbeat_send_failures;
  Gauge &quota_backend_bytes, &snapshot_apply_in_progress;
  Counter &learner_promote_successes, &health_success, &health_failures;

  // etcd_disk_*, etcd_snap_*
  Histogram &wal_fsync, &wal_write;
  Gauge& wal_write_bytes;
  Histogram &backend_commit, &backend_defrag, &backend_snapshot;
  Gauge& defrag_inflight;
  Histogram &snap_fsync, &snap_db_fsync, &snap_db_save;

  // etcd_mvcc_*
  Gauge &db_size, &db_size_in_use, &open_read_transactions;
  Histogram &hash_duration, &hash_rev_duration;
  Counter &puts, &deletes, &ranges, &txns;

  // etcd_network_*
  Counter &client_sent_bytes, &client_received_bytes;

  // etcd_debugging_*
  Counter &lease_granted, &lease_renewed, &lease_revoked, &lease_expired;
  Histogram& lease_ttl;
  Counter &events, &compaction_keys;
  Gauge &keys, &watchers, &watch_streams, &slow_watchers, &pending_events;
  Gauge &current_revision, &compact_revision, &put_bytes, &compaction_last;
  Histogram &compaction_pause, &compaction_total, &index_compaction_pause;
  Histogram &snap_save, &snap_marshalling;

  // Cells of labelled histograms, made on first use and then kept; safe on hot paths.
  // etcd_server_apply_duration_seconds; `slot` numbers the operations, below kOperationsMax.
  void ObserveApply(std::size_t slot, std::string_view op, bool success, double seconds);
  // etcd_server_range_duration_seconds.
  void ObserveRange(bool success, double seconds);
  static constexpr std::size_t kOperationsMax = 32;

  // Labelled, looked up at use. Not for hot paths.
  Counter& ClientRequests(std::string_view type, std::string_view api_version);
  // `type`: send or receive; `api`: watch or lease-keepalive.
  Counter& StreamFailures(std::string_view type, std::string_view api);
  // Of learners; `reason` is the text of the error.
  Counter& PromotionFailures(std::string_view reason);
  void OnHealthCheck(std::string_view type, std::string_view name, bool ok);
  void SetIdentity(std::string_view member_id_hex, std::string_view version);
  void SetClusterVersion(std::string_view major_minor);  // "3.6"; others become 0
  void SetFeature(std::string_view name, std::string_view stage, bool enabled);
  void SetAlarm(std::string_view member_id_hex, std::string_view type, bool raised);

 private:
  // A histogram with the label `success`, by its value; null until it is used.
  using BySuccess = std::array<std::atomic<Histogram*>, 2>;

  Registry& registry_;
  std::array<BySuccess, kOperationsMax> apply_ = {};
  BySuccess range_ = {};
  std::string cluster_version_;  // written by the scraping thread only, under the caller's lock
};

}  // namespace etcd::metrics
