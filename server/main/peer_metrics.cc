#include "server/main/peer_metrics.h"

namespace etcd::server {
namespace {

constexpr std::size_t kSendersMax = 1024;

std::string Hex(MemberId id) { return base::FormatHex(id.value()); }

double Seconds(std::chrono::nanoseconds took) {
  return std::chrono::duration<double>(took).count();
}

metrics::Buckets RoundTripBuckets() { return metrics::ExponentialBuckets(0.0001, 2, 16); }
metrics::Buckets SnapshotBuckets() { return metrics::ExponentialBuckets(0.1, 2, 10); }

}  // namespace

void PeerMetrics::SetLocal(MemberId id) {
  {
    const std::lock_guard lock(mu_);
    local_ = Hex(id);
  }
  Known(id).Set(1);
}

metrics::Labels PeerMetrics::Pair(MemberId remote) const {
  const std::lock_guard lock(mu_);
  return {{"Local", local_}, {"Remote", Hex(remote)}};
}

metrics::Gauge& PeerMetrics::Known(MemberId remote) {
  return registry_.AddGauge("etcd_network_known_peers", "The current number of known peers.",
                            Pair(remote));
}

std::string PeerMetrics::Sender(std::string_view from) {
  const std::lock_guard lock(mu_);
  if (!senders_.contains(from)) {
    if (senders_.size() >= kSendersMax) return "unknown";
    senders_.emplace(from);
  }
  return std::string(from);
}

metrics::Counter& PeerMetrics::Cached(std::map<MemberId, metrics::Counter*>& cache,
                                      std::string_view name, std::string_view label, MemberId id) {
  const std::lock_guard lock(mu_);
  if (cache.size() >= kSendersMax && !cache.contains(id)) id = MemberId();
  metrics::Counter*& counter = cache[id];
  if (counter == nullptr) {
    counter = &registry_.AddCounter(name, "The total number of bytes exchanged with peers.",
                                    {{std::string(label), Hex(id)}});
  }
  return *counter;
}

void PeerMetrics::OnSent(MemberId to, std::size_t bytes) {
  Cached(sent_, "etcd_network_peer_sent_bytes_total", "To", to).Add(bytes);
}

void PeerMetrics::OnSendFailed(MemberId to) {
  registry_
      .AddCounter("etcd_network_peer_sent_failures_total",
                  "The total number of failures to send to peers.", {{"To", Hex(to)}})
      .Add();
}

void PeerMetrics::OnReceived(MemberId from, std::size_t bytes) {
  Cached(received_, "etcd_network_peer_received_bytes_total", "From", from).Add(bytes);
}

void PeerMetrics::OnReceiveFailed(std::string_view from) {
  registry_
      .AddCounter("etcd_network_peer_received_failures_total",
                  "The total number of failures to receive from peers.",
                  {{"From", Sender(from.substr(0, from.rfind(':')))}})
      .Add();
}

void PeerMetrics::OnPeerAdded(MemberId id) { Known(id).Set(1); }

void PeerMetrics::OnPeerRemoved(MemberId id) { Known(id).Set(0); }

void PeerMetrics::OnActive(MemberId id, bool active) {
  registry_
      .AddGauge("etcd_network_active_peers", "The current number of active peer connections.",
                Pair(id))
      .Set(active ? 1 : 0);
  if (active) return;
  registry_
      .AddCounter("etcd_network_disconnected_peers_total",
                  "The total number of disconnected peers.", Pair(id))
      .Add();
}

void PeerMetrics::OnRoundTrip(MemberId to, std::chrono::nanoseconds took) {
  registry_
      .AddHistogram("etcd_network_peer_round_trip_time_seconds", "Round trip times between peers.",
                    RoundTripBuckets(), {{"To", Hex(to)}})
      .Observe(Seconds(took));
}

void PeerMetrics::OnSnapshotSending(MemberId to) {
  registry_
      .AddGauge("etcd_network_snapshot_send_inflights_total",
                "The number of snapshots on their way to a peer.", {{"To", Hex(to)}})
      .Add(1);
}

void PeerMetrics::OnSnapshotSent(MemberId to, bool ok, std::chrono::nanoseconds took) {
  const metrics::Labels labels = {{"To", Hex(to)}};
  registry_
      .AddGauge("etcd_network_snapshot_send_inflights_total",
                "The number of snapshots on their way to a peer.", labels)
      .Add(-1);
  if (!ok) {
    return registry_
        .AddCounter("etcd_network_snapshot_send_failures",
                    "The total number of snapshots that could not be sent.", labels)
        .Add();
  }
  registry_
      .AddCounter("etcd_network_snapshot_send_success", "The total number of snapshots sent.",
                  labels)
      .Add();
  registry_
      .AddHistogram("etcd_network_snapshot_send_total_duration_seconds",
                    "How long it took to send a snapshot.", SnapshotBuckets(), labels)
      .Observe(Seconds(took));
}

void PeerMetrics::OnSnapshotReceiving(MemberId from) {
  registry_
      .AddGauge("etcd_network_snapshot_receive_inflights_total",
                "The number of snapshots being received.", {{"From", Sender(Hex(from))}})
      .Add(1);
}

void PeerMetrics::OnSnapshotReceived(MemberId from, bool ok, std::chrono::nanoseconds took) {
  const metrics::Labels labels = {{"From", Sender(Hex(from))}};
  registry_
      .AddGauge("etcd_network_snapshot_receive_inflights_total",
                "The number of snapshots being received.", labels)
      .Add(-1);
  if (!ok) {
    return registry_
        .AddCounter("etcd_network_snapshot_receive_failures",
                    "The total number of snapshots that could not be received.", labels)
        .Add();
  }
  registry_
      .AddCounter("etcd_network_snapshot_receive_success",
                  "The total number of snapshots received.", labels)
      .Add();
  registry_
      .AddHistogram("etcd_network_snapshot_receive_total_duration_seconds",
                    "How long it took to receive a snapshot.", SnapshotBuckets(), labels)
      .Observe(Seconds(took));
}

}  // namespace etcd::server
