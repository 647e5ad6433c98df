#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/metrics/metric.h"

namespace etcd::metrics {

// Name and value, in the order in which they are printed.
using Labels = std::vector<std::pair<std::string, std::string>>;

// All metrics of the process, by name. Thread-safe. Adding a series that exists gives the one that
// exists, so that rarely used labelled series can be looked up where they are used; hot paths keep
// the reference. Two kinds under one name are a programming error and abort.
class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  Counter& AddCounter(std::string_view name, std::string_view help, const Labels& labels = {});
  FloatCounter& AddFloatCounter(std::string_view name, std::string_view help,
                                const Labels& labels = {});
  Gauge& AddGauge(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram& AddHistogram(std::string_view name, std::string_view help, const Buckets& bounds,
                          const Labels& labels = {});
  // Removes every series of a family (for values that live in a label, such as a version).
  void Clear(std::string_view name);

  // Called before every scrape, in order of addition, to bring gauges up to date. Add all of them
  // before the first scrape; they must not scrape.
  void AddCollector(std::function<void()> collect);

  // Prometheus' text format 0.0.4, families by name.
  std::string Text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace etcd::metrics
