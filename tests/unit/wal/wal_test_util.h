#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/status.h"
#include "server/raft/types.h"
#include "server/raftcodec/walpb.h"
#include "server/wal/wal.h"
#include "tests/support/sim_disk.h"

namespace etcd::wal {

inline raft::Entry MakeEntry(std::uint64_t term, std::uint64_t index, std::size_t bytes = 40) {
  return {.term = Term(term),
          .index = Index(index),
          .type = raft::EntryType::kNormal,
          .data = std::string(bytes, static_cast<char>('a' + (index + term) % 26))};
}

inline std::vector<raft::Entry> MakeEntries(std::uint64_t from, std::uint64_t to,
                                            std::uint64_t term = 1) {
  std::vector<raft::Entry> entries;
  for (std::uint64_t i = from; i <= to; ++i) entries.push_back(MakeEntry(term, i));
  return entries;
}

inline raft::HardState MakeState(std::uint64_t term, std::uint64_t commit) {
  return {Term(term), MemberId(0x7c2c5e7ce787a389), Index(commit)};
}

inline std::string TestMetadata() {
  return raftcodec::EncodeWalMetadata(
      {MemberId(0x7c2c5e7ce787a389), ClusterId(0x63be2efe2a065412)});
}

inline const std::string kWalDir = "member/wal";

inline std::string WalPath(const std::string& name) { return kWalDir + "/" + name; }

// Names of the segments.
inline std::vector<std::string> Segments(testing::SimDisk& disk) {
  std::vector<std::string> names;
  const std::vector<std::string> files = *disk.List(kWalDir);
  for (const std::string& file : files) {
    if (file.ends_with(".wal")) names.push_back(file);
  }
  return names;
}

inline absl::StatusOr<Replay> Reopen(testing::SimDisk& disk, const Options& options) {
  Replay replay;
  const auto wal = Wal::Open(disk, kWalDir, Index(0), Term(0), options, replay);
  if (!wal.ok()) return wal.status();
  return replay;
}

}  // namespace etcd::wal
