#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

// Times of the API, always in UTC.
namespace etcd::kube {

using WallTime = std::chrono::system_clock::time_point;

// metav1.Time: "2026-11-21T16:05:00Z".
std::string FormatTime(WallTime time);
// metav1.MicroTime: "2026-11-21T16:05:00.123456Z".
std::string FormatMicroTime(WallTime time);
// Either, with any fraction, "Z" or an offset.
absl::StatusOr<WallTime> ParseTime(std::string_view text);

}  // namespace etcd::kube
