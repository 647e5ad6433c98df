#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "server/api/v3/core.h"
#include "server/base/call.h"

namespace etcd::api::v3 {

// "3.5" or "3.5.4-rc" -> "3.5.0"; kWrongDowngradeVersionFormat.
absl::StatusOr<std::string> ParseDowngradeTarget(std::string_view version);

// Maintenance.Downgrade (v3-api.md 7.8): 1 action, 2 version. VALIDATE asks only, ENABLE and CANCEL
// go through the log; the leader then lowers the cluster version.
void Downgrade(const Core& core, const base::CallContextPtr& context, std::string_view request,
               base::UnaryDone done);

}  // namespace etcd::api::v3
