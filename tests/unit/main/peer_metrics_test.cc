#include "server/main/peer_metrics.h"

#include <algorithm>
#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace etcd::server {
namespace {

using ::testing::HasSubstr;

// Names, labels and kinds that dashboards and alerts query (server-surface.md 7.3).
TEST(PeerMetrics, HaveEtcdsNamesAndLabels) {
  metrics::Registry registry;
  PeerMetrics peers(registry);
  const MemberId remote(0xb2);
  peers.SetLocal(MemberId(0xa1));
  peers.OnPeerAdded(remote);
  peers.OnActive(remote, true);
  peers.OnSent(remote, 7);
  peers.OnSent(remote, 3);
  peers.OnSendFailed(remote);
  peers.OnReceived(MemberId(), 1);
  peers.OnReceiveFailed("10.0.0.1:999");
  peers.OnRoundTrip(remote, std::chrono::milliseconds(1));
  peers.OnSnapshotSending(remote);
  peers.OnSnapshotSent(remote, true, std::chrono::seconds(1));
  peers.OnSnapshotReceiving(remote);
  peers.OnSnapshotReceived(remote, false, std::chrono::seconds(1));
  peers.OnActive(remote, false);
  const std::string text = registry.Text();
  for (const std::string_view line :
       {R"(etcd_network_known_peers{Local="a1",Remote="a1"} 1)",
        R"(etcd_network_known_peers{Local="a1",Remote="b2"} 1)",
        R"(etcd_network_active_peers{Local="a1",Remote="b2"} 0)",
        R"(etcd_network_disconnected_peers_total{Local="a1",Remote="b2"} 1)",
        R"(etcd_network_peer_sent_bytes_total{To="b2"} 10)",
        R"(etcd_network_peer_sent_failures_total{To="b2"} 1)",
        R"(etcd_network_peer_received_bytes_total{From="0"} 1)",
        R"(etcd_network_peer_received_failures_total{From="10.0.0.1"} 1)",
        R"(etcd_network_peer_round_trip_time_seconds_count{To="b2"} 1)",
        R"(etcd_network_snapshot_send_success{To="b2"} 1)",
        R"(etcd_network_snapshot_send_inflights_total{To="b2"} 0)",
        R"(etcd_network_snapshot_send_total_duration_seconds_count{To="b2"} 1)",
        R"(etcd_network_snapshot_receive_failures{From="b2"} 1)",
        R"(etcd_network_snapshot_receive_inflights_total{From="b2"} 0)"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(PeerMetrics, StrangersCannotMakeSeriesWithoutEnd) {
  metrics::Registry registry;
  PeerMetrics peers(registry);
  for (std::uint64_t id = 1; id < 5000; ++id) {
    peers.OnReceived(MemberId(id), 1);
    peers.OnReceiveFailed(std::to_string(id));
  }
  const std::string text = registry.Text();
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 2500);
}

}  // namespace
}  // namespace etcd::server
