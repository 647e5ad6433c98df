#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "server/base/bytes.h"

// Protobuf wire format for the hand-written codecs of this folder.
namespace etcd::raftcodec {

constexpr std::uint32_t kVarint = 0;
constexpr std::uint32_t kFixed64 = 1;
constexpr std::uint32_t kBytes = 2;
constexpr std::uint32_t kGroupStart = 3;
constexpr std::uint32_t kGroupEnd = 4;
constexpr std::uint32_t kFixed32 = 5;

// Walks the fields of one message. `view`s point into the input.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : rest_(bytes) {}

  // Moves to the next field. False at the end or on damage: then ok() tells which.
  bool Next() {
    if (rest_.empty() || !ok_) return false;
    std::uint64_t tag = 0;
    ok_ = base::ConsumeVarint(rest_, tag) && (tag >> 3) != 0 && (tag >> 3) <= kMaxField;
    if (!ok_) return false;
    field_ = static_cast<std::uint32_t>(tag >> 3);
    wire_type_ = static_cast<std::uint32_t>(tag & 7);
    return true;
  }

  std::uint32_t field() const { return field_; }
  bool ok() const { return ok_; }
  bool is_bytes() const { return wire_type_ == kBytes; }

  // The value of the current field; exactly one of these is called per Next. A wrong wire type or
  // a truncated value clears ok() and gives 0 or "".
  std::uint64_t Varint() {
    std::uint64_t value = 0;
    ok_ = ok_ && wire_type_ == kVarint && base::ConsumeVarint(rest_, value);
    return ok_ ? value : 0;
  }
  std::string_view Bytes() {
    std::uint64_t size = 0;
    ok_ = ok_ && wire_type_ == kBytes && base::ConsumeVarint(rest_, size) && size <= rest_.size();
    if (!ok_) return {};
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }
  // An enum of ours: one byte holds every number that any etcd uses.
  std::uint8_t Enum() {
    const std::uint64_t value = Varint();
    ok_ = ok_ && value <= 0xff;
    return ok_ ? static_cast<std::uint8_t>(value) : std::uint8_t{0};
  }
  void Skip() { ok_ = ok_ && SkipValue(wire_type_, field_, 0); }

  void Fail() { ok_ = false; }

 private:
  static constexpr std::uint64_t kMaxField = (1U << 29) - 1;
  static constexpr int kMaxGroupDepth = 32;  // deeper nesting is an attack on the stack

  bool SkipValue(std::uint32_t wire_type, std::uint32_t field, int depth) {
    std::uint64_t value = 0;
    switch (wire_type) {
      case kVarint:
        return base::ConsumeVarint(rest_, value);
      case kFixed64:
        return SkipBytes(8);
      case kFixed32:
        return SkipBytes(4);
      case kBytes:
        return base::ConsumeVarint(rest_, value) && SkipBytes(value);
      case kGroupStart:
        return depth < kMaxGroupDepth && SkipGroup(field, depth);
      default:
        return false;  // an end without a start, or no wire type at all
    }
  }
  bool SkipGroup(std::uint32_t group, int depth) {
    std::uint64_t tag = 0;
    while (base::ConsumeVarint(rest_, tag) && (tag >> 3) != 0 && (tag >> 3) <= kMaxField) {
      const auto field = static_cast<std::uint32_t>(tag >> 3);
      const auto wire_type = static_cast<std::uint32_t>(tag & 7);
      if (wire_type == kGroupEnd) return field == group;
      if (!SkipValue(wire_type, field, depth + 1)) return false;
    }
    return false;
  }
  bool SkipBytes(std::uint64_t size) {
    if (size > rest_.size()) return false;
    rest_.remove_prefix(size);
    return true;
  }

  std::string_view rest_;
  std::uint32_t field_ = 0;
  std::uint32_t wire_type_ = 0;
  bool ok_ = true;
};

// Bytes of a field with a one-byte tag (numbers below 16).
inline std::size_t VarintFieldSize(std::uint64_t value) { return 1 + base::VarintSize(value); }
inline std::size_t BytesFieldSize(std::size_t size) { return 1 + base::VarintSize(size) + size; }

// Writes small fields into a local array, so that a string grows once per message.
template <std::size_t kCapacity>
class SmallWriter {
 public:
  // `tag` is the whole tag byte, as in the layout tables: 0x08 = field 1, varint.
  void Varint(std::uint8_t tag, std::uint64_t value) {
    Byte(tag);
    Raw(value);
  }
  void Byte(std::uint8_t byte) { buffer_[size_++] = static_cast<char>(byte); }
  void Raw(std::uint64_t value) {
    while (value >= 0x80) {
      Byte(static_cast<std::uint8_t>(value | 0x80));
      value >>= 7;
    }
    Byte(static_cast<std::uint8_t>(value));
  }
  std::string_view view() const { return {buffer_, size_}; }

 private:
  char buffer_[kCapacity];
  std::size_t size_ = 0;
};

}  // namespace etcd::raftcodec
