#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/metrics/grpc_metrics.h"
#include "server/metrics/process_metrics.h"
#include "server/metrics/registry.h"
#include "server/metrics/server_metrics.h"

namespace etcd::metrics {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MetricsRegistry, TextHasEveryFamilyOnceInOrder) {
  Registry registry;
  registry.AddGauge("b", "second").Set(1.5);
  registry.AddCounter("a", "first", {{"x", "1"}}).Add(3);
  registry.AddCounter("a", "first", {{"x", "2"}});
  EXPECT_EQ(registry.Text(),
            "# HELP a first\n# TYPE a counter\na{x=\"1\"} 3\na{x=\"2\"} 0\n"
            "# HELP b second\n# TYPE b gauge\nb 1.5\n");
}

TEST(MetricsRegistry, ASeriesThatExistsIsGivenAgain) {
  Registry registry;
  Counter& first = registry.AddCounter("a", "", {{"x", "1"}});
  EXPECT_EQ(&registry.AddCounter("a", "", {{"x", "1"}}), &first);
  EXPECT_NE(&registry.AddCounter("a", "", {{"x", "2"}}), &first);
}

TEST(MetricsRegistryDeathTest, TwoKindsUnderOneNameAbort) {
  Registry registry;
  registry.AddCounter("a", "");
  EXPECT_DEATH(registry.AddGauge("a", "", {{"x", "1"}}), "a");
}

TEST(MetricsRegistry, HistogramsAreCumulativeWithInclusiveBounds) {
  Registry registry;
  Histogram& histogram = registry.AddHistogram("h", "help", {1, 2});
  for (const double value : {0.5, 1.0, 1.5, 9.0}) histogram.Observe(value);
  EXPECT_EQ(registry.Text(),
            "# HELP h help\n# TYPE h histogram\nh_count 4\nh_sum 12\nh_bucket{le=\"1\"} 2\n"
            "h_bucket{le=\"2\"} 3\nh_bucket{le=\"+Inf\"} 4\n");
}

TEST(MetricsRegistry, CollectorsRunBeforeAScrape) {
  Registry registry;
  Gauge& gauge = registry.AddGauge("g", "");
  registry.AddCollector([&] { gauge.Add(1); });
  EXPECT_THAT(registry.Text(), HasSubstr("\ng 1\n"));
  EXPECT_THAT(registry.Text(), HasSubstr("\ng 2\n"));
}

TEST(GrpcMetrics, AllCodesOfAMethodExistFromTheStart) {
  Registry registry;
  GrpcMethodMetrics put(registry, "/etcdserverpb.KV/Put", "unary", false);
  put.Started();
  put.Handled(absl::StatusCode::kNotFound, 0.1);
  const std::string text = registry.Text();
  const std::string labels =
      "grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"} ";
  EXPECT_THAT(text, HasSubstr("grpc_server_started_total{" + labels + "1\n"));
  EXPECT_THAT(text, HasSubstr("grpc_server_handled_total{grpc_code=\"NotFound\"," + labels + "1"));
  EXPECT_THAT(
      text, HasSubstr("grpc_server_handled_total{grpc_code=\"Unauthenticated\"," + labels + "0\n"));
  EXPECT_THAT(text, Not(HasSubstr("grpc_server_handling_seconds")));
  GrpcMethodMetrics extensive(registry, "/etcdserverpb.KV/Range", "unary", true);
  extensive.Handled(absl::StatusCode::kOk, 0.03);
  EXPECT_THAT(registry.Text(), HasSubstr("le=\"0.05\"} 1\n"));
}

TEST(ServerMetrics, NamesThatAlertsQueryAreThere) {
  Registry registry;
  ServerMetrics metrics(registry);
  metrics.wal_fsync.Observe(0.0005);
  const std::string text = registry.Text();
  for (const char* line : {"# TYPE etcd_server_has_leader gauge",
                           "# TYPE etcd_server_leader_changes_seen_total counter",
                           "# TYPE etcd_server_proposals_committed_total gauge",
                           "# TYPE etcd_server_proposals_failed_total counter",
                           "# TYPE etcd_disk_wal_write_bytes_total gauge",
                           "etcd_disk_wal_fsync_duration_seconds_bucket{le=\"0.001\"} 1",
                           "etcd_disk_wal_fsync_duration_seconds_bucket{le=\"8.192\"} 1",
                           "# TYPE etcd_disk_backend_commit_duration_seconds histogram",
                           "# TYPE etcd_mvcc_db_total_size_in_bytes gauge",
                           "# TYPE etcd_network_client_grpc_sent_bytes_total counter",
                           "# TYPE etcd_debugging_mvcc_keys_total gauge"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("etcd_server_client_requests_total")));
}

TEST(ServerMetrics, AnOldClusterVersionGoesToZero) {
  Registry registry;
  ServerMetrics metrics(registry);
  metrics.SetClusterVersion("3.5");
  metrics.SetClusterVersion("3.6");
  EXPECT_THAT(registry.Text(), HasSubstr("etcd_cluster_version{cluster_version=\"3.5\"} 0\n"
                                         "etcd_cluster_version{cluster_version=\"3.6\"} 1\n"));
}

TEST(ProcessMetrics, ComeFromThisProcess) {
  Registry registry;
  Gauge& resident = registry.AddGauge("process_resident_memory_bytes", "Resident memory.");
  Gauge& start = registry.AddGauge("process_start_time_seconds", "");
  AddProcessMetrics(registry);
  EXPECT_THAT(registry.Text(), HasSubstr("process_max_fds "));
  EXPECT_GT(resident.value(), 1 << 20);
  EXPECT_GT(start.value(), 1e9);
  EXPECT_GE(OpenDescriptors(), 3U);
}

}  // namespace
}  // namespace etcd::metrics
