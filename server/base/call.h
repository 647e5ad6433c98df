#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/base/clock.h"
#include "server/base/executor.h"
#include "server/base/rope.h"

// What an RPC looks like to its handler. No transport type appears here, so the gRPC transport, the
// JSON gateway and the simulation call the same handlers.
namespace etcd::base {

// Request metadata: lower-case keys in arrival order; values of "-bin" keys are decoded bytes.
class Metadata {
 public:
  void Add(std::string key, std::string value) {
    entries_.emplace_back(std::move(key), std::move(value));
  }
  // First value of the key, or nullopt.
  std::optional<std::string_view> Find(std::string_view key) const {
    for (const auto& [name, value] : entries_) {
      if (name == key) return std::string_view(value);
    }
    return std::nullopt;
  }
  const std::vector<std::pair<std::string, std::string>>& entries() const { return entries_; }

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

// One call, from its headers on. Shared between the transport and the handler, which may keep it
// after it answered. The fields are immutable after construction; cancellation is thread-safe.
struct CallContext {
  std::string_view path;  // "/etcdserverpb.KV/Put"; lives as long as the registered handler
  Metadata metadata;
  std::string peer;                          // "127.0.0.1:51234", for logs
  std::optional<Clock::Monotonic> deadline;  // from grpc-timeout
  std::string certificate_common_name;       // of the verified client leaf; "" without TLS
  // The loop of the connection: a handler that went on on another thread (after a read index)
  // posts its read there. Null: it goes on where it is.
  std::shared_ptr<Executor> executor;
  std::atomic<bool> canceled{false};  // the client went away, reset the stream, or time ran out
};
using CallContextPtr = std::shared_ptr<CallContext>;

// The rest of a unary response whose length is known before its bytes are read: a full list leaves
// the server as the client's flow control takes it. Used by one thread at a time.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // The next bytes, at least one; about `bytes_hint` of them. Empty exactly at the end. An error
  // aborts the stream (the length is already promised).
  virtual absl::StatusOr<Rope> Next(std::size_t bytes_hint) = 0;
};

// Metadata that a handler adds to its answer; values of "-bin" keys are bytes. etcd's own services
// send none.
struct ResponseMetadata {
  Metadata initial;   // before the first message
  Metadata trailing;  // with the status
};

// A response message: `head`, then `source_bytes` bytes of `source`.
struct Body {
  Rope head;
  std::uint64_t source_bytes = 0;
  std::unique_ptr<ByteSource> source;          // null iff source_bytes == 0
  std::unique_ptr<ResponseMetadata> metadata;  // mostly null

  Body() = default;
  explicit Body(Rope rope) : head(std::move(rope)) {}
  std::uint64_t size() const { return head.size() + source_bytes; }
};

// Answers a unary call. Called exactly once, from any thread; may outlive the connection.
using UnaryDone = absl::AnyInvocable<void(absl::StatusOr<Body>)>;

// Thread-safe. Start is called on the loop thread of the connection and must not block; `request`
// is the message as received, valid until Start returns.
class UnaryHandler {
 public:
  virtual ~UnaryHandler() = default;
  virtual void Start(CallContextPtr context, std::string_view request, UnaryDone done) = 0;
};

// The outgoing half of a streaming call. Thread-safe; does nothing once the stream has ended.
// Messages leave in the order of Send calls; those of one stream are never reordered or merged.
class StreamSink {
 public:
  virtual ~StreamSink() = default;

  virtual void Send(Rope message) = 0;

  // Ends the stream after what was sent. Later calls do nothing.
  virtual void Finish(absl::Status status) = 0;

  // Bytes accepted by Send and not yet handed to the connection. Producers that can wait (watch)
  // stop at a bound of their own and go on when NotifyWhenBelow calls back.
  virtual std::size_t PendingBytes() const = 0;

  // Calls `ready` once, on any thread, when PendingBytes is at or below `bytes` or the stream has
  // ended; at once if it already is. At most one is outstanding.
  virtual void NotifyWhenBelow(std::size_t bytes, absl::AnyInvocable<void()> ready) = 0;

  // Adds metadata to the answer; before the first Send, else the initial part is lost.
  virtual void SetMetadata(ResponseMetadata /*metadata*/) {}
};
using StreamSinkPtr = std::shared_ptr<StreamSink>;

// The incoming half of a streaming call: made per call, methods are called on the loop thread of
// the connection, one at a time. Messages are backed by flow control: the transport hands over the
// next one after OnMessage returned.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  virtual void OnMessage(std::string_view message) = 0;
  // The client half-closed: no more messages, the stream stays open for answers.
  virtual void OnHalfClose() = 0;
  // The stream is over (reset, connection lost, deadline, shutdown, or after Finish). Last call.
  virtual void OnClose() = 0;
};

// Thread-safe. Opens a call of a streaming method (client-, server- or bidirectional).
class StreamMethod {
 public:
  virtual ~StreamMethod() = default;
  virtual std::unique_ptr<StreamHandler> Open(CallContextPtr context, StreamSinkPtr sink) = 0;
};

// The methods that a server offers, by full path. Filled before serving, immutable afterwards.
struct MethodEntry {
  std::string path;                     // "/package.Service/Method"
  std::unique_ptr<UnaryHandler> unary;  // exactly one of the two is set
  std::unique_ptr<StreamMethod> stream;
  enum class Kind : std::uint8_t {
    kUnary,
    kClientStream,
    kServerStream,
    kBidi
  } kind = Kind::kUnary;
};

class MethodTable {
 public:
  void Add(MethodEntry entry) {
    entries_.push_back(std::make_unique<MethodEntry>(std::move(entry)));
  }
  // Null when unknown. `path` as in the request.
  const MethodEntry* Find(std::string_view path) const {
    for (const auto& entry : entries_) {
      if (entry->path == path) return entry.get();
    }
    return nullptr;
  }
  const std::vector<std::unique_ptr<MethodEntry>>& entries() const { return entries_; }

 private:
  std::vector<std::unique_ptr<MethodEntry>> entries_;  // about 50; transport builds its own hash
};

}  // namespace etcd::base
