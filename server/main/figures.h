#pragma once

#include <string>
#include <vector>

#include "server/config/config.h"
#include "server/metrics/registry.h"
#include "server/metrics/server_metrics.h"
#include "server/node/member.h"

namespace etcd::server {

// Brings the gauges that mirror the member's state up to date before each scrape, so that no hot
// path writes them. `metrics` and `member` outlive the registry's scrapes.
void AddMemberFigures(metrics::Registry& registry, metrics::ServerMetrics& metrics,
                      node::Member& member);

// The series that never change: identity and feature gates.
void SetConstants(metrics::ServerMetrics& metrics, const node::Member& member,
                  const config::Config& config);

// /debug/vars: a JSON object.
std::string DebugVars(const std::vector<std::string>& command_line, const node::Member& member);

}  // namespace etcd::server
