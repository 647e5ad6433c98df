#pragma once

#include <string_view>

namespace etcd::base {

// RFC 3629: no overlong forms, no surrogates, at most U+10FFFF.
bool IsValidUtf8(std::string_view text);

}  // namespace etcd::base
