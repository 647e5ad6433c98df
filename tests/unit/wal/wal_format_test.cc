#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/crc32c.h"
#include "server/raftcodec/raftpb.h"
#include "server/wal/record_writer.h"
#include "tests/unit/raftcodec/hex.h"

// First records of a WAL of etcd 3.6.16 (reference raft-peer-storage.md, section 11.3).
namespace etcd::wal {
namespace {

using testing::FromHex;
using testing::ToHex;

const MemberId kLeader(0xfb60bb85edd88fdf);
const MemberId kFollower1(0x7c2c5e7ce787a389);
const MemberId kSelf(0xa975876fd977f5b6);
const ClusterId kCluster(0x63be2efe2a065412);

void WriteHead(RecordWriter& writer) {
  writer.AddCrc(0);
  writer.AddMetadata(raftcodec::EncodeWalMetadata({kSelf, kCluster}));
  writer.AddSnapshot(raftcodec::WalSnapshot());
}

raft::Entry FirstEntry() {
  return *raftcodec::DecodeEntry(FromHex(
      "08011001 1801 225c 0800 1000 1889c79ebccecf97967c 224c "
      "7b226964223a383934373633303435303233313731343639372c227065657255524c73223a5b22687474703a2f2f"
      "3132372e302e302e313a3235313132225d2c226e616d65223a226e31227d"));
}

TEST(WalFormat, HeadOfTheFirstSegment) {
  RecordWriter writer;
  WriteHead(writer);
  EXPECT_EQ(ToHex(writer.bytes()),
            ToHex(FromHex("0400000000000084 0804 1000 00000000"
                          "1f00000000000081 0801 10a9e0aaf00c 1a15 08b6ebdfcbfdede1baa901 "
                          "1092a899d0e2df8bdf63 00"
                          "0e00000000000082 0805 109dbe9e950b 1a04 08001000 0000")));
  EXPECT_EQ(writer.crc(), 0xb2a79f1dU);
}

TEST(WalFormat, EntryContinuesTheCrcChain) {
  RecordWriter writer;
  WriteHead(writer);
  const std::size_t head = writer.bytes().size();
  ASSERT_EQ(head, 80U);
  writer.AddEntry(FirstEntry());
  EXPECT_EQ(writer.crc(), 0x4b6f6f95U);
  EXPECT_EQ(ToHex(writer.bytes().substr(head, 22)), ToHex(FromHex("6e00000000000082 0802 "
                                                                  "1095dfbddb04 1a64 08011001")));
  EXPECT_EQ(writer.bytes().size(), 80U + 8 + 112);
}

TEST(WalFormat, StateAndSnapshotRecords) {
  RecordWriter writer;
  // The CRC before {2, leader, 3} follows from the one after it only by search; the payload and
  // frame are what this checks.
  writer.AddState({Term(2), kLeader, Index(3)});
  const std::string state(writer.bytes());
  EXPECT_EQ(ToHex(state.substr(0, 8)), "1900000000000087");
  EXPECT_EQ(ToHex(state.substr(16)), ToHex(FromHex("1a0f 0802 10df9fe2eedef0aeb0fb01 1803 "
                                                   "00000000000000")));
  writer.Reset(0);
  raft::ConfState members;
  members.voters = {kFollower1, kSelf, kLeader};
  writer.AddSnapshot({Index(41), Term(2), members});
  const std::string snapshot(writer.bytes());
  EXPECT_EQ(ToHex(snapshot.substr(0, 8)), "3200000000000086");
  EXPECT_EQ(ToHex(snapshot.substr(16)),
            ToHex(FromHex("1a28 0829 1002 1a22 0889c79ebccecf97967c 08b6ebdfcbfdede1baa901 "
                          "08df9fe2eedef0aeb0fb01 2800 000000000000")));
}

// One CRC in sixteen needs fewer than five bytes; the payload then moves up.
TEST(WalFormat, ShortCrcVarintsLeaveNoGap) {
  RecordWriter writer;
  int short_ones = 0;
  std::uint32_t crc = 0;
  for (std::uint64_t i = 1; i <= 200; ++i) {
    const raft::Entry entry{.term = Term(1), .index = Index(i), .data = std::string(i, 'x')};
    writer.AddEntry(entry);
    const std::string payload = raftcodec::Encode(entry);
    crc = base::UpdateCrc32c(crc, payload);
    raftcodec::RecordView record;
    const std::uint64_t size = static_cast<unsigned char>(writer.bytes()[0]) +
                               256U * static_cast<unsigned char>(writer.bytes()[1]);
    ASSERT_TRUE(raftcodec::DecodeRecord(writer.bytes().substr(8, size), record).ok());
    EXPECT_EQ(record.data, payload);
    EXPECT_EQ(record.crc, crc);
    EXPECT_EQ(writer.bytes().size() % 8, 0U);
    if (crc < (1U << 28)) ++short_ones;
    writer.Reset(crc);
  }
  EXPECT_GT(short_ones, 0);
}

}  // namespace
}  // namespace etcd::wal
