#pragma once

#include <array>
#include <string_view>

#include <absl/status/status.h>

#include "server/metrics/registry.h"

namespace etcd::metrics {

// The counters of one gRPC method (server-surface.md 7.5), all at 0 from the start.
class GrpcMethodMetrics {
 public:
  // `path` is "/package.Service/Method"; `type` is unary, client_stream, server_stream or
  // bidi_stream. `extensive` adds the histogram of durations.
  GrpcMethodMetrics(Registry& registry, std::string_view path, std::string_view type,
                    bool extensive);

  void Started() { started_.Add(); }
  void Handled(absl::StatusCode code, double seconds) {
    const auto index = static_cast<std::size_t>(code);
    handled_[index < handled_.size() ? index : static_cast<std::size_t>(absl::StatusCode::kUnknown)]
        ->Add();
    if (handling_ != nullptr) handling_->Observe(seconds);
  }
  void MessageReceived() { received_.Add(); }
  void MessageSent() { sent_.Add(); }

  static constexpr std::size_t kCodes = 17;

 private:
  Counter& started_;
  Counter& received_;
  Counter& sent_;
  std::array<Counter*, kCodes> handled_;
  Histogram* handling_ = nullptr;
};

}  // namespace etcd::metrics
