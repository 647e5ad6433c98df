#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "operator/backup/order.h"
#include "operator/kube/json.h"
#include "operator/kube/object.h"
#include "operator/kube/times.h"
#include "operator/model/backup.h"

// Bodies of what runs workers. Pure; fit for Pod Security "restricted".
namespace etcd::backup_control {

using kube::Json;

struct PodOptions {
  std::string operator_image{};
  std::string image_pull_policy{};  // empty: the default of Kubernetes
};

// Volumes and their mounts, as lists.
struct Mounts {
  Json volumes = Json::array();
  Json mounts = Json::array();
  void Add(const std::string& name, std::string_view path, Json source, bool is_read_only);
};
// What a worker needs to reach a bucket or a volume.
Mounts MountsOf(const model::BackupDestination& destination, bool is_read_only);

Json ContainerSecurity();

// A Job with one pod that tries once.
Json JobBody(const std::string& name, const backup::Order& order, const std::string& uid,
             const PodOptions& options);

// The container of a restore, to be run before the server; `data_volume` is mounted at
// `data_mount`.
Json RestoreContainer(const backup::RestoreOrder& order, const Mounts& mounts,
                      const std::string& data_volume, const std::string& data_mount,
                      const PodOptions& options);

// What came of a Job, from its conditions.
enum class JobState : std::uint8_t { kRunning, kComplete, kFailed };
JobState StateOf(const kube::Object& job);
// When it failed; nothing when it did not, or does not say.
std::optional<kube::WallTime> FailedAt(const kube::Object& job);
// Ended because spec.activeDeadlineSeconds passed.
bool IsPastDeadline(const kube::Object& job);

// The termination message of the container of this name, init containers too; empty when it has not
// ended yet.
std::string TerminationMessage(const Json& pod, std::string_view container);

// Why a pod does not run yet: unschedulable, a volume that is not there, an image; empty when
// nothing is known.
std::string WaitingReason(const Json& pod);

}  // namespace etcd::backup_control
