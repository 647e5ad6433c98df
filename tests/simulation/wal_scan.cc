#include "tests/simulation/wal_scan.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/bytes.h"
#include "server/base/crc32c.h"

namespace etcd::simulation {
namespace {

// The scalars and the last bytes field of a proto2 message, by field number (below 8).
struct Fields {
  std::uint64_t number[8] = {};
  std::string_view bytes[8];
};

bool ParseFields(std::string_view in, Fields& out) {
  while (!in.empty()) {
    std::uint64_t tag = 0;
    std::uint64_t value = 0;
    if (!base::ConsumeVarint(in, tag) || !base::ConsumeVarint(in, value)) return false;
    const std::uint64_t field = tag >> 3;
    if (field >= 8) return false;
    if ((tag & 7) == 0) {
      out.number[field] = value;
    } else {
      if (value > in.size()) return false;
      out.bytes[field] = in.substr(0, value);
      in.remove_prefix(value);
    }
  }
  return true;
}

// Record types of etcd's log (raft-peer-storage.md 1).
enum : std::uint64_t { kEntry = 2, kState = 3, kCrc = 4, kSnapshot = 5 };

void Take(const Fields& record, WalContents& out) {
  Fields f;
  if (!ParseFields(record.bytes[3], f)) return;
  if (record.number[1] == kEntry) {
    out.has_replaced |= Index(f.number[3]) <= out.last;
    out.last = Index(f.number[3]);
  }
  if (record.number[1] == kSnapshot) out.last = std::max(out.last, Index(f.number[1]));
  if (record.number[1] == kState) {
    out.term = Term(f.number[1]);
    out.vote = MemberId(f.number[2]);
    out.commit = Index(f.number[3]);
  }
}

// Frame: 8 bytes little endian (low 56 bits: size; high bits: padding to 8), record, padding.
// False at the end of the log.
bool ScanSegment(std::string_view in, std::uint32_t& crc, WalContents& out) {
  while (in.size() >= 8) {
    std::uint64_t head = 0;
    std::memcpy(&head, in.data(), 8);
    if (head == 0) return true;  // preallocated
    const std::uint64_t size = head & 0xffffffffffffffULL;
    const std::uint64_t pad = (head >> 63) != 0 ? (head >> 56) & 7 : 0;
    if (size + pad > in.size() - 8) return false;
    Fields record;
    if (!ParseFields(in.substr(8, size), record)) return false;
    if (record.number[1] == kCrc) {
      crc = static_cast<std::uint32_t>(record.number[2]);
    } else {
      crc = base::UpdateCrc32c(crc, record.bytes[3]);
      if (crc != record.number[2]) return false;
      Take(record, out);
    }
    in.remove_prefix(8 + size + pad);
  }
  return true;
}

}  // namespace

WalContents ScanWal(const testing::SimDisk& disk, const std::string& dir) {
  std::vector<std::string> segments;
  for (const std::string& path : disk.AllFiles()) {
    if (path.starts_with(dir + "/") && path.ends_with(".wal")) segments.push_back(path);
  }
  std::sort(segments.begin(), segments.end());  // names begin with the sequence number
  WalContents out;
  std::uint32_t crc = 0;
  for (const std::string& path : segments) {
    if (!ScanSegment(disk.Contents(path), crc, out)) break;
  }
  return out;
}

}  // namespace etcd::simulation
