#include "operator/kube/json.h"

#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/kube/api_error.h"
#include "operator/kube/json_splitter.h"

namespace etcd::kube {

absl::StatusOr<Json> ParseJson(std::string_view text) {
  // The splitter looks at nesting only; the parser then at everything else.
  std::size_t values = 0;
  JsonSplitter splitter(text.size());
  const absl::Status shape = splitter.Feed(text, [&values](std::string_view) {
    ++values;
    return absl::OkStatus();
  });
  if (!shape.ok()) return shape;
  if (values != 1 || !splitter.empty()) {
    return ApiError(ApiErrc::kBadAnswer, "the answer is not one JSON object");
  }
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return ApiError(ApiErrc::kBadAnswer, "the answer is not JSON");
  return json;
}

std::string DumpJson(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const Json* Find(const Json& json, JsonPath path) {
  const Json* at = &json;
  for (const std::string_view step : path) {
    if (!at->is_object()) return nullptr;
    const auto found = at->find(step);
    if (found == at->end()) return nullptr;
    at = &*found;
  }
  return at;
}

std::string_view TextAt(const Json& json, JsonPath path) {
  const Json* found = Find(json, path);
  if (found == nullptr || !found->is_string()) return {};
  return found->get_ref<const std::string&>();
}

std::optional<std::int64_t> IntAt(const Json& json, JsonPath path) {
  const Json* found = Find(json, path);
  if (found == nullptr || !found->is_number_integer()) return std::nullopt;
  if (found->is_number_unsigned() &&
      found->get<std::uint64_t>() >
          static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return std::nullopt;
  }
  return found->get<std::int64_t>();
}

bool BoolAt(const Json& json, JsonPath path) {
  const Json* found = Find(json, path);
  return found != nullptr && found->is_boolean() && found->get<bool>();
}

}  // namespace etcd::kube
