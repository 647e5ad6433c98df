#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "operator/backup_control/names.h"
#include "operator/backup_control/report.h"
#include "operator/kube/controller.h"
#include "server/base/status.h"

namespace etcd::backup_control {

// An object while it is looked at. `status` is written at the end when it differs from the model's.
template <class ModelType>
struct ObjectLook {
  using Model = ModelType;
  kube::Object object{};
  Model model{};
  decltype(Model::status) status{};
  kube::WallTime now{};
  std::string now_text{};
};

// What the controllers of this folder have in common: read the object, decide, write its status.
// `Look` is an ObjectLook with what else the controller keeps during one look.
template <class Look>
class ObjectController : public kube::Controller {
 public:
  using Model = typename Look::Model;

  std::string_view kind() const final { return Model::kKind; }

  kube::WorkQueue::Result Reconcile(const kube::WorkKey& key, const std::stop_token&) final {
    const auto object = context_.client.Get(resource_, {key.ns, key.name});
    if (kube::Is(object.status(), kube::ApiErrc::kNotFound)) {
      Gone({key.ns, key.name});
      return {};
    }
    if (!object.ok()) return {object.status(), {}};
    auto parsed = parse_(object->json());
    if (!parsed.ok()) {
      Tell(context_, *object,
           {"SpecInvalid", "Read", std::string(base::MessageOf(parsed.status())), true});
      return {};
    }
    if (!context_.may_act(kCallTimeout)) return {absl::OkStatus(), kPollFollower};
    Look look;
    look.object = *object;
    look.status = parsed->status;
    look.model = *std::move(parsed);
    look.now = context_.clock.WallNow();
    look.now_text = kube::FormatTime(look.now);
    if (object->is_deleting()) return Delete(look);
    const Result result = Act(look);
    const absl::Status written = WriteStatus(look);
    return result.status.ok() && !written.ok() ? Result{written, {}} : result;
  }

 protected:
  using Result = kube::WorkQueue::Result;
  using Parse = absl::StatusOr<Model> (*)(const kube::Json&);

  ObjectController(const kube::ControllerContext& context, const kube::Resource& resource,
                   Parse parse)
      : context_(context), resource_(resource), parse_(parse) {}

  // At most one step; what is to be known of it goes into `look.status`.
  virtual Result Act(Look& look) = 0;
  // It is going to be deleted.
  virtual Result Delete(Look& /*look*/) { return {}; }
  virtual void Gone(const kube::ObjectKey& /*key*/) {}

  // Before a step that must not be done without being written down, and at the end.
  absl::Status WriteStatus(Look& look) {
    if (look.status == look.model.status) return absl::OkStatus();
    RETURN_IF_ERROR(
        ApplyStatus(context_.client, resource_, look.object, ToJson(look.status), kStatusManager));
    look.model.status = look.status;
    return absl::OkStatus();
  }

  void SetReady(Look& look, model::ConditionStatus status, std::string_view reason,
                const std::string& message) {
    SetCondition(look.status.conditions, "Ready", status, reason, message,
                 look.model.metadata.generation, look.now_text);
  }

  const kube::ControllerContext context_;

 private:
  static constexpr std::chrono::nanoseconds kCallTimeout = std::chrono::seconds(3);
  static constexpr std::chrono::seconds kPollFollower{5};

  const kube::Resource resource_;
  const Parse parse_;
};

}  // namespace etcd::backup_control
