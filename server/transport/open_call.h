#pragma once

#include <cstdint>
#include <memory>

#include <absl/functional/function_ref.h>

#include "server/transport/h2_stream.h"
#include "server/transport/request_head.h"

namespace etcd::transport {

// Hands the made stream to its session, before anything is answered on it.
using AdoptStream = absl::FunctionRef<void(const std::shared_ptr<H2Stream>&)>;

// Opens the gRPC call that a request head asks for, or answers why there is none. May move strings
// out of `head`.
void OpenCall(H2Session& session, std::int32_t stream_id, RequestHead& head, AdoptStream adopt);

}  // namespace etcd::transport
