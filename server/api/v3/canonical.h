#pragma once

#include <cstdint>
#include <span>
#include <string_view>

// Which client bytes may be spliced into the raft log as they are. Members written in Go and in
// C++ must decode an entry to the same request and encode it to the same bytes, so only the one
// encoding that every protobuf library writes is let through: known fields in ascending order with
// their wire types, no field twice, no zero-valued scalar (but inside a oneof), shortest varints,
// the same in every nested message. Everything else is decoded and encoded anew.
namespace etcd::api::v3 {

struct FieldShape {
  enum class Type : std::uint8_t { kInt64, kEnum, kBool, kBytes, kMessage };
  std::uint32_t number = 0;
  Type type = Type::kInt64;
  bool repeated = false;  // messages only
  // Not 0: member of a oneof (numbers of one group are adjacent): at most one of the group, and its
  // zero value is written.
  std::uint8_t oneof = 0;
  const struct MessageShape* message = nullptr;  // kMessage
};

struct MessageShape {
  std::span<const FieldShape> fields;  // ascending by number
};

// Request messages whose bytes go into the log.
extern const MessageShape kRangeRequestShape;
extern const MessageShape kPutRequestShape;
extern const MessageShape kDeleteRangeRequestShape;
extern const MessageShape kTxnRequestShape;
extern const MessageShape kCompactionRequestShape;
extern const MessageShape kLeaseGrantRequestShape;
extern const MessageShape kLeaseRevokeRequestShape;
extern const MessageShape kAlarmRequestShape;

// True only if a protobuf library that decodes `bytes` would encode exactly `bytes` again.
bool IsCanonical(const MessageShape& shape, std::string_view bytes);

}  // namespace etcd::api::v3
