#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "operator/kube/controller.h"
#include "operator/kube/times.h"
#include "operator/model/shared.h"

// How controllers tell what is the case.
namespace etcd::backup_control {

// Sets the condition of this type; its time changes only when the status flips. True when it did,
// or when there was none and it is True now.
bool SetCondition(std::vector<model::Condition>& conditions, std::string_view type,
                  model::ConditionStatus status, std::string_view reason,
                  const std::string& message, std::int64_t generation, const std::string& now);

const model::Condition* FindCondition(const std::vector<model::Condition>& conditions,
                                      std::string_view type);

// Server-side apply of the whole status.
absl::Status ApplyStatus(kube::Client& client, const kube::Resource& resource,
                         const kube::Object& object, const kube::Json& status,
                         std::string_view manager);

struct Happening {
  std::string_view reason;
  std::string_view action;
  std::string note;
  bool is_warning = false;
};
void Tell(const kube::ControllerContext& context, const kube::Object& object,
          const Happening& happening);

// Nothing for an empty or wrong text.
std::optional<kube::WallTime> TimeOf(const std::optional<model::Time>& text);

// The key of the object's controlling owner of this kind, if it has one.
std::vector<kube::WorkKey> KeysOfOwner(const kube::Change& change, std::string_view kind);
// The object itself, unless it changed in its status only.
std::vector<kube::WorkKey> KeysOfSelf(const kube::Change& change, std::string_view kind);

}  // namespace etcd::backup_control
