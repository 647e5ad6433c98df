#include "server/metrics/registry.h"

#include <map>
#include <mutex>
#include <sstream>
#include <variant>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "server/base/check.h"

namespace etcd::metrics {
namespace {

using Value = std::variant<std::unique_ptr<Counter>, std::unique_ptr<Gauge>,
                           std::unique_ptr<Histogram>, std::unique_ptr<FloatCounter>>;

struct Family {
  std::string help;
  std::map<Labels, Value> series;
};

void Fill(const Counter& counter, prometheus::ClientMetric& out) {
  out.counter.value = static_cast<double>(counter.value());
}
void Fill(const FloatCounter& counter, prometheus::ClientMetric& out) {
  out.counter.value = counter.value();
}
void Fill(const Gauge& gauge, prometheus::ClientMetric& out) { out.gauge.value = gauge.value(); }
void Fill(const Histogram& histogram, prometheus::ClientMetric& out) {
  std::uint64_t cumulative = 0;
  const Buckets& bounds = histogram.bounds();
  for (std::size_t i = 0; i <= bounds.size(); ++i) {
    cumulative += histogram.count(i);
    prometheus::ClientMetric::Bucket bucket;
    bucket.cumulative_count = cumulative;
    bucket.upper_bound = i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
    out.histogram.bucket.push_back(bucket);
  }
  out.histogram.sample_count = cumulative;
  out.histogram.sample_sum = histogram.sum();
}

constexpr prometheus::MetricType kTypes[] = {
    prometheus::MetricType::Counter, prometheus::MetricType::Gauge,
    prometheus::MetricType::Histogram, prometheus::MetricType::Counter};

prometheus::MetricFamily Render(const std::string& name, const Family& family) {
  prometheus::MetricFamily out;
  out.name = name;
  out.help = family.help;
  out.type = kTypes[family.series.begin()->second.index()];
  for (const auto& [labels, value] : family.series) {
    prometheus::ClientMetric metric;
    for (const auto& [key, text] : labels) metric.label.push_back({key, text});
    std::visit([&](const auto& held) { Fill(*held, metric); }, value);
    out.metric.push_back(std::move(metric));
  }
  return out;
}

}  // namespace

Buckets ExponentialBuckets(double start, double factor, int count) {
  Buckets bounds;
  for (int i = 0; i < count; ++i, start *= factor) bounds.push_back(start);
  return bounds;
}

struct Registry::Impl {
  mutable std::mutex mu;
  std::map<std::string, Family, std::less<>> families;  // guarded by mu
  std::vector<std::function<void()>> collectors;        // guarded by mu

  template <typename T, typename... Args>
  T& Add(std::string_view name, std::string_view help, const Labels& labels, const Args&... args) {
    const std::lock_guard lock(mu);
    const auto family = families.try_emplace(std::string(name)).first;
    if (family->second.help.empty()) family->second.help = std::string(help);
    auto& series = family->second.series;
    auto found = series.find(labels);
    if (found == series.end()) {
      found = series.emplace(labels, std::make_unique<T>(args...)).first;
    }
    CHECK(std::holds_alternative<std::unique_ptr<T>>(found->second)) << family->first;
    CHECK(found->second.index() == series.begin()->second.index()) << family->first;
    return *std::get<std::unique_ptr<T>>(found->second);
  }
};

Registry::Registry() : impl_(std::make_unique<Impl>()) {}
Registry::~Registry() = default;

Counter& Registry::AddCounter(std::string_view name, std::string_view help, const Labels& labels) {
  return impl_->Add<Counter>(name, help, labels);
}
FloatCounter& Registry::AddFloatCounter(std::string_view name, std::string_view help,
                                        const Labels& labels) {
  return impl_->Add<FloatCounter>(name, help, labels);
}
Gauge& Registry::AddGauge(std::string_view name, std::string_view help, const Labels& labels) {
  return impl_->Add<Gauge>(name, help, labels);
}
Histogram& Registry::AddHistogram(std::string_view name, std::string_view help,
                                  const Buckets& bounds, const Labels& labels) {
  return impl_->Add<Histogram>(name, help, labels, bounds);
}

void Registry::Clear(std::string_view name) {
  const std::lock_guard lock(impl_->mu);
  const auto family = impl_->families.find(name);
  if (family != impl_->families.end()) family->second.series.clear();
}

void Registry::AddCollector(std::function<void()> collect) {
  const std::lock_guard lock(impl_->mu);
  impl_->collectors.push_back(std::move(collect));
}

std::string Registry::Text() const {
  std::vector<std::function<void()>> collectors;
  {
    const std::lock_guard lock(impl_->mu);
    collectors = impl_->collectors;
  }
  for (const auto& collect : collectors) collect();
  std::vector<prometheus::MetricFamily> families;
  {
    const std::lock_guard lock(impl_->mu);
    for (const auto& [name, family] : impl_->families) {
      if (!family.series.empty()) families.push_back(Render(name, family));
    }
  }
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return std::move(text).str();
}

}  // namespace etcd::metrics
