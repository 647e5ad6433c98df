#pragma once

#include <string>
#include <string_view>

namespace etcd::base {

// One gzip member with `bytes`, compressed fast rather than well.
std::string Gzip(std::string_view bytes);

}  // namespace etcd::base
