#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/bytes.h"
#include "server/base/check.h"
#include "server/base/crc32c.h"
#include "server/raftcodec/raftpb.h"
#include "server/wal/frame.h"
#include "server/wal/record_writer.h"
#include "server/wal/wal.h"
#include "tests/fuzz/target.h"
#include "tests/support/sim_disk.h"

// The WAL reader on hostile bytes. The first byte chooses what the rest is:
//   0: a segment as it is (frames and CRCs must then be guessed right);
//   1: records {type, length, payload…} that get right frames and CRCs, so that the payloads reach
//      the decoders;
//   2: the same in two segments.
namespace etcd::fuzz {
namespace {

const std::string kDir = "wal";
constexpr wal::Options kOptions{.segment_bytes = 4096};

void AddFrame(std::string& out, std::uint64_t type, std::uint32_t crc, std::string_view data) {
  std::string record;
  base::AppendTag(record, 1, base::kWireVarint);
  base::AppendVarint(record, type);
  base::AppendTag(record, 2, base::kWireVarint);
  base::AppendVarint(record, crc);
  base::AppendBytesField(record, 3, data);
  char length[8];
  base::StoreLittleEndian64(length, wal::LengthField(record.size()));
  out.append(length, sizeof length);
  out.append(record);
  out.append(wal::PaddingOf(record.size()), '\0');
}

std::string Framed(std::string_view input, std::uint32_t& crc) {
  std::string out;
  AddFrame(out, 4, crc, {});
  while (input.size() >= 2) {
    const auto type = static_cast<unsigned char>(input[0]);
    const auto length = static_cast<unsigned char>(input[1]);
    input.remove_prefix(2);
    const std::string_view payload = input.substr(0, length);
    input.remove_prefix(payload.size());
    if (type != 4) crc = base::UpdateCrc32c(crc, payload);
    AddFrame(out, type, crc, payload);
  }
  return out;
}

void AddRecord(std::string& out, char type, std::string_view payload) {
  out.push_back(type);
  out.push_back(static_cast<char>(payload.size()));
  out.append(payload);
}

// What was accepted must be consistent, and repaired so that it is accepted again.
void Check(testing::SimDisk& disk) {
  wal::Replay replay;
  base::IgnoreError(wal::ValidSnapshots(disk, kDir).status(), "hostile bytes");
  auto log = wal::Wal::Open(disk, kDir, Index(0), Term(0), kOptions, replay);
  if (!log.ok()) return;
  for (std::size_t i = 0; i < replay.entries.size(); ++i) {
    CHECK(replay.entries[i].index == Index(i + 1)) << "hole at " << i;
  }
  const raft::Entry next{Term(9), Index(replay.entries.size() + 1), raft::EntryType::kNormal, "x"};
  CHECK_OK((*log)->Save({Term(9), MemberId(1), Index(0)}, {&next, 1}));
  log->reset();
  wal::Replay again;
  log = wal::Wal::Open(disk, kDir, Index(0), Term(0), kOptions, again);
  CHECK_OK(log.status());
  CHECK(again.entries.size() == replay.entries.size() + 1) << again.entries.size();
  replay.entries.push_back(next);
  CHECK(again.entries == replay.entries) << "an append changed what was there";
}

}  // namespace

std::vector<std::string> Seeds() {
  wal::RecordWriter writer;
  std::string framed(1, '\1');
  writer.AddCrc(0);
  const std::string metadata = raftcodec::EncodeWalMetadata({MemberId(1), ClusterId(2)});
  writer.AddMetadata(metadata);
  AddRecord(framed, 1, metadata);
  writer.AddSnapshot({});
  AddRecord(framed, 5, std::string("\x08\0\x10\0", 4));
  for (std::uint64_t i = 1; i < 8; ++i) {
    const raft::Entry entry{Term(1), Index(i), raft::EntryType::kNormal, std::string(i * 9, 'd')};
    const raft::HardState state{Term(1), MemberId(1), Index(i)};
    writer.AddEntry(entry);
    writer.AddState(state);
    AddRecord(framed, 2, raftcodec::Encode(entry));
    AddRecord(framed, 3, raftcodec::Encode(state));
  }
  std::string two_segments = framed;
  two_segments[0] = 2;
  std::string segment(writer.bytes());
  std::string allocated = segment + std::string(512, '\0');
  return {std::string(1, '\0') + segment, std::string(1, '\0') + allocated, framed, two_segments};
}

}  // namespace etcd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace fuzz = etcd::fuzz;
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  etcd::testing::SimDisk disk;
  CHECK_OK(disk.CreateDirs(fuzz::kDir));
  const std::string first = fuzz::kDir + "/0000000000000000-0000000000000000.wal";
  std::uint32_t crc = 0;
  if (data[0] == 0) {
    disk.SetContents(first, std::string(input));
  } else if (data[0] == 1) {
    disk.SetContents(first, fuzz::Framed(input, crc));
  } else {
    disk.SetContents(first, fuzz::Framed(input.substr(0, input.size() / 2), crc));
    disk.SetContents(fuzz::kDir + "/0000000000000001-0000000000000005.wal",
                     fuzz::Framed(input.substr(input.size() / 2), crc));
  }
  fuzz::Check(disk);
  return 0;
}
