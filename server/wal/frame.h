#pragma once

#include <cstddef>
#include <cstdint>

// The length field in front of every record: low 56 bits = bytes of the record; when the record is
// padded to a multiple of 8, the top byte is 0x80 | number of padding bytes (1..7), else 0. Zero
// therefore means "no record": preallocated space.
namespace etcd::wal {

constexpr std::size_t kLengthBytes = 8;
// Disks write at least this much at once: the unit in which a write can tear.
constexpr std::uint64_t kSectorBytes = 512;

struct Frame {
  std::uint64_t record_bytes = 0;
  std::uint64_t padding_bytes = 0;
};

inline std::size_t PaddingOf(std::size_t record_bytes) { return (8 - record_bytes % 8) % 8; }

inline std::uint64_t LengthField(std::size_t record_bytes) {
  const std::uint64_t padding = PaddingOf(record_bytes);
  return record_bytes | (padding == 0 ? 0 : (0x80 | padding) << 56);
}

// As etcd reads it: other bits of the top byte are ignored.
inline Frame FrameOf(std::uint64_t length_field) {
  Frame frame;
  frame.record_bytes = length_field & ((std::uint64_t{1} << 56) - 1);
  if ((length_field >> 63) != 0) frame.padding_bytes = (length_field >> 56) & 7;
  return frame;
}

}  // namespace etcd::wal
