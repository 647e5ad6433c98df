#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/base/call.h"

namespace etcd::transport {

// A unary call that the handler has answered, before anything of the answer was read.
struct AnsweredCall {
  const base::CallContext& context;
  std::string_view request;
  const absl::StatusOr<base::Body>& response;
  std::chrono::nanoseconds took;
};

// Counts the calls of one method. Called on the loop threads for every call and message: keep it to
// relaxed counters. Thread-safe.
class MethodObserver {
 public:
  virtual ~MethodObserver() = default;
  virtual void Started() = 0;
  // Once per started call, with the status that the client was given (kCancelled when it left).
  virtual void Handled(absl::StatusCode code, std::chrono::nanoseconds duration) = 0;
  // `bytes` of the message without its frame header, before compression.
  virtual void MessageReceived(std::size_t bytes) = 0;
  virtual void MessageSent(std::size_t bytes) = 0;
  // Unary calls that take longer than this are given to Answered (below 0: all are).
  virtual std::chrono::nanoseconds report_above() const { return std::chrono::nanoseconds::max(); }
  virtual void Answered(const AnsweredCall& /*call*/) {}
};

// Asked once per method when the server is built. Null: the method is not counted.
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  virtual MethodObserver* Observe(const base::MethodEntry& method) = 0;
};

}  // namespace etcd::transport
