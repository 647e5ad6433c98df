#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

// What the client needs of HTTP, so that tests run it without sockets.
namespace etcd::kube {

// What proves who we are, and whom we trust. Immutable; a change makes a new one. Never logged.
struct Credential {
  std::string ca_pem{};  // empty: the system's trusted roots
  std::string client_cert_pem{};
  std::string client_key_pem{};
  std::string token{};  // sent as a bearer token when not empty
  bool operator==(const Credential&) const = default;
};

struct HttpRequest {
  std::string method{};
  std::string target{};        // path and query, percent-encoded
  std::string content_type{};  // of the body; empty without one
  std::string body{};
  std::shared_ptr<const Credential> credential;
  std::chrono::milliseconds timeout{0};  // of the whole exchange; must be positive
  std::size_t answer_bytes_max = 0;      // after decompression
};

struct HttpAnswer {
  int code = 0;
  std::optional<std::chrono::seconds> retry_after{};
  std::string body{};
};

// Pieces of a body as they come. An error ends the exchange and is what Stream returns.
using ByteSink = std::function<absl::Status(std::string_view bytes)>;

// Blocking. Thread-safe. Errors are of ApiErrc: kNotSent when the request cannot have been
// executed, kNoAnswer, kTooLarge, kStopped; an answer of any code is no error.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;

  virtual absl::StatusOr<HttpAnswer> Send(const HttpRequest& request, std::stop_token stop) = 0;

  // The body of an answer 200 goes to `sink`, on this thread; that of any other into the result.
  // `answer_bytes_max` bounds the latter only.
  virtual absl::StatusOr<HttpAnswer> Stream(const HttpRequest& request, const ByteSink& sink,
                                            std::stop_token stop) = 0;
};

}  // namespace etcd::kube
