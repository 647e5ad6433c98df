#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/raft/types.h"
#include "server/raftcodec/walpb.h"

namespace etcd::wal {

// Encodes records into one contiguous buffer and carries the running CRC. Frame:
//
//   | u64 little-endian: low 56 bits = record bytes, top byte = 0x80|p when p > 0 | record | p
//   zeros |
//
// where p pads the record to 8 bytes, so that no length field crosses a sector; record =
// walpb.Record {1 type, 2 crc, 3 data}.
class RecordWriter {
 public:
  void AddCrc(std::uint32_t crc);  // re-seeds the running CRC
  void AddMetadata(std::string_view metadata);
  void AddEntry(const raft::Entry& entry);
  void AddState(const raft::HardState& state);
  void AddSnapshot(const raftcodec::WalSnapshot& snapshot);

  std::string_view bytes() const { return buffer_; }
  bool empty() const { return buffer_.empty(); }
  std::uint32_t crc() const { return crc_; }

  // Computes the CRCs of what was added anew, as if it had begun at `crc`.
  void Rechain(std::uint32_t crc);

  // Forgets the bytes; `crc` is the running CRC to go on with.
  void Reset(std::uint32_t crc);

 private:
  template <typename Encodable>
  void Add(raftcodec::RecordType type, const Encodable& value);
  void Finish(std::size_t start, std::size_t record_size);

  std::string buffer_;
  std::uint32_t crc_ = 0;
};

}  // namespace etcd::wal
