#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "server/base/ids.h"
#include "server/metrics/registry.h"
#include "server/rafthttp/observer.h"

namespace etcd::server {

// What the peer port reports, as etcd_network_* (server-surface.md 7.3). Series appear on first
// use, as in etcd. Thread-safe; lives as long as the process.
class PeerMetrics final : public rafthttp::Observer {
 public:
  explicit PeerMetrics(metrics::Registry& registry) : registry_(registry) {}

  // Known when the member is; before anything is reported about peers. Counts itself among the
  // known peers, as etcd does.
  void SetLocal(MemberId id);

  void OnSent(MemberId to, std::size_t bytes) override;
  void OnSendFailed(MemberId to) override;
  void OnReceived(MemberId from, std::size_t bytes) override;
  void OnReceiveFailed(std::string_view from) override;
  void OnPeerAdded(MemberId id) override;
  void OnPeerRemoved(MemberId id) override;
  void OnActive(MemberId id, bool active) override;
  void OnRoundTrip(MemberId to, std::chrono::nanoseconds took) override;
  void OnSnapshotSending(MemberId to) override;
  void OnSnapshotSent(MemberId to, bool ok, std::chrono::nanoseconds took) override;
  void OnSnapshotReceiving(MemberId from) override;
  void OnSnapshotReceived(MemberId from, bool ok, std::chrono::nanoseconds took) override;

 private:
  metrics::Labels Pair(MemberId remote) const;
  metrics::Gauge& Known(MemberId remote);
  // The id in hex, or the address, as a label; strangers choose them, so their number is bounded.
  std::string Sender(std::string_view from);
  metrics::Counter& Cached(std::map<MemberId, metrics::Counter*>& cache, std::string_view name,
                           std::string_view label, MemberId id);

  metrics::Registry& registry_;
  mutable std::mutex mu_;
  std::string local_;  // hex; guarded by mu_, like the rest
  // Asked for with every message.
  std::map<MemberId, metrics::Counter*> sent_;
  std::map<MemberId, metrics::Counter*> received_;
  std::set<std::string, std::less<>> senders_;  // labels in use
};

}  // namespace etcd::server
