#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>

#include "server/api/v3/core.h"
#include "server/api/v3/leader_guard.h"
#include "server/base/call.h"

// What every call passes before its handler (v3-api.md 2.2), once for all: capability, learner,
// client API version, leader.
namespace etcd::api::v3 {

// What a learner serves.
enum class LearnerRule : std::uint8_t { kRefuse, kServe, kServeSerializableRange };

// A handler's method with its receiver bound.
using UnaryFunction =
    absl::AnyInvocable<void(base::CallContextPtr, std::string_view, base::UnaryDone) const>;
using OpenFunction = absl::AnyInvocable<std::unique_ptr<base::StreamHandler>(
    base::CallContextPtr, base::StreamSinkPtr) const>;

class Interceptor {
 public:
  Interceptor(const Core& core, std::shared_ptr<LeaderGuard> guard)
      : core_(core), guard_(std::move(guard)) {}

  // `request` is looked at for kServeSerializableRange only.
  absl::Status Check(const base::CallContext& context, LearnerRule rule, bool is_stream,
                     std::string_view request) const;
  // A stream that asked for a leader is ended when the member loses it.
  void GuardStream(const base::CallContext& context, const base::StreamSinkPtr& sink) const;

 private:
  const Core& core_;
  std::shared_ptr<LeaderGuard> guard_;
};

// Adds an intercepted method to the table. `interceptor` outlives it.
void AddUnary(base::MethodTable& table, const Interceptor& interceptor, std::string path,
              UnaryFunction function, LearnerRule rule = LearnerRule::kRefuse);
void AddStream(base::MethodTable& table, const Interceptor& interceptor, std::string path,
               base::MethodEntry::Kind kind, OpenFunction open,
               LearnerRule rule = LearnerRule::kRefuse);

}  // namespace etcd::api::v3
