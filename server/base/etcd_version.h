#pragma once

#include <string_view>

namespace etcd::base {

// The minor of "3.<minor>.<patch>"; -1 when it has another shape.
int MinorOf(std::string_view version);

}  // namespace etcd::base
