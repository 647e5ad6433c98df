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

// Containers of workers, fit for Pod Security "restricted", and what their pods say. Pure.
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
// The bucket or volume that a source is on.
model::BackupDestination DestinationOf(const model::RestoreSource& source);

Json ContainerSecurity();

// A container of the operator's program with these arguments.
Json WorkerContainer(std::string_view name, Json args, const Json& mounts,
                     const std::optional<model::ResourceRequirements>& resources,
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

// The report of a backup's or trial's pod: the failed one of a step, or that of the last container.
// DataLoss when it ended without one.
absl::StatusOr<backup::Report> ReportOf(const Json& pod);

// How a pod ended that says nothing itself: " (verify: OOMKilled)"; empty when that is not known.
std::string DeathOf(const Json& pod);

// Where the pod of a backup stands, by the container that runs or ran last.
model::EtcdBackupStatusPhase PhaseOf(const Json& pod);

// Why a pod does not run yet: unschedulable, a volume that is not there, an image; empty when
// nothing is known.
std::string WaitingReason(const Json& pod);

}  // namespace etcd::backup_control
