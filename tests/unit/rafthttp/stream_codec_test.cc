#include "server/rafthttp/stream_codec.h"

#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/base/bytes.h"
#include "server/raftcodec/raftpb.h"
#include "server/rafthttp/message_check.h"

namespace etcd::rafthttp {
namespace {

constexpr MemberId kLeader(0xfb60bb85edd88fdf);
constexpr MemberId kFollower(0x7c2c5e7ce787a389);
constexpr std::size_t kLimit = 1 << 20;

std::string FromHex(std::string_view hex) {
  std::string out;
  std::string digits;
  for (const char c : hex) {
    if (c == ' ') continue;
    digits.push_back(c);
    if (digits.size() < 2) continue;
    out.push_back(static_cast<char>(std::stoi(digits, nullptr, 16)));
    digits.clear();
  }
  return out;
}

raft::Message App(std::uint64_t prev, std::uint64_t prev_term, std::uint64_t term,
                  std::uint64_t commit, std::vector<raft::Entry> entries) {
  raft::Message message;
  message.type = raft::MessageType::kApp;
  message.to = kFollower;
  message.from = kLeader;
  message.term = Term(term);
  message.log_term = Term(prev_term);
  message.index = Index(prev);
  message.commit = Index(commit);
  message.entries = std::move(entries);
  return message;
}

raft::Entry EntryAt(std::uint64_t index, std::string data = {}) {
  return {Term(2), Index(index), raft::EntryType::kNormal, std::move(data)};
}

template <typename Encoder>
std::string EncodeAll(const std::vector<raft::Message>& messages) {
  Encoder encoder;
  FrameBuffer out;
  for (const raft::Message& message : messages) encoder.Append(message, out);
  return out.Take().Flatten();
}

// The first message of a connection is whole, the next ones only what is new (3.6; the bytes are
// those of a real 3.6.16 leader, 11.1).
TEST(MsgAppStream, HasTheBytesOfARealLeader) {
  const std::vector<raft::Message> messages = {
      App(3, 1, 2, 3, {EntryAt(4)}),
      App(4, 2, 2, 4, {EntryAt(5, "abc")}),
      App(5, 2, 2, 5, {}),
  };
  const std::string entry = raftcodec::Encode(EntryAt(5, "abc"));
  std::string second = FromHex("01 0000000000000001");
  base::AppendBigEndian64(second, entry.size());
  second += entry + FromHex("0000000000000004");
  EXPECT_EQ(EncodeAll<MsgAppEncoder>(messages),
            FromHex("02 000000000000002d 0803 1089c79ebccecf97967c 18df9fe2eedef0aeb0fb01 2002 "
                    "2801 3003 3a06 080010021804 4003 5000 5800 6800") +
                second + FromHex("01 0000000000000000 0000000000000005"));
}

TEST(MsgAppStream, DecodesWhatARealLeaderSent) {
  const std::string bytes = FromHex(
      "00 02 000000000000002d 0803 1089c79ebccecf97967c 18df9fe2eedef0aeb0fb01 2002 2801 "
      "3003 3a06 080010021804 4003 5000 5800 6800 00 01 0000000000000000 "
      "0000000000000005");
  MsgAppDecoder decoder(kFollower, kLeader, kLimit);
  std::vector<raft::Message> messages;
  ASSERT_TRUE(decoder.Feed(bytes, messages).ok());
  EXPECT_THAT(messages, ::testing::ElementsAre(App(3, 1, 2, 3, {EntryAt(4)}), App(4, 2, 2, 5, {})));
}

TEST(MsgAppStream, ANewTermOrAGapIsWrittenWhole) {
  const std::vector<raft::Message> messages = {
      App(3, 2, 2, 3, {EntryAt(4)}), App(9, 2, 2, 9, {}),  // a gap
      App(9, 2, 3, 9, {}),                                 // a new term
  };
  const std::string bytes = EncodeAll<MsgAppEncoder>(messages);
  MsgAppDecoder decoder(kFollower, kLeader, kLimit);
  std::vector<raft::Message> decoded;
  ASSERT_TRUE(decoder.Feed(bytes, decoded).ok());
  EXPECT_EQ(decoded, messages);
}

TEST(MsgAppStream, LargePayloadsAreReferencedAndTheBytesAreTheSame) {
  const raft::Entry large = EntryAt(5, std::string(100'000, 'x'));
  MsgAppEncoder encoder;
  FrameBuffer out;
  encoder.Append(App(3, 1, 2, 3, {EntryAt(4)}), out);
  out.Take();
  encoder.Append(App(4, 2, 2, 4, {large, EntryAt(6, "small")}), out);
  const base::Rope rope = out.Take();
  const auto referenced = std::ranges::count_if(rope.slices(), [&](const base::Slice& slice) {
    return slice.bytes.data() == large.data.data();
  });
  EXPECT_EQ(referenced, 1);
  std::string expected = FromHex("01 0000000000000002");
  for (const raft::Entry& entry : {large, EntryAt(6, "small")}) {
    base::AppendBigEndian64(expected, raftcodec::EncodedSize(entry));
    raftcodec::AppendTo(expected, entry);
  }
  EXPECT_EQ(rope.Flatten(), expected + FromHex("0000000000000004"));
}

TEST(MessageStream, HasTheBytesOfARealMember) {
  raft::Message ack;
  ack.type = raft::MessageType::kAppResp;
  ack.to = kLeader;
  ack.from = MemberId(0xa975876fd977f5b6);
  ack.term = Term(2);
  ack.index = Index(4);
  EXPECT_EQ(EncodeAll<MessageEncoder>({ack}),
            FromHex("0000000000000026 0804 10df9fe2eedef0aeb0fb01 18b6ebdfcbfdede1baa901 2002 "
                    "2800 3004 4000 5000 5800 6800"));
  FrameBuffer out;
  MessageEncoder().AppendHeartbeat(out);
  EXPECT_EQ(out.Take().Flatten(),
            FromHex("0000000000000014 0808 1000 1800 2000 2800 3000 4000 5000 5800 6800"));
}

// 3.4 to 3.7 write heartbeats of 30, 20 and 2 bytes.
TEST(MessageStream, SwallowsTheHeartbeatsOfAllVersions) {
  const std::string bytes = FromHex(
      "0000000000000014 0808 1000 1800 2000 2800 3000 4000 5000 5800 6800"
      "000000000000001e 0808 1000 1800 2000 2800 3000 4000 4a0a12080a02280010001800 5000 5800"
      "0000000000000002 0808"
      "000000000000001a 0804 108b8cb8e8bcbad2aa33 188bf1dfd9a3ff86e355 2002 3004");
  MessageDecoder decoder(kLimit);
  std::vector<raft::Message> messages;
  ASSERT_TRUE(decoder.Feed(bytes, messages).ok());
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].type, raft::MessageType::kAppResp);
}

TEST(Streams, CanBeCutAnywhere) {
  const std::vector<raft::Message> messages = {
      App(3, 1, 2, 3, {EntryAt(4)}),
      App(4, 2, 2, 4, {EntryAt(5, std::string(300, 'a')), EntryAt(6)}),
      App(6, 2, 2, 6, {}),
  };
  const std::string msgapp = EncodeAll<MsgAppEncoder>(messages);
  const std::string general = EncodeAll<MessageEncoder>(messages);
  for (std::size_t step = 1; step < 40; ++step) {
    MsgAppDecoder msgapp_decoder(kFollower, kLeader, kLimit);
    MessageDecoder message_decoder(kLimit);
    std::vector<raft::Message> first;
    std::vector<raft::Message> second;
    for (std::size_t at = 0; at < msgapp.size(); at += step) {
      ASSERT_TRUE(msgapp_decoder.Feed(std::string_view(msgapp).substr(at, step), first).ok());
    }
    for (std::size_t at = 0; at < general.size(); at += step) {
      ASSERT_TRUE(message_decoder.Feed(std::string_view(general).substr(at, step), second).ok());
    }
    EXPECT_EQ(first, messages) << step;
    EXPECT_EQ(second, messages) << step;
  }
}

struct BadCase {
  const char* name;
  StreamKind kind;
  std::string hex;
};

class BadStream : public ::testing::TestWithParam<BadCase> {};

TEST_P(BadStream, IsRefusedAndNothingIsHeld) {
  std::unique_ptr<FrameDecoder> decoder;
  if (GetParam().kind == StreamKind::kMsgApp) {
    decoder = std::make_unique<MsgAppDecoder>(kFollower, kLeader, kLimit);
  } else {
    decoder = std::make_unique<MessageDecoder>(kLimit);
  }
  std::vector<raft::Message> messages;
  EXPECT_FALSE(decoder->Feed(FromHex(GetParam().hex), messages).ok());
  EXPECT_TRUE(messages.empty());
}

INSTANTIATE_TEST_SUITE_P(
    All, BadStream,
    ::testing::Values(
        BadCase{"UnknownFrameType", StreamKind::kMsgApp, "03"},
        BadCase{"MessageOverTheLimit", StreamKind::kMsgApp, "02 0000000000100001"},
        BadCase{"HugeMessage", StreamKind::kMsgApp, "02 ffffffffffffffff"},
        BadCase{"HugeCount", StreamKind::kMsgApp, "01 ffffffffffffffff"},
        BadCase{"EntryOverTheLimit", StreamKind::kMsgApp, "01 0000000000000001 0000000000100001"},
        BadCase{"GarbageEntry", StreamKind::kMsgApp, "01 0000000000000001 0000000000000002 ffff"},
        BadCase{"GapInEntries", StreamKind::kMsgApp,
                "01 0000000000000001 0000000000000004 10021809"},
        BadCase{"UnknownEntryType", StreamKind::kMsgApp,
                "01 0000000000000001 0000000000000006 080310021801"},
        BadCase{"GarbageMessage", StreamKind::kMsgApp, "02 0000000000000002 ffff"},
        BadCase{"MessageOverTheLimit", StreamKind::kMessage, "0000000000100001"},
        BadCase{"GarbageMessage", StreamKind::kMessage, "0000000000000002 ffff"},
        BadCase{"UnknownEntryTypeInAProposal", StreamKind::kMessage,
                "0000000000000006 0802 3a02 0803"}),
    [](const auto& bad) { return std::string(PathName(bad.param.kind)) + bad.param.name; });

// Bytes that become 20 times as many must not be many.
TEST(MessageCheck, BoundsTheNumberOfEntries) {
  std::string bytes = FromHex("0802");
  for (std::size_t i = 0; i <= kEntriesPerMessageMax; ++i) bytes += FromHex("3a00");
  EXPECT_FALSE(DecodeFromPeer(bytes, Channel::kStream).ok());
  bytes.resize(bytes.size() - 2);
  EXPECT_TRUE(DecodeFromPeer(bytes, Channel::kStream).ok());
}

TEST(MessageCheck, BoundsTheMetadataOfASnapshot) {
  raft::Message message;
  message.type = raft::MessageType::kSnap;
  message.snapshot.metadata.index = Index(7);
  message.snapshot.data = std::string(2 * kSnapshotMetadataBytesMax, 'x');
  EXPECT_TRUE(DecodeFromPeer(raftcodec::Encode(message), Channel::kSnapshot).ok());
  EXPECT_FALSE(DecodeFromPeer(raftcodec::Encode(message), Channel::kStream).ok());
  message.snapshot.metadata.conf_state.voters.assign(kSnapshotMetadataBytesMax / 2, MemberId(1));
  EXPECT_FALSE(DecodeFromPeer(raftcodec::Encode(message), Channel::kSnapshot).ok());
}

TEST(MessageCheck, KnowsWhatIsForPeers) {
  EXPECT_TRUE(IsPeerMessage(raft::MessageType::kProp));
  EXPECT_TRUE(IsPeerMessage(raft::MessageType::kPreVoteResp));
  EXPECT_FALSE(IsPeerMessage(raft::MessageType::kUnreachable));
  for (const int number : {0, 1, 11, 12, 19, 255}) {
    EXPECT_FALSE(IsPeerMessage(static_cast<raft::MessageType>(number))) << number;
  }
}

}  // namespace
}  // namespace etcd::rafthttp
