#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace etcd::base {

// RFC 4648, standard alphabet. Padded with '=' to a multiple of four letters, or not at all.
std::string EncodeBase64(std::string_view bytes, bool padded);

// Letters of the standard and of the URL alphabet, without padding; nullopt when there is anything
// else among them, or a lone letter at the end. Callers who take one alphabet only look first.
std::optional<std::string> DecodeBase64Letters(std::string_view letters);

}  // namespace etcd::base
