#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <nlohmann/json_fwd.hpp>

// JSON of the API server, read without exceptions: nothing here throws whatever the bytes are.
namespace etcd::kube {

using Json = nlohmann::json;
using JsonPath = std::initializer_list<std::string_view>;

// Levels of nesting that are accepted. Copying and printing recurse, so that a hostile answer of a
// million brackets would end the process; objects of Kubernetes stay below 30.
inline constexpr std::size_t kJsonDepthMax = 200;

// One value and nothing behind it; otherwise an error of ApiErrc::kBadAnswer.
absl::StatusOr<Json> ParseJson(std::string_view text);

// Compact. Bytes that are no UTF-8 become U+FFFD.
std::string DumpJson(const Json& json);

// The value at the end of `path`; null when a step is missing or is no object.
const Json* Find(const Json& json, JsonPath path);

// Views into `json`; empty when there is no text at `path`.
std::string_view TextAt(const Json& json, JsonPath path);
// Nothing when there is no integer that fits.
std::optional<std::int64_t> IntAt(const Json& json, JsonPath path);
// False when there is no boolean.
bool BoolAt(const Json& json, JsonPath path);

}  // namespace etcd::kube
