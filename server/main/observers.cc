#include "server/main/observers.h"

#include <string>
#include <utility>

#include <fmt/format.h>

#include "server/api/v3/request_stats.h"
#include "server/apply/operation.h"
#include "server/base/errc.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::server {
namespace {

double Seconds(std::chrono::nanoseconds took) {
  return std::chrono::duration<double>(took).count();
}

constexpr std::string_view TypeOf(base::MethodEntry::Kind kind) {
  switch (kind) {
    case base::MethodEntry::Kind::kUnary:
      return "unary";
    case base::MethodEntry::Kind::kClientStream:
      return "client_stream";
    case base::MethodEntry::Kind::kServerStream:
      return "server_stream";
    case base::MethodEntry::Kind::kBidi:
      return "bidi_stream";
  }
  return "unary";
}

// With debug lines every call is logged.
std::chrono::nanoseconds ReportAbove(std::chrono::nanoseconds slow) {
  return base::LogEnabled(base::LogLevel::kDebug) ? std::chrono::nanoseconds::min() : slow;
}

void LogStats(const transport::AnsweredCall& call) {
  const auto took = std::chrono::duration_cast<std::chrono::system_clock::duration>(call.took);
  api::v3::LogRequestStats({.context = call.context,
                            .request = call.request,
                            .response = call.response,
                            .start = std::chrono::system_clock::now() - took,
                            .took = call.took});
}

class MethodMetrics final : public transport::MethodObserver {
 public:
  MethodMetrics(const base::MethodEntry& method, metrics::Registry& registry,
                metrics::ServerMetrics& totals, bool extensive, std::chrono::nanoseconds slow)
      : counts_(registry, method.path, TypeOf(method.kind), extensive),
        totals_(totals),
        slow_(slow) {}

  void Started() override { counts_.Started(); }
  void Handled(absl::StatusCode code, std::chrono::nanoseconds duration) override {
    counts_.Handled(code, Seconds(duration));
  }
  void MessageReceived(std::size_t bytes) override {
    counts_.MessageReceived();
    totals_.client_received_bytes.Add(bytes);
  }
  void MessageSent(std::size_t bytes) override {
    counts_.MessageSent();
    totals_.client_sent_bytes.Add(bytes);
  }
  std::chrono::nanoseconds report_above() const override { return ReportAbove(slow_); }
  void Answered(const transport::AnsweredCall& call) override { LogStats(call); }

 private:
  metrics::GrpcMethodMetrics counts_;
  metrics::ServerMetrics& totals_;
  const std::chrono::nanoseconds slow_;
};

struct SlowApply {
  std::string_view prefix;
  std::string request;
  std::string response;
  const absl::Status& status;
  std::chrono::nanoseconds took;
  std::chrono::nanoseconds expected;
};

void LogSlowApply(SlowApply slow) {
  std::vector<base::LogField> fields = {{"took", slow.took},
                                        {"expected-duration", slow.expected},
                                        {"prefix", slow.prefix},
                                        {"request", std::move(slow.request)},
                                        {"response", std::move(slow.response)}};
  if (!slow.status.ok()) fields.emplace_back("error", slow.status);
  base::EmitLog(base::LogLevel::kWarn, "apply request took too long", std::move(fields),
                std::source_location::current());
}

}  // namespace

std::string AlarmName(std::int32_t type) {
  if (type == apply::kAlarmNoSpace) return "NOSPACE";
  return type == apply::kAlarmCorrupt ? "CORRUPT" : "UNKNOWN";
}

void LayerObserver::OnWrite(std::uint64_t bytes, std::chrono::nanoseconds took) {
  metrics_.wal_write_bytes.Add(static_cast<double>(bytes));
  metrics_.wal_write.Observe(Seconds(took));
}

void LayerObserver::OnSync(std::chrono::nanoseconds took) {
  metrics_.wal_fsync.Observe(Seconds(took));
  if (took > std::chrono::seconds(1)) {
    LOG_WARN("slow fdatasync", {"took", took},
             {"expected-duration", std::chrono::nanoseconds(std::chrono::seconds(1))});
  }
}

void LayerObserver::OnGranted(std::int64_t ttl_seconds) {
  metrics_.lease_granted.Add();
  metrics_.lease_ttl.Observe(static_cast<double>(ttl_seconds));
}

void LayerObserver::OnRenewed(std::int64_t ttl_seconds) {
  metrics_.lease_renewed.Add();
  metrics_.lease_ttl.Observe(static_cast<double>(ttl_seconds));
}

void LayerObserver::OnLeaderChange(MemberId leader, bool /*is_self*/) {
  if (leader.value() != 0) metrics_.leader_changes.Add();
}

void LayerObserver::OnRequestApplied(const apply::AppliedRequest& request, std::string_view entry,
                                     std::chrono::nanoseconds took) {
  static_assert(apply::kOperationNames.size() <= metrics::ServerMetrics::kOperationsMax);
  const auto slot = static_cast<std::size_t>(request.operation);
  // As in etcd, where a compaction that came too late is no failure.
  const bool success = request.status.ok() || ErrcOf(request.status) == Errc::kCompacted;
  metrics_.ObserveApply(slot, apply::kOperationNames[slot], success, Seconds(took));
  if (took <= slow_apply_) return;
  metrics_.slow_apply.Add();
  LogSlowApply({.prefix = "",
                .request = apply::DescribeEntry(entry),
                .response = fmt::format("size:{}", request.response_bytes),
                .status = request.status,
                .took = took,
                .expected = slow_apply_});
}

void LayerObserver::OnCommitted(std::chrono::nanoseconds took) {
  metrics_.backend_commit.Observe(Seconds(took));
}

// An alarm that was raised once stays as a series, at 0 when it is gone.
void LayerObserver::OnAlarms(const std::set<apply::Alarm>& raised) {
  alarms_.insert(raised.begin(), raised.end());
  for (const apply::Alarm& alarm : alarms_) {
    metrics_.SetAlarm(base::FormatHex(alarm.member.value()), AlarmName(alarm.type),
                      raised.contains(alarm));
  }
}

// Two of the reasons have texts of their own in etcd, where another part finds them.
void LayerObserver::OnPromotion(const absl::Status& status) {
  if (status.ok()) return metrics_.learner_promote_successes.Add();
  const auto errc = ErrcOf(status);
  if (errc == Errc::kMemberNotFound) {
    metrics_.PromotionFailures("membership: ID not found").Add();
  } else if (errc == Errc::kMemberNotLearner) {
    metrics_.PromotionFailures("membership: can only promote a learner member").Add();
  } else {
    metrics_.PromotionFailures(base::MessageOf(status)).Add();
  }
}

void LayerObserver::OnIndexPause(std::chrono::nanoseconds took) {
  metrics_.index_compaction_pause.Observe(Seconds(took) * 1000);
}

void LayerObserver::OnPause(std::chrono::nanoseconds took) {
  metrics_.compaction_pause.Observe(Seconds(took) * 1000);
}

void LayerObserver::OnFinished(std::uint64_t records_deleted, std::chrono::nanoseconds took) {
  metrics_.compaction_keys.Add(records_deleted);
  metrics_.compaction_total.Observe(Seconds(took) * 1000);
  metrics_.compaction_last.Set(static_cast<double>(
      std::chrono::duration_cast<std::chrono::seconds>(clock_.WallNow().time_since_epoch())
          .count()));
}

void LayerObserver::OnRange(const api::v3::RangeReport& report) {
  metrics_.ObserveRange(report.status.ok(), Seconds(report.took));
  if (report.took <= slow_apply_) return;
  metrics_.slow_apply.Add();
  LogSlowApply({.prefix = "read-only range ",
                .request = apply::DescribeRange(report.query),
                .response = fmt::format("size:{}", report.response_bytes),
                .status = report.status,
                .took = report.took,
                .expected = slow_apply_});
}

void LayerObserver::OnHash(bool at_revision, std::chrono::nanoseconds took) {
  (at_revision ? metrics_.hash_rev_duration : metrics_.hash_duration).Observe(Seconds(took));
}

void LayerObserver::OnRequest(bool is_stream, std::string_view client_api_version) {
  std::atomic<const VersionCounter*>& latest = latest_[is_stream ? 1 : 0];
  const VersionCounter* known = latest.load(std::memory_order_acquire);
  if (known == nullptr || known->version != client_api_version) {
    const std::lock_guard lock(mu_);
    // Clients choose the text, so the number of series is bounded.
    const bool full = versions_.size() >= 64;
    const std::string_view version = full ? "unknown" : client_api_version;
    known = nullptr;
    for (const auto& entry : versions_) {
      if (entry->is_stream == is_stream && entry->version == client_api_version)
        known = entry.get();
    }
    if (known == nullptr) {
      metrics::Counter& counter = metrics_.ClientRequests(is_stream ? "stream" : "unary", version);
      if (full) return counter.Add();
      versions_.push_back(std::make_unique<const VersionCounter>(
          VersionCounter{is_stream, std::string(client_api_version), &counter}));
      known = versions_.back().get();
    }
    latest.store(known, std::memory_order_release);
  }
  known->counter->Add();
}

void SnapObserver::OnSync(std::chrono::nanoseconds took) {
  metrics_.snap_fsync.Observe(Seconds(took));
}

void SnapObserver::OnSave(std::chrono::nanoseconds took) {
  metrics_.snap_save.Observe(Seconds(took));
}

void CallMetrics::OnAnswered(const transport::AnsweredCall& call) const {
  if (call.took > ReportAbove(slow_)) LogStats(call);
}

transport::MethodObserver* CallMetrics::Observe(const base::MethodEntry& method) {
  // As in etcd: these services' series appear on first use only, which costs a look-up per call;
  // until they are served at all, they have none.
  if (method.path.starts_with("/v3lockpb.") || method.path.starts_with("/v3electionpb.")) {
    return nullptr;
  }
  methods_.push_back(
      std::make_unique<MethodMetrics>(method, registry_, metrics_, extensive_, slow_));
  return methods_.back().get();
}

}  // namespace etcd::server
