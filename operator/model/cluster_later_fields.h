// Generated from operator/api/cluster_later.yaml by operator/api/generate.py; do not edit.

#pragma once

#include "operator/model/cluster_later.h"
#include "operator/model/codec.h"

namespace etcd::model {

template <>
struct EnumNames<UpdateType> {
  static constexpr std::string_view kNames[] = {"RollingUpdate", "OnDelete"};
};

template <>
struct EnumNames<UpdateAdoptOperatorTemplate> {
  static constexpr std::string_view kNames[] = {"OnNextRoll", "Immediately"};
};

template <>
struct Fields<Update> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("type", self.type);
    archive.Field("minReadySeconds", self.min_ready_seconds);
    archive.Field("backupBeforeVersionChange", self.backup_before_version_change);
    archive.Field("adoptOperatorTemplate", self.adopt_operator_template);
  }
};

template <>
struct Fields<Healing> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("enabled", self.enabled);
    archive.Field("nodeLostTimeout", self.node_lost_timeout);
    archive.Field("crashLoopRestarts", self.crash_loop_restarts);
    archive.Field("unreachableTimeout", self.unreachable_timeout);
    archive.Field("unschedulableTimeout", self.unschedulable_timeout);
    archive.Field("cooldown", self.cooldown);
    archive.Field("maxPerHour", self.max_per_hour);
  }
};

template <>
struct Fields<Defrag> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("schedule", self.schedule);
    archive.Field("timeZone", self.time_zone);
    archive.Field("minReclaim", self.min_reclaim);
    archive.Field("minRatio", self.min_ratio);
  }
};

template <>
struct Fields<MaintenanceWindow> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("schedule", self.schedule);
    archive.Field("duration", self.duration);
    archive.Field("timeZone", self.time_zone);
  }
};

template <>
struct Fields<Maintenance> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("defrag", self.defrag);
    archive.Field("windows", self.windows);
  }
};

template <>
struct Fields<MonitorSettings> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("enabled", self.enabled);
    archive.Field("labels", self.labels);
    archive.Field("interval", self.interval);
  }
};

template <>
struct Fields<Monitoring> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("podMonitor", self.pod_monitor);
    archive.Field("prometheusRule", self.prometheus_rule);
  }
};

template <>
struct Fields<Tracing> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("endpoint", self.endpoint);
    archive.Field("samplingRatePerMillion", self.sampling_rate_per_million);
    archive.Field("serviceName", self.service_name);
  }
};

}  // namespace etcd::model
