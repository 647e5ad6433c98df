#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

// Versions in headers (raft-peer-storage.md 3.3). Pure.
namespace etcd::rafthttp {

struct Version {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;

  auto operator<=>(const Version&) const = default;
};

// The first two numbers of "MAJOR.MINOR.PATCH[-pre][+meta]"; anything else is nullopt: Go peers
// refuse it too.
std::optional<Version> ParseVersion(std::string_view text);

// What a sender without the header counts as.
inline constexpr std::string_view kOldVersion = "2.0.0";
// The oldest cluster version that this protocol works with; all of Go's 3.x say the same.
inline constexpr std::string_view kMinClusterVersion = "3.0.0";

}  // namespace etcd::rafthttp
