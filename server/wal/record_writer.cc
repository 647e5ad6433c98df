#include "server/wal/record_writer.h"

#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include "server/base/bytes.h"
#include "server/base/check.h"
#include "server/base/crc32c.h"
#include "server/raftcodec/raftpb.h"
#include "server/wal/frame.h"

namespace etcd::wal {
namespace {

// Metadata is opaque bytes; this makes it look like the other payloads.
struct RawBytes {
  std::string_view bytes;
};
std::size_t EncodedSize(const RawBytes& raw) { return raw.bytes.size(); }
void AppendTo(std::string& out, const RawBytes& raw) { out.append(raw.bytes); }

constexpr std::size_t kCrcBytesMax = 5;
// A batch with one huge entry must not pin its memory for ever.
constexpr std::size_t kKeptCapacity = 4U << 20;

char* StoreVarint(char* at, std::uint64_t value) {
  while (value >= 0x80) {
    *at++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<char>(value);
  return at;
}

}  // namespace

// The payload is encoded in place, behind room for the longest head; the CRC in the head is a
// varint over the payload, so its length is known only then. In 15 of 16 records it has 5 bytes and
// nothing moves.
template <typename Encodable>
void RecordWriter::Add(raftcodec::RecordType type, const Encodable& value) {
  using raftcodec::AppendTo;
  using raftcodec::EncodedSize;
  const std::size_t size = EncodedSize(value);
  const std::size_t start = buffer_.size();
  const std::size_t head_max = 2 + 1 + kCrcBytesMax + 1 + base::VarintSize(size);
  const std::size_t payload = start + kLengthBytes + head_max;
  buffer_.resize(payload);
  AppendTo(buffer_, value);
  crc_ = base::UpdateCrc32c(crc_, std::string_view(buffer_).substr(payload));

  char* const head = buffer_.data() + start + kLengthBytes;
  char* at = head;
  *at++ = 0x08;
  *at++ = static_cast<char>(type);
  *at++ = 0x10;
  at = StoreVarint(at, crc_);
  if (size > 0) {
    *at++ = 0x1a;
    at = StoreVarint(at, size);
    if (at != buffer_.data() + payload) std::memmove(at, buffer_.data() + payload, size);
  }
  Finish(start, static_cast<std::size_t>(at - head) + size);
}

// Writes the length field at `start` and pads.
void RecordWriter::Finish(std::size_t start, std::size_t record_size) {
  const std::size_t padding = PaddingOf(record_size);
  const std::size_t record = start + kLengthBytes;
  buffer_.resize(record + record_size);
  buffer_.resize(record + record_size + padding);
  base::StoreLittleEndian64(buffer_.data() + start, LengthField(record_size));
}

void RecordWriter::AddCrc(std::uint32_t crc) {
  crc_ = crc;
  Add(raftcodec::RecordType::kCrc, RawBytes());
}

void RecordWriter::AddMetadata(std::string_view metadata) {
  Add(raftcodec::RecordType::kMetadata, RawBytes{metadata});
}

void RecordWriter::AddEntry(const raft::Entry& entry) { Add(raftcodec::RecordType::kEntry, entry); }

void RecordWriter::AddState(const raft::HardState& state) {
  Add(raftcodec::RecordType::kState, state);
}

void RecordWriter::AddSnapshot(const raftcodec::WalSnapshot& snapshot) {
  Add(raftcodec::RecordType::kSnapshot, snapshot);
}

void RecordWriter::Rechain(std::uint32_t crc) {
  const std::string before = std::move(buffer_);
  Reset(crc);
  for (std::string_view rest = before; !rest.empty();) {
    const Frame frame = FrameOf(base::LoadLittleEndian64(rest.data()));
    raftcodec::RecordView record;
    CHECK_OK(raftcodec::DecodeRecord(rest.substr(kLengthBytes, frame.record_bytes), record));
    Add(static_cast<raftcodec::RecordType>(record.type), RawBytes{record.data});
    rest.remove_prefix(kLengthBytes + frame.record_bytes + frame.padding_bytes);
  }
}

void RecordWriter::Reset(std::uint32_t crc) {
  crc_ = crc;
  buffer_.clear();
  if (buffer_.capacity() > kKeptCapacity) buffer_.shrink_to_fit();
}

}  // namespace etcd::wal
