#include "operator/backup_control/report.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace etcd::backup_control {

using kube::Json;

const model::Condition* FindCondition(const std::vector<model::Condition>& conditions,
                                      std::string_view type) {
  const auto found = std::find_if(conditions.begin(), conditions.end(),
                                  [&](const model::Condition& c) { return c.type == type; });
  return found == conditions.end() ? nullptr : &*found;
}

bool SetCondition(std::vector<model::Condition>& conditions, std::string_view type,
                  model::ConditionStatus status, std::string_view reason,
                  const std::string& message, std::int64_t generation, const std::string& now) {
  auto found = std::find_if(conditions.begin(), conditions.end(),
                            [&](const model::Condition& c) { return c.type == type; });
  const bool is_new = found == conditions.end();
  if (is_new) {
    conditions.push_back({.type = std::string(type), .status = status});
    found = conditions.end() - 1;
  }
  const bool has_flipped =
      is_new ? status == model::ConditionStatus::kTrue : found->status != status;
  if (is_new || found->status != status) found->last_transition_time = now;
  found->status = status;
  found->reason = reason;
  found->message.reset();
  if (!message.empty()) found->message = message;
  found->observed_generation = generation;
  return has_flipped;
}

absl::Status ApplyStatus(kube::Client& client, const kube::Resource& resource,
                         const kube::Object& object, const Json& status, std::string_view manager) {
  const Json body = {{"apiVersion", kube::ApiVersionOf(resource)},
                     {"kind", resource.kind},
                     {"metadata", {{"name", object.name()}, {"namespace", object.ns()}}},
                     {"status", status}};
  return client.Apply(resource, body, "status", manager).status();
}

void Tell(const kube::ControllerContext& context, const kube::Object& object,
          const Happening& happening) {
  context.events.Record({.regarding = kube::ReferenceTo(object),
                         .is_warning = happening.is_warning,
                         .reason = std::string(happening.reason),
                         .action = std::string(happening.action),
                         .note = happening.note});
}

std::optional<kube::WallTime> TimeOf(const std::optional<model::Time>& text) {
  if (!text || text->empty()) return {};
  const auto time = kube::ParseTime(*text);
  return time.ok() ? std::optional(*time) : std::nullopt;
}

std::vector<kube::WorkKey> KeysOfOwner(const kube::Change& change, std::string_view kind) {
  const kube::Object& object = change.after ? change.after : change.before;
  const Json* const owners = kube::Find(object.json(), {"metadata", "ownerReferences"});
  if (owners == nullptr || !owners->is_array()) return {};
  for (const Json& owner : *owners) {
    if (kube::TextAt(owner, {"kind"}) == kind && kube::BoolAt(owner, {"controller"})) {
      return {{std::string(kind), object.ns(), std::string(kube::TextAt(owner, {"name"}))}};
    }
  }
  return {};
}

std::vector<kube::WorkKey> KeysOfSelf(const kube::Change& change, std::string_view kind) {
  const kube::Object& object = change.after ? change.after : change.before;
  if (change.before && change.after &&
      kube::IntAt(change.before.json(), {"metadata", "generation"}) ==
          kube::IntAt(change.after.json(), {"metadata", "generation"}) &&
      change.before.is_deleting() == change.after.is_deleting()) {
    return {};
  }
  return {{std::string(kind), object.ns(), object.name()}};
}

}  // namespace etcd::backup_control
