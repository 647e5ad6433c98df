#include "server/base/ids.h"

#include <fmt/format.h>

namespace etcd::base {

std::string FormatHex(std::uint64_t value) { return fmt::format("{:x}", value); }

}  // namespace etcd::base
