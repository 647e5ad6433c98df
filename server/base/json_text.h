#pragma once

#include <string>
#include <string_view>

namespace etcd::base {

// Appends `text` as a JSON string with its quotes: what JSON demands is escaped, the rest is as it
// is.
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace etcd::base
