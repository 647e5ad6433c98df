// List, watch and discovery.
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/kube/client.h"
#include "operator/kube/json_splitter.h"
#include "server/base/status.h"

namespace etcd::kube {
namespace {

// Of one page, and of one object in a watch. The store of Kubernetes refuses objects of more than
// 1.5 MiB; aggregated servers may give larger ones.
constexpr std::size_t kPageBytesMax = 64 << 20;
constexpr std::size_t kWatchObjectBytesMax = 16 << 20;
// How much longer than the server we wait for the end of a watch: a server that hangs, with a
// kernel that still answers, is only noticed by this.
constexpr std::chrono::seconds kWatchMargin{30};
constexpr int kPagesMax = 10'000;

using Parameters = std::vector<std::pair<std::string_view, std::string>>;

void AddSelectors(Parameters& parameters, const std::string& label, const std::string& field) {
  if (!label.empty()) parameters.emplace_back("labelSelector", label);
  if (!field.empty()) parameters.emplace_back("fieldSelector", field);
}

// Items of lists come without kind and apiVersion.
absl::Status TakeItems(const Resource& resource, Json& page, Object::Trim trim,
                       std::vector<Object>& into) {
  const auto items = page.find("items");
  if (items == page.end() || items->is_null()) return absl::OkStatus();
  if (!items->is_array()) return ApiError(ApiErrc::kBadAnswer, "a list whose items are none");
  for (Json& item : *items) {
    if (!item.is_object()) return ApiError(ApiErrc::kBadAnswer, "an item that is no object");
    item["kind"] = std::string(resource.kind);
    item["apiVersion"] = ApiVersionOf(resource);
    ASSIGN_OR_RETURN(Object object, Object::Make(std::move(item), trim));
    into.push_back(std::move(object));
  }
  return absl::OkStatus();
}

absl::Status StatusOfErrorEvent(const Json& object) {
  const std::int64_t code = IntAt(object, {"code"}).value_or(500);
  const bool is_error = code >= 300 && code < 600;
  return StatusOfAnswer(is_error ? static_cast<int>(code) : 500, DumpJson(object), std::nullopt);
}

absl::StatusOr<WatchEvent> ParseWatchEvent(std::string_view text, Object::Trim trim) {
  ASSIGN_OR_RETURN(Json json, ParseJson(text));
  const std::string type(TextAt(json, {"type"}));
  const auto object = json.find("object");
  if (object == json.end() || !object->is_object()) {
    return ApiError(ApiErrc::kBadAnswer, "a watch event without an object");
  }
  if (type == "ERROR") return StatusOfErrorEvent(*object);
  WatchEvent event;
  event.resource_version = TextAt(*object, {"metadata", "resourceVersion"});
  if (event.resource_version.empty()) {
    return ApiError(ApiErrc::kBadAnswer, "a watch event without a resourceVersion");
  }
  if (type == "BOOKMARK") {
    event.type = WatchEventType::kBookmark;
    return event;
  }
  if (type == "ADDED") {
    event.type = WatchEventType::kAdded;
  } else if (type == "MODIFIED") {
    event.type = WatchEventType::kModified;
  } else if (type == "DELETED") {
    event.type = WatchEventType::kDeleted;
  } else {
    return ApiError(ApiErrc::kBadAnswer,
                    fmt::format("a watch event of type {}", type.substr(0, 32)));
  }
  ASSIGN_OR_RETURN(event.object, Object::Make(std::move(*object), trim));
  return event;
}

int LeadingNumber(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

HttpRequest GetRequest(std::string target) {
  HttpRequest request;
  request.method = "GET";
  request.target = std::move(target);
  request.answer_bytes_max = kPageBytesMax;
  return request;
}

}  // namespace

absl::StatusOr<ObjectList> Client::ListAll(const Resource& resource, const ListOptions& options,
                                           std::int64_t page_size, const CallOptions& call) {
  ObjectList list;
  std::string next_page;
  for (int page = 0; page < kPagesMax; ++page) {
    Parameters parameters;
    if (page_size > 0) parameters.emplace_back("limit", std::to_string(page_size));
    if (!next_page.empty()) parameters.emplace_back("continue", next_page);
    AddSelectors(parameters, options.label_selector, options.field_selector);
    HttpRequest request = GetRequest(PathOf(resource, {options.ns, ""}) + QueryOf(parameters));
    ASSIGN_OR_RETURN(const std::string body, Call(resource, std::move(request), true, call));
    ASSIGN_OR_RETURN(Json json, ParseJson(body));
    list.resource_version = TextAt(json, {"metadata", "resourceVersion"});
    next_page = TextAt(json, {"metadata", "continue"});
    if (list.resource_version.empty()) {
      return ApiError(ApiErrc::kBadAnswer, "a list without a resourceVersion");
    }
    RETURN_IF_ERROR(TakeItems(resource, json, options.trim, list.items));
    if (next_page.empty()) return list;
  }
  return ApiError(ApiErrc::kTooLarge, "a list that does not end");
}

absl::StatusOr<ObjectList> Client::List(const Resource& resource, const ListOptions& options,
                                        const CallOptions& call) {
  absl::StatusOr<ObjectList> list = ListAll(resource, options, options.page_size, call);
  if (list.ok() || !Is(list.status(), ApiErrc::kExpired)) return list;
  return ListAll(resource, options, 0, call);
}

absl::Status Client::Watch(const Resource& resource, const WatchOptions& options,
                           const WatchSink& sink, std::stop_token stop) {
  if (!Admit(true)) return ApiError(ApiErrc::kStopped, "stopped");
  Parameters parameters = {{"watch", "1"},
                           {"resourceVersion", options.resource_version},
                           {"allowWatchBookmarks", "true"},
                           {"timeoutSeconds", std::to_string(options.timeout.count())}};
  AddSelectors(parameters, options.label_selector, options.field_selector);
  HttpRequest request = GetRequest(PathOf(resource, {options.ns, ""}) + QueryOf(parameters));
  request.timeout = options.timeout + kWatchMargin;
  ASSIGN_OR_RETURN(request.credential, credentials_.Current(clock_));
  JsonSplitter splitter(kWatchObjectBytesMax);
  const JsonSplitter::Sink on_object = [&](std::string_view text) -> absl::Status {
    ASSIGN_OR_RETURN(WatchEvent event, ParseWatchEvent(text, options.trim));
    return sink(std::move(event));
  };
  const auto begin = clock_.Now();
  const absl::StatusOr<HttpAnswer> answer = transport_.Stream(
      request, [&](std::string_view bytes) { return splitter.Feed(bytes, on_object); },
      std::move(stop));
  if (options_.observer != nullptr) {
    options_.observer->OnRequest("WATCH", resource, answer.ok() ? answer->code : 0,
                                 clock_.Now() - begin);
  }
  RETURN_IF_ERROR(answer.status());
  const absl::Status status = StatusOfAnswer(answer->code, answer->body, answer->retry_after);
  if (Is(status, ApiErrc::kUnauthorized)) credentials_.Refuse(request.credential);
  RETURN_IF_ERROR(status);
  if (!splitter.empty()) return ApiError(ApiErrc::kNoAnswer, "the watch ended within an event");
  return absl::OkStatus();
}

absl::StatusOr<ServerVersion> Client::Version() {
  constexpr Resource kVersionPath{"", "", "version", "Version", false};
  ASSIGN_OR_RETURN(const std::string body, Call(kVersionPath, GetRequest("/version"), true, {}));
  ASSIGN_OR_RETURN(const Json json, ParseJson(body));
  return ServerVersion{LeadingNumber(TextAt(json, {"major"})),
                       LeadingNumber(TextAt(json, {"minor"}))};
}

absl::StatusOr<bool> Client::Serves(const Resource& resource) {
  const std::string target = resource.group.empty()
                                 ? fmt::format("/api/{}", resource.version)
                                 : fmt::format("/apis/{}/{}", resource.group, resource.version);
  const absl::StatusOr<std::string> body = Call(resource, GetRequest(target), true, {});
  if (Is(body.status(), ApiErrc::kNotFound)) return false;
  RETURN_IF_ERROR(body.status());
  ASSIGN_OR_RETURN(const Json json, ParseJson(*body));
  const Json* kinds = Find(json, {"resources"});
  if (kinds == nullptr || !kinds->is_array()) return false;
  for (const Json& kind : *kinds) {
    if (TextAt(kind, {"name"}) == resource.plural) return true;
  }
  return false;
}

}  // namespace etcd::kube
