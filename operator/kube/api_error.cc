#include "operator/kube/api_error.h"

#include <algorithm>
#include <charconv>
#include <string>

#include <absl/strings/cord.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/kube/json.h"
#include "server/base/status.h"

namespace etcd::kube {
namespace {

// Payloads of a status: the ApiErrc as one byte; seconds in decimal.
constexpr char kErrcUrl[] = "kube/errc";
constexpr char kRetryAfterUrl[] = "kube/retry-after";
// Of a message that is not from the API server, say a proxy's page.
constexpr std::size_t kForeignTextMax = 200;
constexpr std::chrono::seconds kRetryAfterMax{3600};

absl::StatusCode CodeOf(ApiErrc errc) {
  switch (errc) {
    case ApiErrc::kNotFound:
      return absl::StatusCode::kNotFound;
    case ApiErrc::kAlreadyExists:
    case ApiErrc::kForeignOwner:
      return absl::StatusCode::kAlreadyExists;
    case ApiErrc::kConflict:
      return absl::StatusCode::kAborted;
    case ApiErrc::kInvalid:
      return absl::StatusCode::kInvalidArgument;
    case ApiErrc::kUnauthorized:
      return absl::StatusCode::kUnauthenticated;
    case ApiErrc::kForbidden:
      return absl::StatusCode::kPermissionDenied;
    case ApiErrc::kExpired:
    case ApiErrc::kResourceVersionTooLarge:
      return absl::StatusCode::kOutOfRange;
    case ApiErrc::kTooManyRequests:
    case ApiErrc::kTooLarge:
      return absl::StatusCode::kResourceExhausted;
    case ApiErrc::kUnavailable:
    case ApiErrc::kNotSent:
    case ApiErrc::kNoAnswer:
      return absl::StatusCode::kUnavailable;
    case ApiErrc::kStopped:
      return absl::StatusCode::kCancelled;
    case ApiErrc::kServerError:
    case ApiErrc::kBadAnswer:
    case ApiErrc::kOther:
      break;
  }
  return absl::StatusCode::kUnknown;
}

bool HasCause(const Json& body, std::string_view reason) {
  const Json* causes = Find(body, {"details", "causes"});
  if (causes == nullptr || !causes->is_array()) return false;
  return std::ranges::any_of(
      *causes, [&](const Json& cause) { return TextAt(cause, {"reason"}) == reason; });
}

ApiErrc ErrcOfAnswer(int http_code, const Json& body) {
  const std::string_view reason = TextAt(body, {"reason"});
  switch (http_code) {
    case 400:
    case 405:
    case 406:
    case 413:
    case 415:
    case 422:
      return ApiErrc::kInvalid;
    case 401:
      return ApiErrc::kUnauthorized;
    case 403:
      return ApiErrc::kForbidden;
    case 404:
      return ApiErrc::kNotFound;
    case 409:
      return reason == "AlreadyExists" ? ApiErrc::kAlreadyExists : ApiErrc::kConflict;
    case 410:
      return ApiErrc::kExpired;
    case 429:
      return ApiErrc::kTooManyRequests;
    case 504:
      if (HasCause(body, "ResourceVersionTooLarge")) return ApiErrc::kResourceVersionTooLarge;
      return ApiErrc::kUnavailable;
    case 503:
      return ApiErrc::kUnavailable;
    default:
      break;
  }
  if (reason == "Expired" || reason == "Gone") return ApiErrc::kExpired;
  return http_code >= 500 ? ApiErrc::kServerError : ApiErrc::kOther;
}

std::string MessageOfAnswer(int http_code, const absl::StatusOr<Json>& body,
                            std::string_view text) {
  if (body.ok()) {
    const std::string_view message = TextAt(*body, {"message"});
    if (!message.empty()) return std::string(message);
  }
  std::string shown(text.substr(0, kForeignTextMax));
  std::ranges::replace_if(
      shown, [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, ' ');
  return fmt::format("HTTP {}: {}", http_code, shown);
}

}  // namespace

absl::Status ApiError(ApiErrc errc, std::string_view message) {
  absl::Status status = base::MakeStatus(CodeOf(errc), message);
  status.SetPayload(kErrcUrl, absl::Cord(std::string(1, static_cast<char>(errc))));
  return status;
}

std::optional<ApiErrc> ApiErrcOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kErrcUrl);
  if (!payload.has_value() || payload->size() != 1) return std::nullopt;
  return static_cast<ApiErrc>(static_cast<std::uint8_t>((*payload)[0]));
}

std::optional<std::chrono::seconds> RetryAfterOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kRetryAfterUrl);
  if (!payload.has_value()) return std::nullopt;
  const std::string text(*payload);
  std::int64_t seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return std::chrono::seconds(seconds);
}

absl::Status StatusOfAnswer(int http_code, std::string_view body,
                            std::optional<std::chrono::seconds> retry_after) {
  if (http_code >= 200 && http_code < 300) return absl::OkStatus();
  const absl::StatusOr<Json> json = ParseJson(body);
  const ApiErrc errc = ErrcOfAnswer(http_code, json.ok() ? *json : Json());
  absl::Status status = ApiError(errc, MessageOfAnswer(http_code, json, body));
  if (!retry_after.has_value() && json.ok()) {
    const std::optional<std::int64_t> seconds = IntAt(*json, {"details", "retryAfterSeconds"});
    if (seconds.has_value() && *seconds > 0) {
      retry_after = std::chrono::seconds(std::min<std::int64_t>(*seconds, kRetryAfterMax.count()));
    }
  }
  if (retry_after.has_value()) {
    const auto bounded = std::min(*retry_after, kRetryAfterMax);
    status.SetPayload(kRetryAfterUrl, absl::Cord(std::to_string(bounded.count())));
  }
  return status;
}

bool IsOutcomeUnknown(const absl::Status& status) {
  switch (ApiErrcOf(status).value_or(ApiErrc::kOther)) {
    case ApiErrc::kNoAnswer:
    case ApiErrc::kStopped:
    case ApiErrc::kServerError:
    case ApiErrc::kUnavailable:
    case ApiErrc::kBadAnswer:
    case ApiErrc::kTooLarge:
      return true;
    default:
      return false;
  }
}

}  // namespace etcd::kube
