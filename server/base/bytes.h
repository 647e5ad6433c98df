#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace etcd::base {

// Fixed-width integers. Callers check bounds before loading.
inline void StoreBigEndian64(char* out, std::uint64_t value) {
  const std::uint64_t swapped = __builtin_bswap64(value);
  std::memcpy(out, &swapped, sizeof swapped);
}
inline std::uint64_t LoadBigEndian64(const char* in) {
  std::uint64_t value = 0;
  std::memcpy(&value, in, sizeof value);
  return __builtin_bswap64(value);
}
inline void StoreLittleEndian64(char* out, std::uint64_t value) {
  std::memcpy(out, &value, sizeof value);
}
inline std::uint64_t LoadLittleEndian64(const char* in) {
  std::uint64_t value = 0;
  std::memcpy(&value, in, sizeof value);
  return value;
}
inline void AppendBigEndian64(std::string& out, std::uint64_t value) {
  char buffer[8];
  StoreBigEndian64(buffer, value);
  out.append(buffer, sizeof buffer);
}

// Protobuf base-128 varints (at most 10 bytes).
inline std::size_t VarintSize(std::uint64_t value) {
  std::size_t size = 1;
  while (value >= 0x80) {
    value >>= 7;
    ++size;
  }
  return size;
}
inline void AppendVarint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}
// Takes a varint off the front of `in`. False when it is cut short or longer than 64 bits.
inline bool ConsumeVarint(std::string_view& in, std::uint64_t& value) {
  value = 0;
  for (std::size_t i = 0; i < in.size() && i < 10; ++i) {
    const auto byte = static_cast<std::uint8_t>(in[i]);
    if (i == 9 && byte > 1) return false;
    value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      in.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

// Protobuf wire format, for messages that are spliced rather than built.
constexpr std::uint32_t kWireVarint = 0;
constexpr std::uint32_t kWireBytes = 2;
inline void AppendTag(std::string& out, std::uint32_t field, std::uint32_t wire_type) {
  AppendVarint(out, (static_cast<std::uint64_t>(field) << 3) | wire_type);
}
// proto3 scalars: the zero value is not written.
inline void AppendVarintField(std::string& out, std::uint32_t field, std::uint64_t value) {
  if (value == 0) return;
  AppendTag(out, field, kWireVarint);
  AppendVarint(out, value);
}
inline void AppendBytesField(std::string& out, std::uint32_t field, std::string_view value) {
  if (value.empty()) return;
  AppendTag(out, field, kWireBytes);
  AppendVarint(out, value.size());
  out.append(value);
}
// A submessage, written also when empty (presence is meaning).
inline void AppendMessageField(std::string& out, std::uint32_t field, std::string_view encoded) {
  AppendTag(out, field, kWireBytes);
  AppendVarint(out, encoded.size());
  out.append(encoded);
}

}  // namespace etcd::base
