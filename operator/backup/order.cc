#include "operator/backup/order.h"

#include <algorithm>
#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "operator/backup/naming.h"
#include "operator/kube/json.h"
#include "operator/model/group.h"
#include "server/base/status.h"

namespace etcd::backup {
namespace {

using kube::Json;

constexpr std::array<std::string_view, 2> kKindNames = {"Backup", "Delete"};
constexpr std::array<std::string_view, 3> kStageNames = {"snapshot", "verify", "store"};
constexpr std::size_t kMessageMax = 1500;
constexpr std::size_t kMessageLeast = 50;

absl::Status Invalid(std::string_view why) {
  return base::MakeStatus(absl::StatusCode::kInvalidArgument, why);
}

// Carries a schedule's retention through JSON.
Json RetentionToJson(const model::Retention& retention) {
  model::EtcdBackupScheduleSpec spec;
  spec.retention = retention;
  return model::ToJson(spec)["retention"];
}

absl::StatusOr<model::Retention> RetentionFromJson(const Json& json) {
  ASSIGN_OR_RETURN(const model::EtcdBackupSchedule carrier,
                   model::ParseEtcdBackupSchedule({{"apiVersion", model::kApiVersion},
                                                   {"kind", model::EtcdBackupSchedule::kKind},
                                                   {"spec", {{"retention", json}}}}));
  return carrier.spec.retention;
}

std::string Cut(const std::string& text, std::size_t max) {
  if (text.size() <= max) return text;
  std::size_t end = max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
    --end;  // of a character
  return text.substr(0, end) + "...";
}

}  // namespace

std::string_view ToText(Stage stage) { return kStageNames[static_cast<std::size_t>(stage)]; }

std::optional<Stage> ParseStage(std::string_view text) {
  const auto* const name = std::find(kStageNames.begin(), kStageNames.end(), text);
  if (name == kStageNames.end()) return {};
  return static_cast<Stage>(name - kStageNames.begin());
}

std::string WriteOrder(const Order& order) {
  Json json = {{"kind", kKindNames[static_cast<std::size_t>(order.kind)]},
               {"backup", model::ToJson(order.backup)},
               {"endpoints", order.endpoints}};
  if (order.schedule) {
    json["schedule"] = {{"name", order.schedule->name}, {"uid", order.schedule->uid}};
  }
  if (order.retention) json["retention"] = RetentionToJson(*order.retention);
  return kube::DumpJson(json);
}

absl::StatusOr<Order> ParseOrder(std::string_view text) {
  ASSIGN_OR_RETURN(const Json json, kube::ParseJson(text));
  Order order;
  const auto* const kind =
      std::find(kKindNames.begin(), kKindNames.end(), kube::TextAt(json, {"kind"}));
  if (kind == kKindNames.end()) return Invalid("an order without a kind");
  order.kind = static_cast<OrderKind>(kind - kKindNames.begin());
  const Json* const backup = kube::Find(json, {"backup"});
  if (backup == nullptr) return Invalid("an order without a backup");
  ASSIGN_OR_RETURN(order.backup, model::ParseEtcdBackup(*backup));
  if (const Json* const endpoints = kube::Find(json, {"endpoints"})) {
    for (const Json& endpoint : *endpoints) {
      if (!endpoint.is_string()) return Invalid("an endpoint that is no text");
      order.endpoints.push_back(endpoint.get<std::string>());
    }
  }
  if (kube::Find(json, {"schedule"}) != nullptr) {
    order.schedule = Identity{.name = std::string(kube::TextAt(json, {"schedule", "name"})),
                              .uid = std::string(kube::TextAt(json, {"schedule", "uid"}))};
  }
  if (const Json* const retention = kube::Find(json, {"retention"})) {
    ASSIGN_OR_RETURN(order.retention, RetentionFromJson(*retention));
  }
  return order;
}

std::string WriteRestoreOrder(const RestoreOrder& order) {
  return kube::DumpJson({{"trial", order.is_trial},
                         {"member", model::ToJson(order.member)},
                         {"peerURL", order.peer_url},
                         {"token", order.token},
                         {"dataDir", order.data_dir},
                         {"sha256", order.sha256}});
}

absl::StatusOr<RestoreOrder> ParseRestoreOrder(std::string_view text) {
  ASSIGN_OR_RETURN(const Json json, kube::ParseJson(text));
  const Json* const member = kube::Find(json, {"member"});
  if (member == nullptr) return Invalid("an order without a member");
  RestoreOrder order;
  order.is_trial = kube::BoolAt(json, {"trial"});
  order.peer_url = kube::TextAt(json, {"peerURL"});
  order.token = kube::TextAt(json, {"token"});
  order.data_dir = kube::TextAt(json, {"dataDir"});
  order.sha256 = kube::TextAt(json, {"sha256"});
  ASSIGN_OR_RETURN(order.member, model::ParseEtcdMember(*member));
  const bool has_target = !order.data_dir.empty() && !order.peer_url.empty();
  if (!order.member.spec.restore_from || !(order.is_trial || has_target)) {
    return Invalid("an order that does not say what to restore and where to");
  }
  return order;
}

std::string WriteReport(const Report& report) {
  Json json = model::ToJson(
      model::EtcdBackupStatus{.artifact = report.artifact, .verification = report.verification});
  json["ok"] = report.is_ok;
  json["final"] = report.is_final;
  json["reason"] = report.reason;
  json["pruned"] = report.pruned;
  json["restoredRevision"] = report.restored_revision;
  // What is cut off from a termination message would make it no JSON any more.
  std::string text;
  for (std::size_t max = kMessageMax; max >= kMessageLeast; max /= 2) {
    json["message"] = Cut(report.message, max);
    json["pruneProblem"] = Cut(report.prune_problem, max / 4);
    text = kube::DumpJson(json);
    if (text.size() <= kReportBytesMax) break;
  }
  return text;
}

absl::StatusOr<Report> ParseReport(std::string_view text) {
  const auto json = kube::ParseJson(text);
  if (!json.ok() || !json->is_object() || !json->contains("ok")) {
    return base::DataLoss("the worker ended without a report");
  }
  Json status = Json::object();
  for (const char* const field : {"artifact", "verification"}) {
    if (json->contains(field)) status[field] = (*json)[field];
  }
  const auto carrier = model::ParseEtcdBackup({{"apiVersion", model::kApiVersion},
                                               {"kind", model::EtcdBackup::kKind},
                                               {"status", std::move(status)}});
  if (!carrier.ok()) return base::DataLoss(base::MessageOf(carrier.status()));
  return Report{.is_ok = kube::BoolAt(*json, {"ok"}),
                .reason = std::string(kube::TextAt(*json, {"reason"})),
                .message = std::string(kube::TextAt(*json, {"message"})),
                .is_final = kube::BoolAt(*json, {"final"}),
                .artifact = carrier->status.artifact,
                .verification = carrier->status.verification,
                .pruned = kube::IntAt(*json, {"pruned"}).value_or(0),
                .prune_problem = std::string(kube::TextAt(*json, {"pruneProblem"})),
                .restored_revision = kube::IntAt(*json, {"restoredRevision"}).value_or(0)};
}

RetentionPolicy PolicyOf(const model::Retention& retention) {
  const auto seconds_of = [](const std::optional<model::Duration>& text) {
    std::optional<std::chrono::seconds> seconds;
    const auto parsed = text ? ParseDuration(*text) : std::nullopt;
    if (parsed) seconds = std::chrono::ceil<std::chrono::seconds>(*parsed);
    return seconds;
  };
  return {.keep_last = retention.keep_last,
          .keep_daily = retention.keep_daily.value_or(0),
          .keep_weekly = retention.keep_weekly.value_or(0),
          .keep_monthly = retention.keep_monthly.value_or(0),
          .max_age = seconds_of(retention.max_age),
          .min_keep = retention.min_keep,
          .unverified_max_age = seconds_of(retention.unverified_max_age)};
}

}  // namespace etcd::backup
