#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/base/file_system.h"
#include "server/raftcodec/walpb.h"

namespace etcd::wal {

// Streams the records of consecutive segments and checks frames and the CRC chain. Reads through a
// bounded window; never allocates more than the file holds. Not thread-safe.
//
// What may end the log early, in the last segment only, is etcd's rule for a torn write: the file
// ends within a record, or a record is damaged and one of its 512-byte sectors is all zero. All
// other damage is kDataLoss. One case is stricter than etcd's: when an intact record (CRC of the
// chain) stands behind a damaged length field, the field was flipped, not torn, and cutting there
// would lose acknowledged entries.
class RecordReader {
 public:
  struct Source {
    std::string path;
    const base::File* file;  // borrowed
  };

  explicit RecordReader(std::vector<Source> sources) : sources_(std::move(sources)) {}

  // True: `record` is the next one, valid until the following call. False: the end; torn() tells
  // whether a write was cut short there.
  absl::StatusOr<bool> Next(raftcodec::RecordView& record);

  bool torn() const { return torn_; }
  // End of the last good record in the segment that is being read; after the end, in the last one.
  std::uint64_t offset() const { return offset_; }
  std::uint32_t crc() const { return crc_; }

  // kDataLoss that names the file and where the record that Next gave last begins.
  absl::Status Damage(std::string_view reason) const;

 private:
  enum class Step { kRecord, kEndOfSegment, kTorn };

  absl::StatusOr<Step> ReadRecord(raftcodec::RecordView& record);
  absl::StatusOr<Step> ReadFramed(std::uint64_t length_field, raftcodec::RecordView& record);
  // Torn or damaged? `damaged` = the bytes of the record; nullopt when the file ends before them.
  absl::StatusOr<Step> TornOr(std::string_view reason, std::optional<std::string_view> damaged);
  absl::StatusOr<bool> IsLengthContradicted(std::uint64_t length_field);
  absl::StatusOr<std::string_view> Fetch(std::uint64_t offset, std::uint64_t size);
  bool in_last_segment() const { return current_ + 1 >= sources_.size(); }

  std::vector<Source> sources_;
  std::size_t current_ = 0;
  bool is_open_ = false;  // size_ is that of the current source
  std::uint64_t size_ = 0;
  std::uint64_t offset_ = 0;     // end of the last good record
  std::uint64_t record_at_ = 0;  // its beginning
  std::uint32_t crc_ = 0;        // running; 0 before the first record
  bool torn_ = false;

  std::string window_;  // bytes of the current source from window_at_ on
  std::uint64_t window_at_ = 0;
};

}  // namespace etcd::wal
