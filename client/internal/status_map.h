#pragma once

#include <optional>
#include <string_view>

#include <absl/status/status.h>
#include <grpcpp/support/status.h>

#include "client/outcome.h"
#include "server/base/errc.h"

namespace etcd::client::internal {

// The row with exactly this text, or one that only old servers word otherwise.
std::optional<Errc> ErrcOfText(std::string_view text);

// What a failed call was, beside its status.
struct Attempted {
  bool is_change = false;       // it asked for a change of the cluster or its data
  bool was_never_sent = false;  // it was never on a connection
  std::string_view endpoint{};  // who was asked; for texts that are not etcd's
};

// The status that callers see, with its Errc and Outcome.
absl::Status FromGrpc(const grpc::Status& status, const Attempted& attempted);

// A failure that is not an answer: never sent, so without effect.
absl::Status NeverSent(absl::Status status);

}  // namespace etcd::client::internal
