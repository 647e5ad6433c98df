#pragma once

#include <cstdint>
#include <string_view>

#include "server/base/bytes.h"

// Reads the few fields of responses that a workload needs, without building messages.
namespace etcd::bench {

// One field of a message: `value` for varints, `bytes` for length-delimited ones.
struct Field {
  std::uint32_t number = 0;
  std::uint64_t value = 0;
  std::string_view bytes;
};

// Takes the next field off `message`; false at the end or at anything but the two wire types that
// etcd's responses use.
inline bool NextField(std::string_view& message, Field& field) {
  std::uint64_t tag = 0;
  if (!base::ConsumeVarint(message, tag) || !base::ConsumeVarint(message, field.value)) {
    return false;
  }
  field.number = static_cast<std::uint32_t>(tag >> 3);
  field.bytes = {};
  if ((tag & 7) == base::kWireVarint) return true;
  if ((tag & 7) != base::kWireBytes || field.value > message.size()) return false;
  field.bytes = message.substr(0, field.value);
  message.remove_prefix(field.value);
  return true;
}

// The last varint of field `number`; 0 when there is none.
inline std::int64_t VarintOf(std::string_view message, std::uint32_t number) {
  std::int64_t result = 0;
  for (Field field; NextField(message, field);) {
    if (field.number == number) result = static_cast<std::int64_t>(field.value);
  }
  return result;
}

// The last submessage or string of field `number`; empty when there is none.
inline std::string_view BytesOf(std::string_view message, std::uint32_t number) {
  std::string_view result;
  for (Field field; NextField(message, field);) {
    if (field.number == number) result = field.bytes;
  }
  return result;
}

// ResponseHeader.revision of any response of the v3 API.
inline std::int64_t RevisionOf(std::string_view response) {
  return VarintOf(BytesOf(response, 1), 3);
}

// Events of a WatchResponse; a server may put several revisions into one.
inline std::int64_t CountEvents(std::string_view message) {
  std::int64_t events = 0;
  for (Field field; NextField(message, field);) {
    if (field.number == 11) ++events;
  }
  return events;
}

}  // namespace etcd::bench
