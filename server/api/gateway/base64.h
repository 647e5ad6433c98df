#pragma once

#include <string>
#include <string_view>

namespace etcd::api::gateway {

// Standard alphabet, padded.
std::string EncodeBase64(std::string_view bytes);

// Either alphabet (not mixed), padding optional; line breaks are skipped. False when malformed.
bool DecodeBase64(std::string_view text, std::string& out);

}  // namespace etcd::api::gateway
