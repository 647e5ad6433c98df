#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/functional/any_invocable.h>

#include "server/base/rope.h"

// What a plain HTTP request (health, metrics, version, JSON gateway, v2) looks like to its handler.
namespace etcd::base {

struct HttpRequest {
  std::string method;  // "GET"
  std::string target;  // as received: path and query
  std::string path;    // target without the query, not decoded
  std::string query;   // after '?', without it
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;                                          // whole body, limited by the transport
  std::string peer;
  bool is_tls = false;

  // First value of a header (lower-case name), or "".
  std::string_view Header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return {};
  }
};

// The answer, in order: Begin, any number of Write, End. Thread-safe; does nothing once the client
// has gone. A body of unknown length goes out chunked (HTTP/1.1) or as DATA (HTTP/2).
class HttpResponder {
 public:
  virtual ~HttpResponder() = default;
  virtual void Begin(int status, std::vector<std::pair<std::string, std::string>> headers) = 0;
  virtual void Write(Rope bytes) = 0;
  virtual void End() = 0;
  // Calls back once (any thread) when the client is gone or the answer complete.
  virtual void OnGone(std::function<void()> gone) = 0;

  // A whole answer with Content-Length.
  virtual void Reply(int status, std::vector<std::pair<std::string, std::string>> headers,
                     std::string body) = 0;

  // As in StreamSink. A writer that does not look and whose client does not read is cut off at a
  // bound of the transport.
  virtual std::size_t PendingBytes() const { return 0; }
  virtual void NotifyWhenBelow(std::size_t /*bytes*/, absl::AnyInvocable<void()> ready) { ready(); }
};
using HttpResponderPtr = std::shared_ptr<HttpResponder>;

// Thread-safe; called on the loop thread of the connection, must not block.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  virtual void Start(HttpRequest request, HttpResponderPtr responder) = 0;
};

}  // namespace etcd::base
