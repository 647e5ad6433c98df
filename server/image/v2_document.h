#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "server/membership/member.h"

namespace etcd::image {

// The membership as the v2 store of a .snap file or snapshot message has it: etcd 3.4 and 3.5
// believe this and not the backend.
std::string RenderV2Document(const membership::View& view);

// The way back; without the downgrade, which the v2 store does not know.
absl::StatusOr<membership::View> ParseV2Document(std::string_view text);

}  // namespace etcd::image
