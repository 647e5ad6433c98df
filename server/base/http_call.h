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

// Takes the body of a request as it comes. Called on the loop thread of the connection, one call at
// a time, and not any more once the client is gone or the answer complete.
class HttpBodyReader {
 public:
  virtual ~HttpBodyReader() = default;
  virtual void OnBody(std::string_view bytes) = 0;
  virtual void OnBodyEnd() = 0;
};

// Thread-safe; called on the loop thread of the connection, must not block.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  virtual void Start(HttpRequest request, HttpResponderPtr responder) = 0;

  // Asked when the head of a request is there, for those whose body is not to be waited for. If so,
  // StartStreaming is called (with an empty body) in place of Start, and the body, of any length,
  // goes to what it returns while the answer is written. A request for a WebSocket (HTTP/1.1 only)
  // that is answered with 101: what follows on the connection is the body, and what is written
  // after the head goes out as it is.
  virtual bool Streams(const HttpRequest& /*request*/) const { return false; }
  virtual std::shared_ptr<HttpBodyReader> StartStreaming(HttpRequest /*request*/,
                                                         HttpResponderPtr /*responder*/) {
    return nullptr;
  }
};

}  // namespace etcd::base
