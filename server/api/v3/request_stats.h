#pragma once

#include <chrono>
#include <string_view>

#include <absl/status/statusor.h>

#include "server/base/call.h"

namespace etcd::api::v3 {

// A unary call that is over.
struct UnaryReport {
  const base::CallContext& context;
  std::string_view request;                    // the message
  const absl::StatusOr<base::Body>& response;  // nothing of its source has been read
  std::chrono::system_clock::time_point start;
  std::chrono::nanoseconds took;
};

// The log line "request stats" (server-surface.md 7.8): at level debug when that is on, else a
// warning. Values of keys are given by their sizes; what etcd does not describe has -1 for every
// number.
void LogRequestStats(const UnaryReport& report);

}  // namespace etcd::api::v3
