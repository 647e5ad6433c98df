#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/http/http_handler.h"
#include "server/api/v3/services.h"
#include "server/apply/alarms.h"
#include "server/apply/applier.h"
#include "server/base/clock.h"
#include "server/lease/lessor.h"
#include "server/metrics/grpc_metrics.h"
#include "server/metrics/server_metrics.h"
#include "server/node/member.h"
#include "server/snap/snapshotter.h"
#include "server/transport/observer.h"
#include "server/wal/observer.h"
#include "server/watch/watch_hub.h"

// What the layers report, written into the metrics. All thread-safe; they live as long as the
// process.
namespace etcd::server {

// Label alarm_type.
std::string AlarmName(std::int32_t type);

// Leaders, disks, leases, watches: whatever is one line.
class LayerObserver final : public wal::Observer,
                            public lease::LessorObserver,
                            public watch::WatchObserver,
                            public node::MemberObserver,
                            public mvcc::CompactionObserver,
                            public api::v3::RequestObserver,
                            public api::http::HealthObserver {
 public:
  // Applying a request or reading a range for longer than `slow_apply` is logged and counted.
  LayerObserver(metrics::ServerMetrics& metrics, const base::Clock& clock,
                std::chrono::nanoseconds slow_apply)
      : metrics_(metrics), clock_(clock), slow_apply_(slow_apply) {}

  // wal
  void OnWrite(std::uint64_t bytes, std::chrono::nanoseconds took) override;
  void OnSync(std::chrono::nanoseconds took) override;
  // lease
  void OnGranted(std::int64_t ttl_seconds) override;
  void OnRevoked() override { metrics_.lease_revoked.Add(); }
  void OnRenewed(std::int64_t ttl_seconds) override;
  void OnExpired() override { metrics_.lease_expired.Add(); }
  // watch
  void OnStreams(std::int64_t delta) override { Add(metrics_.watch_streams, delta); }
  void OnWatchers(std::int64_t delta) override { Add(metrics_.watchers, delta); }
  void OnSlowWatchers(std::int64_t delta) override { Add(metrics_.slow_watchers, delta); }
  void OnEvents(std::int64_t count) override {
    metrics_.events.Add(static_cast<std::uint64_t>(count));
  }
  // node
  void OnLeaderChange(MemberId leader, bool is_self) override;
  void OnProposalFailed() override { metrics_.proposals_failed.Add(); }
  void OnRequestApplied(const apply::AppliedRequest& request, std::string_view entry,
                        std::chrono::nanoseconds took) override;
  void OnCommitted(std::chrono::nanoseconds took) override;
  void OnAlarms(const std::set<apply::Alarm>& raised) override;
  void OnReadIndexSlow() override { metrics_.slow_read_indexes.Add(); }
  void OnPromotion(const absl::Status& status) override;
  void OnReadIndexFailed() override { metrics_.read_indexes_failed.Add(); }
  // mvcc
  void OnIndexPause(std::chrono::nanoseconds took) override;
  void OnPause(std::chrono::nanoseconds took) override;
  void OnFinished(std::uint64_t records_deleted, std::chrono::nanoseconds took) override;
  // api
  void OnRange(const api::v3::RangeReport& report) override;
  void OnHash(bool at_revision, std::chrono::nanoseconds took) override;
  void OnReceiveFailure(std::string_view api) override {
    metrics_.StreamFailures("receive", api).Add();
  }
  void OnRequest(bool is_stream, std::string_view client_api_version) override;
  void OnHealth(bool ok) override {
    (ok ? metrics_.health_success : metrics_.health_failures).Add();
  }
  void OnCheck(std::string_view type, std::string_view name, bool ok) override {
    metrics_.OnHealthCheck(type, name, ok);
  }

 private:
  static void Add(metrics::Gauge& gauge, std::int64_t delta) {
    gauge.Add(static_cast<double>(delta));
  }

  // The counter of one (kind of call, version); the same one is asked for nearly every time.
  struct VersionCounter {
    bool is_stream;
    std::string version;
    metrics::Counter* counter;
  };

  metrics::ServerMetrics& metrics_;
  const base::Clock& clock_;
  const std::chrono::nanoseconds slow_apply_;
  std::set<apply::Alarm> alarms_;  // apply thread: every one that was raised since the start
  std::mutex mu_;
  std::vector<std::unique_ptr<const VersionCounter>> versions_;  // guarded by mu_, bounded
  std::atomic<const VersionCounter*> latest_[2] = {};            // by is_stream; null at first
};

// .snap files; apart from the above because wal's OnSync has the same signature.
class SnapObserver final : public snap::Observer {
 public:
  explicit SnapObserver(metrics::ServerMetrics& metrics) : metrics_(metrics) {}
  void OnSync(std::chrono::nanoseconds took) override;
  void OnSave(std::chrono::nanoseconds took) override;

 private:
  metrics::ServerMetrics& metrics_;
};

// gRPC calls by method.
class CallMetrics final : public transport::CallObserver {
 public:
  // Unary calls that take longer than `slow` are logged.
  CallMetrics(metrics::Registry& registry, metrics::ServerMetrics& metrics, bool extensive,
              std::chrono::nanoseconds slow)
      : registry_(registry), metrics_(metrics), extensive_(extensive), slow_(slow) {}

  transport::MethodObserver* Observe(const base::MethodEntry& method) override;
  // Of a unary call that the transport has not seen.
  void OnAnswered(const transport::AnsweredCall& call) const;

 private:
  metrics::Registry& registry_;
  metrics::ServerMetrics& metrics_;
  const bool extensive_;
  const std::chrono::nanoseconds slow_;
  std::vector<std::unique_ptr<transport::MethodObserver>> methods_;  // filled before serving
};

}  // namespace etcd::server
