#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

namespace etcd::store {

// What is sent: the bytes [offset, offset + size) of something.
struct HttpBody {
  std::uint64_t size = 0;
  // Fills `out` from `offset` (from the body's start) on; fewer bytes than `size` are an error.
  std::function<absl::Status(std::uint64_t offset, char* out, std::size_t size)> read{};
};

// The text must outlive it.
HttpBody BodyOf(std::string_view text);

struct HttpReply {
  int code = 0;
  std::map<std::string, std::string> headers{};  // names in lower case
  std::string body{};
};

// Next bytes of an answer's body; `head` has its code and headers. An error ends the exchange.
using AnswerSink = std::function<absl::Status(const HttpReply& head, std::string_view bytes)>;

struct HttpCall {
  std::string method{};
  std::string url{};                   // encoded; sent as it is
  std::vector<std::string> headers{};  // "Name: value"
  const HttpBody* body = nullptr;      // null: none
  std::size_t answer_bytes_max = 64 * 1024;
  // Takes the body of an answer 200 or 206, which answer_bytes_max does not bound then.
  const AnswerSink* sink = nullptr;
};

struct HttpSettings {
  std::string user_agent{};
  std::string ca_pem{};  // empty: the system's trusted roots
  // An exchange that moves less than a byte a second for so long is given up.
  long stall_seconds = 60;
};

// HTTP/1.1 by libcurl with one connection that is kept. Blocking; not thread-safe. Redirects are
// not followed. Errors: kUnavailable when the exchange broke (it may have been executed),
// kFailedPrecondition with reason CertificateRefused when the peer cannot prove who it is,
// kDataLoss for an answer beyond the bounds, what the sink or body returned.
class HttpPeer {
 public:
  explicit HttpPeer(HttpSettings settings);
  ~HttpPeer();
  HttpPeer(const HttpPeer&) = delete;
  HttpPeer& operator=(const HttpPeer&) = delete;

  absl::StatusOr<HttpReply> Send(const HttpCall& call);

 private:
  struct Exchange;
  void Prepare(Exchange& exchange);

  const HttpSettings settings_;
  void* const easy_;  // CURL*
};

}  // namespace etcd::store
