#pragma once

#include <cstdint>
#include <string_view>

#include "server/base/bytes.h"

// Reading protobuf wire format without message objects: for the requests and stored records that
// are looked at on the hot path. As lenient as a protobuf parser: any order, last value wins,
// unknown fields are skipped.
namespace etcd::api::v3 {

struct WireField {
  std::uint32_t number = 0;
  std::uint32_t type = 0;    // wire type: 0 varint, 1 fixed64, 2 bytes, 5 fixed32
  std::uint64_t varint = 0;  // type 0
  std::string_view bytes;    // type 2

  bool IsVarint(std::uint32_t n) const { return number == n && type == base::kWireVarint; }
  bool IsBytes(std::uint32_t n) const { return number == n && type == base::kWireBytes; }
};

// Walks the fields of one message.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}

  // False at the end or at malformed bytes; ok() tells which. Groups count as malformed.
  bool Next(WireField& field) {
    if (rest_.empty()) return false;
    if (Read(field)) return true;
    ok_ = false;
    return false;
  }
  bool ok() const { return ok_; }

 private:
  bool Read(WireField& field) {
    std::uint64_t tag = 0;
    if (!base::ConsumeVarint(rest_, tag) || tag >> 32 != 0 || tag >> 3 == 0) return false;
    field.number = static_cast<std::uint32_t>(tag >> 3);
    field.type = static_cast<std::uint32_t>(tag & 7);
    switch (field.type) {
      case base::kWireVarint:
        return base::ConsumeVarint(rest_, field.varint);
      case base::kWireBytes: {
        std::uint64_t size = 0;
        return base::ConsumeVarint(rest_, size) && Take(size, field.bytes);
      }
      case 1:
        return Take(8, field.bytes);
      case 5:
        return Take(4, field.bytes);
      default:
        return false;
    }
  }
  bool Take(std::uint64_t size, std::string_view& out) {
    if (size > rest_.size()) return false;
    out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace etcd::api::v3
