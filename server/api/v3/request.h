#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "server/api/v3/canonical.h"
#include "server/apply/range_exec.h"

namespace google::protobuf {
class Message;
}

// Requests of the hot path as views into their bytes, and the checks that come before anything is
// proposed (v3-api.md 3.2, 3.3).
namespace etcd::api::v3 {

struct RangeArgs {
  apply::RangeQuery query;  // enums are set by CheckRange
  std::int64_t sort_order = 0;
  std::int64_t sort_target = 0;
  bool serializable = false;
};
// False when the bytes are no message. Views point into `bytes`.
bool ParseRange(std::string_view bytes, RangeArgs& out);
// Empty key, then undefined sort enums; fills in query.sort_order and query.sort_target.
absl::Status CheckRange(RangeArgs& args);

struct PutArgs {
  std::string_view key;
  std::string_view value;
  std::int64_t lease = 0;
  bool ignore_value = false;
  bool ignore_lease = false;
};
bool ParsePut(std::string_view bytes, PutArgs& out);
absl::Status CheckPut(const PutArgs& args);

// The request's bytes as the log may hold them: `bytes` itself when it is canonical, else `message`
// (an empty object of the request's type) decoded from it, without unknown fields, and encoded into
// `storage`, which the result points into. kInternal when the bytes are no message or nested too
// deeply for the other end of the log to read.
absl::StatusOr<std::string_view> CanonicalBytes(const MessageShape& shape, std::string_view bytes,
                                                google::protobuf::Message& message,
                                                std::string& storage);

}  // namespace etcd::api::v3
