#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "server/net/timer_queue.h"
#include "server/transport/grpc_call.h"

namespace etcd::transport {

// One request message, one answer. The handler starts when the request is complete.
class UnaryCall final : public GrpcCall {
 public:
  using GrpcCall::GrpcCall;

  void OnEndStream() override;
  void RunOnLoop() override;
  // From any thread, once. On the loop thread the answer goes out without a hop.
  void Answer(absl::StatusOr<base::Body> result);

 private:
  void OnBegun() override { CountAgainstBudget(); }
  bool OnMessage(std::string_view message) override;
  void OnGone() override {}

  void Dispatch();
  void Start();
  void Complete(absl::StatusOr<base::Body> result);
  void Report(const absl::StatusOr<base::Body>& result);

  std::string request_;  // kept until the answer, for Report: the log keeps it longer
  bool has_request_ = false;
  std::optional<net::Timer> retry_;  // waits for room in the response budget
  net::Loop::Time wait_end_;
  std::optional<absl::StatusOr<base::Body>> result_;  // handed over by the mailbox
};

}  // namespace etcd::transport
