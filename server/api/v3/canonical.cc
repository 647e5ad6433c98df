#include "server/api/v3/canonical.h"

#include <array>
#include <limits>

#include "server/base/bytes.h"

namespace etcd::api::v3 {
namespace {

using Type = FieldShape::Type;

// Transactions nest; the C++ decoder stops at 100 levels, two of which one nested transaction
// takes and one the envelope in the log. What is deeper must never get there.
constexpr int kDepthMax = 96;

constexpr std::array kRangeFields = {
    FieldShape{1, Type::kBytes},  FieldShape{2, Type::kBytes},  FieldShape{3, Type::kInt64},
    FieldShape{4, Type::kInt64},  FieldShape{5, Type::kEnum},   FieldShape{6, Type::kEnum},
    FieldShape{7, Type::kBool},   FieldShape{8, Type::kBool},   FieldShape{9, Type::kBool},
    FieldShape{10, Type::kInt64}, FieldShape{11, Type::kInt64}, FieldShape{12, Type::kInt64},
    FieldShape{13, Type::kInt64}};
constexpr std::array kPutFields = {FieldShape{1, Type::kBytes}, FieldShape{2, Type::kBytes},
                                   FieldShape{3, Type::kInt64}, FieldShape{4, Type::kBool},
                                   FieldShape{5, Type::kBool},  FieldShape{6, Type::kBool}};
constexpr std::array kDeleteRangeFields = {FieldShape{1, Type::kBytes}, FieldShape{2, Type::kBytes},
                                           FieldShape{3, Type::kBool}};
constexpr std::array kCompareFields = {FieldShape{1, Type::kEnum},
                                       FieldShape{2, Type::kEnum},
                                       FieldShape{3, Type::kBytes},
                                       FieldShape{4, Type::kInt64, false, 1},
                                       FieldShape{5, Type::kInt64, false, 1},
                                       FieldShape{6, Type::kInt64, false, 1},
                                       FieldShape{7, Type::kBytes, false, 1},
                                       FieldShape{8, Type::kInt64, false, 1},
                                       FieldShape{64, Type::kBytes}};
constexpr std::array kCompactionFields = {FieldShape{1, Type::kInt64}, FieldShape{2, Type::kBool}};
constexpr std::array kLeaseGrantFields = {FieldShape{1, Type::kInt64}, FieldShape{2, Type::kInt64}};
constexpr std::array kLeaseRevokeFields = {FieldShape{1, Type::kInt64}};
constexpr std::array kAlarmFields = {FieldShape{1, Type::kEnum}, FieldShape{2, Type::kInt64},
                                     FieldShape{3, Type::kEnum}};

constexpr MessageShape kCompareShape{kCompareFields};
extern const MessageShape kRequestOpShape;

constinit const std::array kRequestOpFields = {
    FieldShape{1, Type::kMessage, false, 1, &kRangeRequestShape},
    FieldShape{2, Type::kMessage, false, 1, &kPutRequestShape},
    FieldShape{3, Type::kMessage, false, 1, &kDeleteRangeRequestShape},
    FieldShape{4, Type::kMessage, false, 1, &kTxnRequestShape}};
constinit const std::array kTxnFields = {FieldShape{1, Type::kMessage, true, 0, &kCompareShape},
                                         FieldShape{2, Type::kMessage, true, 0, &kRequestOpShape},
                                         FieldShape{3, Type::kMessage, true, 0, &kRequestOpShape}};
constinit const MessageShape kRequestOpShape{kRequestOpFields};

// As ConsumeVarint, and the shortest form of its value.
bool ConsumeShortestVarint(std::string_view& in, std::uint64_t& value) {
  const std::size_t before = in.size();
  return base::ConsumeVarint(in, value) && before - in.size() == base::VarintSize(value);
}

bool IsCanonicalVarint(const FieldShape& field, std::uint64_t value) {
  if (value == 0 && field.oneof == 0) return false;
  switch (field.type) {
    case Type::kInt64:
      return true;
    case Type::kEnum:  // an int32, sign-extended on the wire
      return value <= std::numeric_limits<std::int32_t>::max() || value >= 0xffffffff80000000ULL;
    case Type::kBool:
      return value <= 1;
    default:
      return false;
  }
}

bool Walk(const MessageShape& shape, std::string_view bytes, int depth);

// Checks the value of `field` and takes it off `bytes`.
bool WalkValue(const FieldShape& field, std::string_view& bytes, int depth) {
  std::uint64_t value = 0;
  if (!ConsumeShortestVarint(bytes, value)) return false;
  if (field.type != Type::kBytes && field.type != Type::kMessage) {
    return IsCanonicalVarint(field, value);
  }
  if (value > bytes.size()) return false;
  const std::string_view content = bytes.substr(0, value);
  bytes.remove_prefix(value);
  if (field.type == Type::kMessage) return Walk(*field.message, content, depth + 1);
  return !content.empty() || field.oneof != 0;
}

bool Walk(const MessageShape& shape, std::string_view bytes, int depth) {
  if (depth > kDepthMax) return false;
  auto next = shape.fields.begin();  // first field that may still come
  std::uint8_t oneof_seen = 0;
  while (!bytes.empty()) {
    std::uint64_t tag = 0;
    if (!ConsumeShortestVarint(bytes, tag)) return false;
    while (next != shape.fields.end() && next->number < tag >> 3) ++next;
    if (next == shape.fields.end() || next->number != tag >> 3) return false;
    const bool is_bytes = next->type == Type::kBytes || next->type == Type::kMessage;
    if ((tag & 7) != (is_bytes ? base::kWireBytes : base::kWireVarint)) return false;
    if (next->oneof != 0 && next->oneof == oneof_seen) return false;
    oneof_seen = next->oneof;
    if (!WalkValue(*next, bytes, depth)) return false;
    if (!next->repeated) ++next;
  }
  return true;
}

}  // namespace

constinit const MessageShape kRangeRequestShape{kRangeFields};
constinit const MessageShape kPutRequestShape{kPutFields};
constinit const MessageShape kDeleteRangeRequestShape{kDeleteRangeFields};
constinit const MessageShape kTxnRequestShape{kTxnFields};
constinit const MessageShape kCompactionRequestShape{kCompactionFields};
constinit const MessageShape kLeaseGrantRequestShape{kLeaseGrantFields};
constinit const MessageShape kLeaseRevokeRequestShape{kLeaseRevokeFields};
constinit const MessageShape kAlarmRequestShape{kAlarmFields};

bool IsCanonical(const MessageShape& shape, std::string_view bytes) {
  return Walk(shape, bytes, 1);
}

}  // namespace etcd::api::v3
