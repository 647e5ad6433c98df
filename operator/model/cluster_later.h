// Generated from operator/api/cluster_later.yaml by operator/api/generate.py; do not edit.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "operator/model/values.h"

namespace etcd::model {

// By the operator, or when somebody deletes pods.
enum class UpdateType { kRollingUpdate, kOnDelete };
std::string_view ToText(UpdateType value);

// When members take over what a new operator would render.
enum class UpdateAdoptOperatorTemplate { kOnNextRoll, kImmediately };
std::string_view ToText(UpdateAdoptOperatorTemplate value);

// How changes reach running members.
struct Update {
  UpdateType type = UpdateType::kRollingUpdate;
  int32_t min_ready_seconds = 10;
  std::optional<bool> backup_before_version_change = {};
  UpdateAdoptOperatorTemplate adopt_operator_template = UpdateAdoptOperatorTemplate::kOnNextRoll;
  UnknownFields unknown = {};
  bool operator==(const Update&) const = default;
};

// Replacement of members that are lost for good.
struct Healing {
  bool enabled = true;
  Duration node_lost_timeout = "10m";
  int32_t crash_loop_restarts = 5;
  Duration unreachable_timeout = "0s";
  Duration unschedulable_timeout = "0s";
  Duration cooldown = "5m";
  int32_t max_per_hour = 3;
  UnknownFields unknown = {};
  bool operator==(const Healing&) const = default;
};

// When members are defragmented.
struct Defrag {
  std::optional<std::string> schedule = {};
  std::optional<std::string> time_zone = {};
  Quantity min_reclaim = "100Mi";
  double min_ratio = 0.45;
  UnknownFields unknown = {};
  bool operator==(const Defrag&) const = default;
};

// A recurring time.
struct MaintenanceWindow {
  std::string schedule = {};
  Duration duration = {};
  std::string time_zone = "Etc/UTC";
  UnknownFields unknown = {};
  bool operator==(const MaintenanceWindow&) const = default;
};

// Recurring work.
struct Maintenance {
  std::optional<Defrag> defrag = {};
  std::vector<MaintenanceWindow> windows = {};
  UnknownFields unknown = {};
  bool operator==(const Maintenance&) const = default;
};

// One object for Prometheus Operator.
struct MonitorSettings {
  bool enabled = false;
  std::map<std::string, std::string> labels = {};
  std::optional<Duration> interval = {};
  UnknownFields unknown = {};
  bool operator==(const MonitorSettings&) const = default;
};

// Objects for Prometheus Operator.
struct Monitoring {
  MonitorSettings pod_monitor;
  MonitorSettings prometheus_rule;
  UnknownFields unknown = {};
  bool operator==(const Monitoring&) const = default;
};

// OpenTelemetry traces by OTLP over gRPC.
struct Tracing {
  std::string endpoint = {};
  int32_t sampling_rate_per_million = 0;
  std::string service_name = "etcd";
  UnknownFields unknown = {};
  bool operator==(const Tracing&) const = default;
};

}  // namespace etcd::model
