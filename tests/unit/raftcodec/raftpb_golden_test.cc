#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "server/raftcodec/raftpb.h"
#include "tests/unit/raftcodec/hex.h"

// Bytes captured from etcd 3.4 - 3.7 members (reference raft-peer-storage.md, section 11).
namespace etcd::raftcodec {
namespace {

using testing::FromHex;
using testing::ToHex;

constexpr std::uint64_t kLeader = 0xfb60bb85edd88fdf;
constexpr std::uint64_t kFollower1 = 0x7c2c5e7ce787a389;
constexpr std::uint64_t kFollower2 = 0xa975876fd977f5b6;

raft::Entry Normal(std::uint64_t term, std::uint64_t index, const std::string& data) {
  return {
      .term = Term(term), .index = Index(index), .type = raft::EntryType::kNormal, .data = data};
}

raft::ConfState Voters(std::vector<MemberId> ids) {
  raft::ConfState state;
  state.voters = std::move(ids);
  return state;
}

void ExpectBytes(const raft::Message& message, const std::string& bytes) {
  EXPECT_EQ(ToHex(Encode(message)), ToHex(bytes));
  EXPECT_EQ(*DecodeMessage(bytes), message);
}

TEST(RaftpbEntry, EmptyEntryOfALeader) {
  const raft::Entry entry = Normal(2, 4, "");
  EXPECT_EQ(ToHex(Encode(entry)), "080010021804");
  EXPECT_EQ(*DecodeEntry(FromHex("0800 1002 1804")), entry);
  EXPECT_EQ(*DecodeEntry(FromHex("1002 1804")), entry) << "as 3.7 writes it";
}

TEST(RaftpbEntry, Put) {
  const std::string data = FromHex("220a0a03666f6f1203626172 a2060b0884f0cb80d5bfa8dbf501");
  const std::string bytes = FromHex("0800 1002 1809 221a") + data;
  EXPECT_EQ(Encode(Normal(2, 9, data)), bytes);
  EXPECT_EQ(*DecodeEntry(bytes), Normal(2, 9, data));
}

TEST(RaftpbEntry, ConfChangeRemove) {
  const std::string bytes =
      FromHex("0801 1002 181b 2218 0889f0cc80d5bfe8c4a301 1001 18a0ada8ebdba48784cf01");
  const auto entry = DecodeEntry(bytes);
  ASSERT_TRUE(entry.ok());
  EXPECT_EQ(entry->type, raft::EntryType::kConfChange);
  EXPECT_EQ(entry->index, Index(27));
  const auto change = DecodeConfChange(entry->data);
  ASSERT_TRUE(change.ok());
  EXPECT_EQ(change->type, raft::ConfChangeType::kRemoveNode);
  EXPECT_TRUE(change->context.empty());
  EXPECT_EQ(Encode(*change), entry->data.view());
  EXPECT_EQ(Encode(*entry), bytes);
}

TEST(RaftpbEntry, ConfChangePromote) {
  const std::string bytes = FromHex(
      "0801 1002 1816 2254 088af0cc80d5bfe8ef8f01 1000 1889c79ebccecf97967c 223b "
      "7b226964223a383934373633303435303233313731343639372c227065657255524c73223a6e756c6c2c22697350"
      "726f6d6f7465223a747275657d");
  const auto entry = DecodeEntry(bytes);
  ASSERT_TRUE(entry.ok());
  const auto change = DecodeConfChange(entry->data);
  ASSERT_TRUE(change.ok());
  EXPECT_EQ(change->type, raft::ConfChangeType::kAddNode);
  EXPECT_EQ(change->node_id, MemberId(kFollower1));
  EXPECT_EQ(change->context, R"({"id":8947630450231714697,"peerURLs":null,"isPromote":true})");
  EXPECT_EQ(Encode(*change), entry->data.view());
  EXPECT_EQ(Encode(*entry), bytes);
}

TEST(RaftpbMessage, LinkHeartbeat) {
  raft::Message message;
  message.type = raft::MessageType::kHeartbeat;
  EXPECT_EQ(ToHex(Encode(message)), "0808100018002000280030004000500058006800");
  EXPECT_EQ(*DecodeMessage(Encode(message)), message);
  EXPECT_EQ(*DecodeMessage(FromHex("0808")), message) << "as 3.7 writes it";
  EXPECT_EQ(*DecodeMessage(FromHex("0808 1000 1800 2000 2800 3000 4000 4a0a12080a02280010001800 "
                                   "5000 5800")),
            message)
      << "as 3.5 writes it, with an empty snapshot";
}

TEST(RaftpbMessage, HeartbeatWithReadIndexContext) {
  raft::Message message;
  message.type = raft::MessageType::kHeartbeat;
  message.to = MemberId(kFollower1);
  message.from = MemberId(kLeader);
  message.term = Term(2);
  message.commit = Index(7);
  message.context = FromHex("f5b6a1fd5012f802");
  const std::string bytes = FromHex(
      "0808 1089c79ebccecf97967c 18df9fe2eedef0aeb0fb01 2002 2800 3000 4007 5000 5800 "
      "6208f5b6a1fd5012f802 6800");
  ExpectBytes(message, bytes);
}

TEST(RaftpbMessage, AppendResponse) {
  raft::Message message;
  message.type = raft::MessageType::kAppResp;
  message.to = MemberId(kLeader);
  message.from = MemberId(kFollower2);
  message.term = Term(2);
  message.index = Index(4);
  const std::string bytes = FromHex(
      "0804 10df9fe2eedef0aeb0fb01 18b6ebdfcbfdede1baa901 2002 2800 3004 4000 5000 5800 6800");
  ExpectBytes(message, bytes);
}

TEST(RaftpbMessage, Append) {
  raft::Message message;
  message.type = raft::MessageType::kApp;
  message.to = MemberId(kFollower1);
  message.from = MemberId(kLeader);
  message.term = Term(2);
  message.log_term = Term(1);
  message.index = Index(3);
  message.entries.push_back(Normal(2, 4, ""));
  message.commit = Index(3);
  const std::string bytes = FromHex(
      "0803 1089c79ebccecf97967c 18df9fe2eedef0aeb0fb01 2002 2801 3003 3a06 080010021804 4003 5000 "
      "5800 6800");
  ExpectBytes(message, bytes);
}

TEST(RaftpbMessage, ReadIndexCarriesItsContextInAnEntry) {
  raft::Message message;
  message.type = raft::MessageType::kReadIndex;
  message.entries.push_back(Normal(0, 0, FromHex("f5b6a1fd5012f802")));
  const std::string bytes = FromHex(
      "080f 1000 1800 2000 2800 3000 3a10 0800100018002208f5b6a1fd5012f802 4000 5000 5800 6800");
  ExpectBytes(message, bytes);
}

TEST(RaftpbMessage, SnapshotOnlyInSnapMessages) {
  raft::Message message;
  message.type = raft::MessageType::kSnap;
  message.term = Term(2);
  message.snapshot.data = "{}";
  message.snapshot.metadata = {Voters({MemberId(1), MemberId(300)}), Index(41), Term(2)};
  const std::string bytes = FromHex(
      "0807 1000 1800 2002 2800 3000 4000 4a13 0a027b7d 120d 0a07 0801 08ac02 2800 1029 1802 "
      "5000 5800 6800");
  ExpectBytes(message, bytes);
  message.type = raft::MessageType::kApp;
  EXPECT_EQ(ToHex(Encode(message)), "0803100018002002280030004000500058006800");
}

TEST(RaftpbHardState, AllFieldsAlways) {
  EXPECT_EQ(ToHex(Encode(raft::HardState{Term(1), MemberId(0), Index(3)})), "080110001803");
  EXPECT_EQ(ToHex(Encode(raft::HardState{Term(2), MemberId(kLeader), Index(3)})),
            "080210df9fe2eedef0aeb0fb011803");
}

TEST(RaftpbConfState, RepeatedIdsAreUnpackedButReadPackedToo) {
  const raft::ConfState state =
      Voters({MemberId(kFollower1), MemberId(kFollower2), MemberId(kLeader)});
  EXPECT_EQ(ToHex(Encode(state)),
            "0889c79ebccecf97967c08b6ebdfcbfdede1baa90108df9fe2eedef0aeb0fb012800");
  EXPECT_EQ(*DecodeConfState(FromHex("0a1d 89c79ebccecf97967c b6ebdfcbfdede1baa901 "
                                     "df9fe2eedef0aeb0fb01")),
            state);
}

}  // namespace
}  // namespace etcd::raftcodec
