#include "operator/backup_control/schedule_controller.h"

#include <algorithm>
#include <functional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/backup/naming.h"
#include "operator/backup_control/names.h"
#include "operator/backup_control/report.h"
#include "operator/desired/kinds.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::backup_control {
namespace {

using kube::ApiErrc;
using kube::Json;
using model::ConditionStatus;
using Phase = model::EtcdBackupStatusPhase;
using Policy = model::EtcdBackupScheduleSpecConcurrencyPolicy;

constexpr std::chrono::seconds kSchedulePoll{10};
// The longest wait: zone files and clocks may change meanwhile.
constexpr std::chrono::nanoseconds kWaitMax = std::chrono::hours(1);

bool IsDone(const model::EtcdBackup& backup) {
  return backup.status.phase == Phase::kCompleted || backup.status.phase == Phase::kFailed;
}

// A delay that is the same for the same run, whoever computes it.
std::chrono::seconds JitterOf(const model::EtcdBackupSchedule& schedule, kube::WallTime at) {
  const auto parsed = backup::ParseDuration(schedule.spec.jitter);
  const std::int64_t most =
      parsed ? std::chrono::duration_cast<std::chrono::seconds>(*parsed).count() : 0;
  if (most <= 0) return std::chrono::seconds(0);
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : fmt::format("{}/{}", schedule.metadata.uid, at.time_since_epoch().count())) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return std::chrono::seconds(hash % static_cast<std::uint64_t>(most + 1));
}

absl::Status DeleteBackup(kube::Client& client, const model::EtcdBackup& backup) {
  return client.Delete(desired::kBackups, {backup.metadata.namespace_, backup.metadata.name},
                       {.uid = backup.metadata.uid});
}

}  // namespace

std::vector<kube::Controller::Watched> ScheduleController::watched() const {
  return {{.resource = desired::kSchedules,
           .label_selector = {},
           .keys_of =
               [](const kube::Change& change) {
                 return KeysOfSelf(change, model::EtcdBackupSchedule::kKind);
               }},
          {.resource = desired::kBackups,
           .label_selector = {},
           .keys_of = [](const kube::Change& change) {
             return KeysOfOwner(change, model::EtcdBackupSchedule::kKind);
           }}};
}

absl::Status ScheduleController::ReadBackups(Look& look) {
  ASSIGN_OR_RETURN(
      const kube::ObjectList backups,
      context_.client.List(desired::kBackups, {.ns = look.object.ns(),
                                               .label_selector = fmt::format(
                                                   "{}={}", kScheduleLabel, look.object.name())}));
  for (const kube::Object& item : backups.items) {
    if (item.controller_uid() != look.object.uid()) continue;
    auto parsed = model::ParseEtcdBackup(item.json());
    if (parsed.ok()) look.backups.push_back(*std::move(parsed));
  }
  std::sort(look.backups.begin(), look.backups.end(),
            [](const model::EtcdBackup& a, const model::EtcdBackup& b) {
              return std::pair(a.metadata.creation_timestamp, a.metadata.name) <
                     std::pair(b.metadata.creation_timestamp, b.metadata.name);
            });
  return absl::OkStatus();
}

ScheduleController::Result ScheduleController::Act(Look& look) {
  look.status.observed_generation = look.model.metadata.generation;
  const auto cron = backup::CronSchedule::Parse(look.model.spec.schedule);
  if (!cron.ok()) return Refuse(look, std::string(base::MessageOf(cron.status())));
  const auto zone = backup::FindZone(look.model.spec.time_zone);
  if (!zone.ok()) return Refuse(look, std::string(base::MessageOf(zone.status())));
  if (const absl::Status read = ReadBackups(look); !read.ok()) return {read, {}};
  return Run(look, {*cron, *zone});
}

ScheduleController::Result ScheduleController::Refuse(Look& look, const std::string& why) {
  const model::Condition* const ready = FindCondition(look.status.conditions, "Ready");
  const bool is_told = ready != nullptr && ready->message == why;
  SetReady(look, ConditionStatus::kFalse, "InvalidSpec", why);
  look.status.next_schedule_time.reset();
  if (!is_told) Tell(context_, look.object, {"SpecInvalid", "Schedule", why, true});
  return {};
}

ScheduleController::Result ScheduleController::Run(Look& look, const Plan& plan) {
  std::optional<std::chrono::nanoseconds> wait;
  if (!look.model.spec.suspend) {
    const auto ran = RunDue(look, plan);
    if (!ran.ok()) return {ran.status(), {}};
    wait = *ran;
  }
  Summarize(look, &plan);
  SetStale(look, plan);
  if (const absl::Status written = WriteStatus(look); !written.ok()) return {written, {}};
  if (const absl::Status told = TellCluster(look); !told.ok()) return {told, {}};
  if (const absl::Status forgotten = Forget(look); !forgotten.ok()) return {forgotten, {}};
  const auto next = TimeOf(look.status.next_schedule_time);
  std::chrono::nanoseconds until = next ? *next - look.now : kWaitMax;
  if (wait) until = std::min(until, *wait);
  // A little late rather than early: then the time has come.
  return {absl::OkStatus(),
          std::clamp<std::chrono::nanoseconds>(until + std::chrono::milliseconds(100),
                                               std::chrono::seconds(1), kWaitMax)};
}

absl::StatusOr<std::optional<std::chrono::nanoseconds>> ScheduleController::RunDue(
    Look& look, const Plan& plan) {
  const model::EtcdBackupScheduleSpec& spec = look.model.spec;
  const auto created = TimeOf(look.model.metadata.creation_timestamp).value_or(look.now);
  const auto last = TimeOf(look.status.last_schedule_time);
  if (!last && spec.immediate) {
    RETURN_IF_ERROR(Start(look, created));
    return std::optional<std::chrono::nanoseconds>();
  }
  const backup::DueRuns due = backup::FindDueRuns(
      plan.cron, plan.zone, absl::FromChrono(last.value_or(created)), absl::FromChrono(look.now));
  if (!due.latest) return std::optional<std::chrono::nanoseconds>();
  const kube::WallTime at = absl::ToChronoTime(*due.latest);
  const auto late = look.now - at;
  std::int64_t missed = due.missed;
  if (late > std::chrono::seconds(spec.starting_deadline_seconds)) {
    ++missed;
    look.status.last_schedule_time = kube::FormatTime(at);
    Tell(context_, look.object,
         {"BackupFailed", "Schedule",
          fmt::format("the backup of {} was not begun within {} s", kube::FormatTime(at),
                      spec.starting_deadline_seconds),
          true});
  } else if (const auto jitter = JitterOf(look.model, at); late < jitter) {
    return std::optional<std::chrono::nanoseconds>(jitter - late);
  } else {
    const bool is_busy = std::any_of(look.backups.begin(), look.backups.end(),
                                     [](const auto& backup) { return !IsDone(backup); });
    if (is_busy && spec.concurrency_policy == Policy::kForbid) {
      return std::optional<std::chrono::nanoseconds>(
          kSchedulePoll);  // until it is done, or too late
    }
    if (spec.concurrency_policy == Policy::kReplace) RETURN_IF_ERROR(MakeRoom(look));
    RETURN_IF_ERROR(Start(look, at));
  }
  if (missed > 0) {
    look.status.missed_schedules = look.status.missed_schedules.value_or(0) + missed;
  }
  return std::optional<std::chrono::nanoseconds>();
}

absl::Status ScheduleController::MakeRoom(const Look& look) {
  for (const model::EtcdBackup& backup : look.backups) {
    if (!IsDone(backup)) RETURN_IF_ERROR(DeleteBackup(context_.client, backup));
  }
  return absl::OkStatus();
}

absl::Status ScheduleController::Start(Look& look, kube::WallTime at) {
  model::EtcdBackup backup;
  backup.metadata.name = backup::BackupNameOf(look.object.name(), at);
  backup.metadata.namespace_ = look.object.ns();
  static_cast<model::BackupTemplate&>(backup.spec) = look.model.spec.template_;
  backup.spec.cluster_ref = look.model.spec.cluster_ref;
  const Json owner = {{"apiVersion", model::kApiVersion},
                      {"kind", model::EtcdBackupSchedule::kKind},
                      {"name", look.object.name()},
                      {"uid", look.object.uid()},
                      {"controller", true}};
  Json body = {{"apiVersion", model::kApiVersion},
               {"kind", model::EtcdBackup::kKind},
               {"metadata",
                {{"name", backup.metadata.name},
                 {"namespace", backup.metadata.namespace_},
                 {"labels",
                  {{"app.kubernetes.io/managed-by", model::kManager},
                   {std::string(kScheduleLabel), look.object.name()},
                   {std::string(kBackupOfLabel), look.model.spec.cluster_ref.name}}},
                 {"ownerReferences", Json::array({owner})}}},
               {"spec", model::ToJson(backup.spec)}};
  const auto made = context_.client.CreateOwned(desired::kBackups, body);
  RETURN_IF_ERROR(made.status());
  LOG_INFO("a scheduled backup begins", {"schedule", look.object.name()},
           {"backup", backup.metadata.name});
  look.status.last_schedule_time = kube::FormatTime(at);
  const auto parsed = model::ParseEtcdBackup(made->json());
  const bool is_known = std::any_of(look.backups.begin(), look.backups.end(),
                                    [&](const auto& b) { return b.metadata.uid == made->uid(); });
  if (parsed.ok() && !is_known) look.backups.push_back(*parsed);
  return absl::OkStatus();
}

}  // namespace etcd::backup_control
