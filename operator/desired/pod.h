#pragma once

#include <string>
#include <string_view>

#include "operator/desired/settings.h"
#include "operator/kube/json.h"
#include "operator/model/cluster.h"
#include "operator/model/member.h"

namespace etcd::desired {

struct PodInput {
  const model::EtcdCluster& cluster;
  const model::EtcdMember& member;
  std::string initial_cluster{};
  bool is_new_cluster = false;  // --initial-cluster-state
  bool is_guarded = false;      // as if the member had joined
  std::string role{};           // value of the role label
  std::string image{};          // of the server; empty: what the spec and the settings say
  // Of a restore: init containers that run before the server, and volumes that they need.
  const kube::Json* init_containers = nullptr;
  const kube::Json* volumes = nullptr;
};

// A member's pod, fit for Pod Security "restricted" (operator-spec 13). Pure.
kube::Json PodBody(const PodInput& input, const Settings& settings);

// "--name=...", in a fixed order.
std::vector<std::string> ServerArguments(const PodInput& input, const Settings& settings);

// Bytes of a quantity, for example "2Gi", rounded up; 0 when it is none, the most that fits when it
// is more.
std::int64_t QuantityBytes(std::string_view text);
// Milliseconds of "100ms", "1h30m"; 0 when it is none.
std::int64_t DurationMs(std::string_view text);

// The uid that all our containers run as.
inline constexpr int kUser = 65532;
inline constexpr std::string_view kDataMount = "/var/lib/etcd";
inline constexpr std::string_view kDataDir = "/var/lib/etcd/data";
// Names of the containers.
inline constexpr std::string_view kServerContainer = "etcd";
inline constexpr std::string_view kGuardContainer = "data-guard";

}  // namespace etcd::desired
