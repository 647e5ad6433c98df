#pragma once

#include <string_view>

namespace etcd::image {

// In a data directory: a restore is at work here, or was killed. It becomes `member` as the last
// step; until then no server starts on the directory.
inline constexpr std::string_view kRestoringName = "member.restoring";

}  // namespace etcd::image
