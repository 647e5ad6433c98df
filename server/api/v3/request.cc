#include "server/api/v3/request.h"

#include <google/protobuf/message.h>

#include "server/api/v3/core.h"
#include "server/api/v3/wire.h"
#include "server/base/status.h"

namespace etcd::api::v3 {
namespace {

// protobuf's int32 of an enum: the low half, sign-extended.
std::int64_t EnumValue(std::uint64_t varint) { return static_cast<std::int32_t>(varint); }

void AssignRangeVarint(std::uint32_t number, std::uint64_t varint, RangeArgs& out) {
  const auto value = static_cast<std::int64_t>(varint);
  switch (number) {
    case 3:
      out.query.limit = value;
      break;
    case 4:
      out.query.revision = value;
      break;
    case 5:
      out.sort_order = EnumValue(varint);
      break;
    case 6:
      out.sort_target = EnumValue(varint);
      break;
    case 7:
      out.serializable = varint != 0;
      break;
    case 8:
      out.query.keys_only = varint != 0;
      break;
    case 9:
      out.query.count_only = varint != 0;
      break;
    case 10:
      out.query.min_mod_revision = value;
      break;
    case 11:
      out.query.max_mod_revision = value;
      break;
    case 12:
      out.query.min_create_revision = value;
      break;
    case 13:
      out.query.max_create_revision = value;
      break;
    default:
      break;
  }
}

}  // namespace

bool ParseRange(std::string_view bytes, RangeArgs& out) {
  WireReader reader(bytes);
  for (WireField field; reader.Next(field);) {
    if (field.IsBytes(1)) {
      out.query.key = field.bytes;
    } else if (field.IsBytes(2)) {
      out.query.range_end = field.bytes;
    } else if (field.type == base::kWireVarint) {
      AssignRangeVarint(field.number, field.varint, out);
    }
  }
  return reader.ok();
}

absl::Status CheckRange(RangeArgs& args) {
  if (args.query.key.empty()) return Error(Errc::kEmptyKey);
  if (args.sort_order < 0 || args.sort_order > 2 || args.sort_target < 0 || args.sort_target > 4) {
    return Error(Errc::kInvalidSortOption);
  }
  args.query.sort_order = static_cast<apply::SortOrder>(args.sort_order);
  args.query.sort_target = static_cast<apply::SortTarget>(args.sort_target);
  return absl::OkStatus();
}

bool ParsePut(std::string_view bytes, PutArgs& out) {
  WireReader reader(bytes);
  for (WireField field; reader.Next(field);) {
    if (field.IsBytes(1)) {
      out.key = field.bytes;
    } else if (field.IsBytes(2)) {
      out.value = field.bytes;
    } else if (field.IsVarint(3)) {
      out.lease = static_cast<std::int64_t>(field.varint);
    } else if (field.IsVarint(5)) {
      out.ignore_value = field.varint != 0;
    } else if (field.IsVarint(6)) {
      out.ignore_lease = field.varint != 0;
    }
  }
  return reader.ok();
}

absl::Status CheckPut(const PutArgs& args) {
  if (args.key.empty()) return Error(Errc::kEmptyKey);
  if (args.ignore_value && !args.value.empty()) return Error(Errc::kValueProvided);
  if (args.ignore_lease && args.lease != 0) return Error(Errc::kLeaseProvided);
  return absl::OkStatus();
}

absl::StatusOr<std::string_view> CanonicalBytes(const MessageShape& shape, std::string_view bytes,
                                                google::protobuf::Message& message,
                                                std::string& storage) {
  if (IsCanonical(shape, bytes)) return bytes;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return MalformedRequest();
  }
  message.DiscardUnknownFields();
  storage = message.SerializeAsString();
  if (!IsCanonical(shape, storage)) return MalformedRequest();
  return std::string_view(storage);
}

}  // namespace etcd::api::v3
