#include "server/wal/record_reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "server/base/bytes.h"
#include "server/base/crc32c.h"
#include "server/base/status.h"
#include "server/wal/frame.h"

namespace etcd::wal {
namespace {

using raftcodec::RecordType;
using raftcodec::RecordView;

constexpr std::uint64_t kWindowBytes = 1U << 20;
// 08 type 10 crc 1a length: the longest head of a record that we recognise.
constexpr std::uint64_t kHeadBytesMax = 2 + 6 + 1 + 10;

bool AllZero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

// True when a piece of `data`, which begins at `offset` of the file, that lies in one sector is all
// zero: that sector was never written.
bool HasZeroSector(std::string_view data, std::uint64_t offset) {
  while (!data.empty()) {
    const std::uint64_t room = kSectorBytes - offset % kSectorBytes;
    const std::string_view piece = data.substr(0, room);
    if (AllZero(piece)) return true;
    offset += piece.size();
    data.remove_prefix(piece.size());
  }
  return false;
}

struct Head {
  RecordType type;
  std::uint32_t crc;
  std::uint64_t head_bytes;
  std::uint64_t data_bytes;  // 0 in a crc record
};

// The head of a record as etcd writes it; nullopt when these bytes are none.
std::optional<Head> ParseHead(std::string_view bytes) {
  const std::size_t all = bytes.size();
  if (all < 4 || bytes[0] != 0x08 || bytes[2] != 0x10) return std::nullopt;
  Head head{static_cast<RecordType>(bytes[1]), 0, 0, 0};
  bytes.remove_prefix(3);
  std::uint64_t crc = 0;
  if (!base::ConsumeVarint(bytes, crc)) return std::nullopt;
  head.crc = static_cast<std::uint32_t>(crc);
  const bool has_data = head.type != RecordType::kCrc;
  if (has_data) {
    if (head.type < RecordType::kMetadata || head.type > RecordType::kSnapshot) return std::nullopt;
    if (bytes.empty() || bytes[0] != 0x1a) return std::nullopt;
    bytes.remove_prefix(1);
    if (!base::ConsumeVarint(bytes, head.data_bytes)) return std::nullopt;
  }
  head.head_bytes = all - bytes.size();
  return head;
}

}  // namespace

absl::StatusOr<bool> RecordReader::Next(RecordView& record) {
  while (!torn_ && current_ < sources_.size()) {
    if (!is_open_) {
      ASSIGN_OR_RETURN(size_, sources_[current_].file->Size());
      is_open_ = true;
      offset_ = 0;
      window_.clear();
    }
    ASSIGN_OR_RETURN(const Step step, ReadRecord(record));
    if (step == Step::kRecord) return true;
    if (step == Step::kTorn) {
      torn_ = true;
    } else if (in_last_segment()) {
      break;
    } else {
      ++current_;
      is_open_ = false;
    }
  }
  return false;
}

absl::StatusOr<RecordReader::Step> RecordReader::ReadRecord(RecordView& record) {
  record_at_ = offset_;
  const std::uint64_t left = size_ - offset_;
  if (left == 0) return Step::kEndOfSegment;
  if (left < kLengthBytes) return TornOr("file ends within a length field", std::nullopt);
  ASSIGN_OR_RETURN(const std::string_view field, Fetch(offset_, kLengthBytes));
  const std::uint64_t length_field = base::LoadLittleEndian64(field.data());
  if (length_field != 0) return ReadFramed(length_field, record);

  // A sector is written whole: when the first byte of the record shares it with the length field,
  // they cannot be there without each other.
  if ((offset_ + kLengthBytes) % kSectorBytes != 0) {
    ASSIGN_OR_RETURN(const bool contradicted, IsLengthContradicted(0));
    if (contradicted) return Damage("length field is zero in front of an intact record");
  }
  return Step::kEndOfSegment;
}

absl::StatusOr<RecordReader::Step> RecordReader::ReadFramed(std::uint64_t length_field,
                                                            RecordView& record) {
  const Frame frame = FrameOf(length_field);
  const std::uint64_t left = size_ - offset_ - kLengthBytes;
  if (frame.record_bytes > left || frame.padding_bytes > left - frame.record_bytes) {
    return TornOr("record is longer than the rest of the file", std::nullopt);
  }
  const std::uint64_t framed_bytes = frame.record_bytes + frame.padding_bytes;
  ASSIGN_OR_RETURN(const std::string_view data, Fetch(offset_ + kLengthBytes, framed_bytes));
  if (!raftcodec::DecodeRecord(data.substr(0, frame.record_bytes), record).ok()) {
    return TornOr("malformed record", data);
  }
  std::uint32_t crc = record.crc;
  if (record.type == static_cast<std::uint64_t>(RecordType::kCrc)) {
    // 0: this is the first segment that is read; what came before it is unknown.
    if (crc_ != 0 && crc != crc_) return Damage("walpb: crc mismatch with the previous segment");
  } else {
    crc = base::UpdateCrc32c(crc_, record.data);
    if (crc != record.crc) return TornOr("walpb: crc mismatch", data);
  }
  if (length_field != LengthField(frame.record_bytes)) {
    return Damage("length field with wrong padding");
  }
  crc_ = crc;
  offset_ += kLengthBytes + framed_bytes;
  return Step::kRecord;
}

absl::StatusOr<RecordReader::Step> RecordReader::TornOr(std::string_view reason,
                                                        std::optional<std::string_view> damaged) {
  const bool may_be_torn =
      in_last_segment() && (!damaged || HasZeroSector(*damaged, offset_ + kLengthBytes));
  if (!may_be_torn) return Damage(reason);
  if (size_ - offset_ >= kLengthBytes) {
    ASSIGN_OR_RETURN(const std::string_view field, Fetch(offset_, kLengthBytes));
    const std::uint64_t length_field = base::LoadLittleEndian64(field.data());
    ASSIGN_OR_RETURN(const bool contradicted, IsLengthContradicted(length_field));
    if (contradicted) return Damage("wrong length field in front of an intact record");
  }
  return Step::kTorn;
}

// True when a whole record stands behind the length field, proven by the CRC of the chain, and the
// field does not say its length.
absl::StatusOr<bool> RecordReader::IsLengthContradicted(std::uint64_t length_field) {
  const std::uint64_t begin = offset_ + kLengthBytes;
  if (begin >= size_) return false;
  const std::uint64_t head_bytes_max = std::min(kHeadBytesMax, size_ - begin);
  ASSIGN_OR_RETURN(const std::string_view bytes, Fetch(begin, head_bytes_max));
  const std::optional<Head> head = ParseHead(bytes);
  if (!head || head->data_bytes > size_ - begin - head->head_bytes) return false;
  if (length_field == LengthField(head->head_bytes + head->data_bytes)) return false;
  if (head->type == RecordType::kCrc) {
    return offset_ == 0 && (crc_ == 0 || head->crc == crc_);
  }
  ASSIGN_OR_RETURN(const std::string_view data, Fetch(begin + head->head_bytes, head->data_bytes));
  return base::UpdateCrc32c(crc_, data) == head->crc;
}

// The bytes stay valid until the next Fetch. The range lies within the file's size at open.
absl::StatusOr<std::string_view> RecordReader::Fetch(std::uint64_t offset, std::uint64_t size) {
  const bool inside = offset >= window_at_ && offset - window_at_ <= window_.size() &&
                      size <= window_.size() - (offset - window_at_);
  if (!inside) {
    const std::uint64_t wanted = std::min(std::max(size, kWindowBytes), size_ - offset);
    ASSIGN_OR_RETURN(window_, sources_[current_].file->ReadAt(offset, wanted));
    window_at_ = offset;
    if (window_.size() < size) return Damage("file shrank while it was read");
  }
  return std::string_view(window_).substr(offset - window_at_, size);
}

absl::Status RecordReader::Damage(std::string_view reason) const {
  const std::size_t at = std::min(current_, sources_.size() - 1);
  return base::DataLoss(
      fmt::format("{}: file {} offset {}", reason, sources_[at].path, record_at_));
}

}  // namespace etcd::wal
