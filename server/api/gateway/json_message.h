#pragma once

#include <string>

#include <absl/status/status.h>

#include "server/api/gateway/json_reader.h"

namespace google::protobuf {
class Message;
}

// JSON <-> message by descriptors, with the leniency of etcd 3.6's gateway (v3-api.md 10).
namespace etcd::api::gateway {

// kInvalidArgument: no object, a value of the wrong type or range, a field or oneof given twice.
// Unknown fields and unknown enum names are ignored; null is absence.
absl::Status FillMessage(const JsonValue& json, google::protobuf::Message& message);

// Proto field names, 64-bit integers as strings, bytes in base64, zero fields left out.
void AppendJson(const google::protobuf::Message& message, std::string& out);

}  // namespace etcd::api::gateway
