#pragma once

#include <cstddef>

#include <absl/status/statusor.h>

#include "server/api/v3/core.h"
#include "server/apply/range_exec.h"
#include "server/base/call.h"

namespace etcd::api::v3 {

// Answers above this stream from the engine as the client takes them; below it one string is
// cheaper.
inline constexpr std::size_t kContiguousBytesMax = 64 * 1024;

// The RangeResponse of a query, read now: header with the store's revision, kvs, more, count.
absl::StatusOr<base::Body> ExecuteRange(const Core& core, const apply::RangeQuery& query);

}  // namespace etcd::api::v3
