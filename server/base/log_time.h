#pragma once

#include <chrono>
#include <string>

namespace etcd::base {

// A time as log lines have it: local, six digits of a second, "Z" for UTC, else "+hhmm".
std::string FormatLogTime(std::chrono::system_clock::time_point time);

}  // namespace etcd::base
