#include "operator/loop/metrics.h"

#include <fmt/format.h>

#include "operator/kube/api_error.h"
#include "server/metrics/process_metrics.h"

namespace etcd::loop {
namespace {

using metrics::Labels;

const metrics::Buckets& SecondBuckets() {
  static const metrics::Buckets buckets = metrics::ExponentialBuckets(0.005, 2, 14);
  return buckets;
}

// A bounded set of words.
std::string_view ReasonOf(const absl::Status& status) {
  using kube::ApiErrc;
  switch (kube::ApiErrcOf(status).value_or(ApiErrc::kOther)) {
    case ApiErrc::kNotFound:
      return "NotFound";
    case ApiErrc::kAlreadyExists:
    case ApiErrc::kForeignOwner:
      return "AlreadyExists";
    case ApiErrc::kConflict:
      return "Conflict";
    case ApiErrc::kInvalid:
      return "Invalid";
    case ApiErrc::kUnauthorized:
    case ApiErrc::kForbidden:
      return "Forbidden";
    case ApiErrc::kTooManyRequests:
      return "TooManyRequests";
    case ApiErrc::kUnavailable:
    case ApiErrc::kServerError:
    case ApiErrc::kNotSent:
    case ApiErrc::kNoAnswer:
    case ApiErrc::kResourceVersionTooLarge:
    case ApiErrc::kExpired:
      return "ApiServerUnavailable";
    default:
      return "Other";
  }
}

struct Family {
  std::string_view name, help;
  double (*value)(const ClusterFigures& figures);
};
constexpr Family kClusterFamilies[] = {
    {"etcd_operator_cluster_info", "One for each EtcdCluster.",
     [](const ClusterFigures&) { return 1.0; }},
    {"etcd_operator_cluster_replicas", "Members that the spec wants.",
     [](const ClusterFigures& one) { return static_cast<double>(one.replicas); }},
    {"etcd_operator_cluster_ready_members", "Members whose pods are Ready.",
     [](const ClusterFigures& one) { return static_cast<double>(one.ready); }},
    {"etcd_operator_cluster_voters", "Voters in etcd's own list.",
     [](const ClusterFigures& one) { return static_cast<double>(one.voters); }},
    {"etcd_operator_cluster_learners", "Learners in etcd's own list.",
     [](const ClusterFigures& one) { return static_cast<double>(one.learners); }},
    {"etcd_operator_cluster_quorate", "Whether a quorum answered a linearizable read.",
     [](const ClusterFigures& one) { return one.is_quorate ? 1.0 : 0.0; }}};
constexpr std::string_view kConditionName = "etcd_operator_cluster_condition";

}  // namespace

Metrics::Metrics(std::string version, std::string revision)
    : leader_(registry_.AddGauge("etcd_operator_leader", "Whether this replica leads.")),
      queue_depth_(registry_.AddGauge("etcd_operator_workqueue_depth", "Keys that are ready.",
                                      {{"queue", "main"}})),
      queue_oldest_(registry_.AddGauge("etcd_operator_workqueue_oldest_seconds",
                                       "How long the next key has been ready.",
                                       {{"queue", "main"}})),
      queue_adds_(registry_.AddCounter("etcd_operator_workqueue_adds_total", "Keys added.",
                                       {{"queue", "main"}})),
      queue_retries_(registry_.AddCounter("etcd_operator_workqueue_retries_total",
                                          "Keys that came back after an error.",
                                          {{"queue", "main"}})) {
  registry_
      .AddGauge("etcd_operator_build_info", "Version of the operator.",
                {{"version", std::move(version)}, {"revision", std::move(revision)}})
      .Set(1);
  metrics::AddProcessMetrics(registry_);
}

void Metrics::Count(std::string_view name, std::string_view help, const Labels& labels) {
  const std::lock_guard lock(mu_);
  metrics::Counter*& counter = counters_[{std::string(name), labels}];
  if (counter == nullptr) counter = &registry_.AddCounter(name, help, labels);
  counter->Add();
}

void Metrics::Observe(std::string_view name, std::string_view help, const Labels& labels,
                      double seconds) {
  const std::lock_guard lock(mu_);
  metrics::Histogram*& histogram = histograms_[{std::string(name), labels}];
  if (histogram == nullptr) {
    histogram = &registry_.AddHistogram(name, help, SecondBuckets(), labels);
  }
  histogram->Observe(seconds);
}

void Metrics::Reconciled(std::string_view kind, const absl::Status& status, double seconds) {
  const std::string name(kind);
  const bool is_ok = status.ok();
  Count("etcd_operator_reconcile_total", "Looks at one object.",
        {{"kind", name}, {"result", is_ok ? "success" : "error"}});
  if (!is_ok) {
    Count("etcd_operator_reconcile_errors_total", "Looks that failed.",
          {{"kind", name}, {"reason", std::string(ReasonOf(status))}});
  }
  Observe("etcd_operator_reconcile_duration_seconds", "Duration of a look.", {{"kind", name}},
          seconds);
}

void Metrics::StepDone(std::string_view type, std::string_view result, double seconds) {
  Count("etcd_operator_operations_total", "Steps towards what is wanted.",
        {{"type", std::string(type)}, {"result", std::string(result)}});
  Observe("etcd_operator_operation_duration_seconds", "Duration of a step.",
          {{"type", std::string(type)}, {"result", std::string(result)}}, seconds);
}

void Metrics::Replaced(std::string_view cause) {
  Count("etcd_operator_member_replacements_total", "Members that others take the place of.",
        {{"cause", std::string(cause)}});
}

void Metrics::ReplacementBlocked(std::string_view gate) {
  Count("etcd_operator_replacement_blocked_total", "Replacements that had to wait at a gate.",
        {{"gate", std::string(gate)}});
}

void Metrics::SetCluster(const kube::ObjectKey& key, ClusterFigures figures) {
  const std::lock_guard lock(mu_);
  clusters_[key] = std::move(figures);
}

void Metrics::DropCluster(const kube::ObjectKey& key) {
  const std::lock_guard lock(mu_);
  clusters_.erase(key);
}

void Metrics::SetLeader(bool is_leader) { leader_.Set(is_leader ? 1 : 0); }

void Metrics::SetQueue(const kube::QueueCore::Stats& stats) {
  queue_depth_.Set(static_cast<double>(stats.depth));
  queue_oldest_.Set(std::chrono::duration<double>(stats.oldest).count());
  queue_adds_.Set(stats.adds);
  queue_retries_.Set(stats.retries);
}

void Metrics::OnRequest(std::string_view method, const kube::Resource& resource, int code,
                        std::chrono::nanoseconds took) {
  const std::string verb(method), plural(resource.plural);
  Count("etcd_operator_api_requests_total", "Requests to the API server; code 0: no answer.",
        {{"verb", verb}, {"resource", plural}, {"code", std::to_string(code)}});
  Observe("etcd_operator_api_request_duration_seconds", "Duration of requests to the API server.",
          {{"verb", verb}, {"resource", plural}}, std::chrono::duration<double>(took).count());
}

void Metrics::OnWatchEnded(const kube::Resource& resource, const absl::Status& reason) {
  const std::string why = reason.ok()                                 ? "announced"
                          : kube::Is(reason, kube::ApiErrc::kExpired) ? "expired"
                                                                      : "error";
  Count("etcd_operator_watch_restarts_total", "Watches that ended.",
        {{"resource", std::string(resource.plural)}, {"reason", why}});
}

void Metrics::OnListed(const kube::Resource& resource, std::size_t) {
  Count("etcd_operator_relists_total", "Lists of all objects.",
        {{"resource", std::string(resource.plural)}, {"reason", "listed"}});
}

void Metrics::OnListFailed(const kube::Resource& resource, const absl::Status&) {
  Count("etcd_operator_relists_total", "Lists of all objects.",
        {{"resource", std::string(resource.plural)}, {"reason", "failed"}});
}

// Made anew for each scrape: series of clusters that are gone go with them.
void Metrics::ShowClusters() {
  for (const Family& family : kClusterFamilies) {
    registry_.Clear(family.name);
    for (const auto& [key, figures] : clusters_) {
      const Labels labels = {{"namespace", key.ns}, {"cluster", key.name}};
      registry_.AddGauge(family.name, family.help, labels).Set(family.value(figures));
    }
  }
  registry_.Clear(kConditionName);
  for (const auto& [key, figures] : clusters_) {
    for (const auto& [type, value] : figures.conditions) {
      const Labels labels = {{"namespace", key.ns}, {"cluster", key.name}, {"type", type}};
      registry_.AddGauge(kConditionName, "1: True, 0: False, -1: Unknown.", labels).Set(value);
    }
  }
}

std::string Metrics::Text() {
  const std::lock_guard lock(mu_);
  ShowClusters();
  return registry_.Text();
}

}  // namespace etcd::loop
