#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include <absl/status/status.h>

namespace etcd::kube {

// What came of a request to the API server, as far as a caller acts on it. Code branches on this,
// never on a text.
enum class ApiErrc : std::uint8_t {
  kNotFound,
  kAlreadyExists,
  kConflict,      // another resourceVersion or uid than demanded
  kInvalid,       // 400, 415, 422: our mistake, or an older server
  kUnauthorized,  // 401, also after the credentials were read again
  kForbidden,
  kExpired,                  // 410: that resourceVersion or continue token is gone
  kResourceVersionTooLarge,  // the answering server has not got that far yet
  kTooManyRequests,
  kUnavailable,   // 503, and 504 for another cause
  kServerError,   // other 5xx
  kNotSent,       // no connection: the request was not executed
  kNoAnswer,      // connection lost or deadline passed: the outcome is unknown
  kBadAnswer,     // not what the API promises
  kTooLarge,      // an answer beyond our bound
  kForeignOwner,  // an object of this name exists and is not ours
  kStopped,       // the caller's stop was requested; the outcome is unknown
  kOther,
};

absl::Status ApiError(ApiErrc errc, std::string_view message);

// Nothing for OK and for a status that ApiError did not make.
std::optional<ApiErrc> ApiErrcOf(const absl::Status& status);
inline bool Is(const absl::Status& status, ApiErrc errc) { return ApiErrcOf(status) == errc; }

// How long the server asked to wait.
std::optional<std::chrono::seconds> RetryAfterOf(const absl::Status& status);

// OK for 2xx. `body` is a metav1.Status when the API server made the answer, anything when a proxy
// did. `retry_after` is the header's; without it the body's details count.
absl::Status StatusOfAnswer(int http_code, std::string_view body,
                            std::optional<std::chrono::seconds> retry_after);

// The outcome of the request is unknown: it may have been executed.
bool IsOutcomeUnknown(const absl::Status& status);

}  // namespace etcd::kube
