#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "raftpb/raft.pb.h"
#include "server/base/random.h"
#include "server/raftcodec/raftpb.h"
#include "server/raftcodec/walpb.h"
#include "walpb/record.pb.h"

// Random values against the protobuf library: equal bytes when every scalar is set, and damaged
// bytes that ours accepts are accepted by it with the same meaning.
namespace etcd::raftcodec {
namespace {

class Maker {
 public:
  explicit Maker(std::uint64_t seed) : random_(seed) {}

  std::uint64_t Number() {
    const std::uint64_t bits = random_.Below(65);
    return bits == 0 ? 0 : random_.Next() >> (64 - bits);
  }
  std::string Bytes() {
    std::string out(random_.Below(4) == 0 ? 0 : random_.Below(200), '\0');
    for (char& c : out) c = static_cast<char>(random_.Next());
    return out;
  }
  std::vector<MemberId> Ids() {
    std::vector<MemberId> ids(random_.Below(5));
    for (MemberId& id : ids) id = MemberId(Number());
    return ids;
  }
  raft::Entry Entry() {
    return {Term(Number()), Index(Number()), static_cast<raft::EntryType>(random_.Below(3)),
            Bytes()};
  }
  raft::ConfState ConfState() { return {Ids(), Ids(), Ids(), Ids(), random_.Below(2) == 1}; }
  raft::Snapshot Snapshot() { return {{ConfState(), Index(Number()), Term(Number())}, Bytes()}; }
  raft::Message Message() {
    raft::Message out;
    out.type = static_cast<raft::MessageType>(random_.Below(19));
    out.to = MemberId(Number());
    out.from = MemberId(Number());
    out.term = Term(Number());
    out.log_term = Term(Number());
    out.index = Index(Number());
    for (std::uint64_t n = random_.Below(4); n > 0; --n) out.entries.push_back(Entry());
    out.commit = Index(Number());
    if (out.type == raft::MessageType::kSnap) out.snapshot = Snapshot();
    out.reject = random_.Below(2) == 1;
    out.reject_hint = Index(Number());
    out.context = Bytes();
    return out;
  }

  base::SeededRandom random_;
};

void Fill(const raft::Entry& in, raftpb::Entry& out) {
  out.set_type(static_cast<raftpb::EntryType>(in.type));
  out.set_term(in.term.value());
  out.set_index(in.index.value());
  if (!in.data.empty()) out.set_data(std::string(in.data.view()));
}

void Fill(const raft::ConfState& in, raftpb::ConfState& out) {
  for (const MemberId id : in.voters) out.add_voters(id.value());
  for (const MemberId id : in.learners) out.add_learners(id.value());
  for (const MemberId id : in.voters_outgoing) out.add_voters_outgoing(id.value());
  for (const MemberId id : in.learners_next) out.add_learners_next(id.value());
  out.set_auto_leave(in.auto_leave);
}

void Fill(const raft::Snapshot& in, raftpb::Snapshot& out) {
  if (!in.data.empty()) out.set_data(in.data);
  Fill(in.metadata.conf_state, *out.mutable_metadata()->mutable_conf_state());
  out.mutable_metadata()->set_index(in.metadata.index.value());
  out.mutable_metadata()->set_term(in.metadata.term.value());
}

void Fill(const raft::Message& in, raftpb::Message& out) {
  out.set_type(static_cast<raftpb::MessageType>(in.type));
  out.set_to(in.to.value());
  out.set_from(in.from.value());
  out.set_term(in.term.value());
  out.set_logterm(in.log_term.value());
  out.set_index(in.index.value());
  for (const raft::Entry& entry : in.entries) Fill(entry, *out.add_entries());
  out.set_commit(in.commit.value());
  if (in.type == raft::MessageType::kSnap) Fill(in.snapshot, *out.mutable_snapshot());
  out.set_reject(in.reject);
  out.set_rejecthint(in.reject_hint.value());
  if (!in.context.empty()) out.set_context(in.context);
  out.set_vote(0);
}

TEST(RaftpbRandom, MessagesAreTheLibrarysBytes) {
  Maker maker(1);
  for (int i = 0; i < 3000; ++i) {
    const raft::Message message = maker.Message();
    raftpb::Message library;
    Fill(message, library);
    const std::string bytes = Encode(message);
    ASSERT_EQ(bytes.size(), EncodedSize(message));
    ASSERT_EQ(bytes, library.SerializeAsString());
    ASSERT_EQ(*DecodeMessage(bytes), message);
  }
}

TEST(RaftpbRandom, WalSnapshotsAreTheLibrarysBytes) {
  Maker maker(2);
  for (int i = 0; i < 2000; ++i) {
    WalSnapshot snapshot{Index(maker.Number()), Term(maker.Number()), std::nullopt};
    walpb::Snapshot library;
    library.set_index(snapshot.index.value());
    library.set_term(snapshot.term.value());
    if (i % 4 != 0) {
      snapshot.conf_state = maker.ConfState();
      Fill(*snapshot.conf_state, *library.mutable_conf_state());
    }
    std::string bytes;
    AppendTo(bytes, snapshot);
    ASSERT_EQ(bytes, library.SerializeAsString());
    ASSERT_EQ(*DecodeWalSnapshot(bytes), snapshot);
  }
}

TEST(RaftpbRandom, SmallStructsSurviveARoundTrip) {
  Maker maker(3);
  for (int i = 0; i < 3000; ++i) {
    const raft::HardState state{Term(maker.Number()), MemberId(maker.Number()),
                                Index(maker.Number())};
    ASSERT_EQ(*DecodeHardState(Encode(state)), state);
    const raft::ConfChange change{maker.Number(), raft::ConfChangeType::kUpdateNode,
                                  MemberId(maker.Number()), maker.Bytes()};
    ASSERT_EQ(*DecodeConfChange(Encode(change)), change);
    const raft::Snapshot snapshot = maker.Snapshot();
    ASSERT_EQ(*DecodeSnapshot(Encode(snapshot)), snapshot);
    ASSERT_EQ(*DecodeSnapFile(EncodeSnapFile(snapshot)), snapshot);
  }
}

// A field cut short is an error at every length where a field is cut.
TEST(RaftpbRandom, TruncationIsAnErrorUnlessBetweenFields) {
  Maker maker(4);
  for (int i = 0; i < 200; ++i) {
    const std::string bytes = Encode(maker.Message());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      raftpb::Message library;
      ASSERT_EQ(DecodeMessage(bytes.substr(0, size)).ok(),
                library.ParseFromString(bytes.substr(0, size)))
          << size;
    }
  }
}

TEST(RaftpbRandom, DamagedBytesMeanTheSameToTheLibraryOrAreRefused) {
  Maker maker(5);
  int accepted = 0;
  for (int i = 0; i < 60000; ++i) {
    std::string bytes = Encode(maker.Message());
    for (std::uint64_t n = 1 + maker.random_.Below(3); n > 0; --n) {
      bytes[maker.random_.Below(bytes.size())] ^= static_cast<char>(1U << maker.random_.Below(8));
    }
    const auto ours = DecodeMessage(bytes);
    if (!ours.ok()) continue;
    ++accepted;
    raftpb::Message library;
    if (!library.ParseFromString(bytes)) {
      // Field 14 holds messages that mean nothing to us: skipped unread.
      ASSERT_NE(bytes.find('\x72'), std::string::npos);
      continue;
    }
    ASSERT_EQ(ours->to.value(), library.to());
    ASSERT_EQ(ours->term.value(), library.term());
    ASSERT_EQ(ours->index.value(), library.index());
    ASSERT_EQ(ours->reject, library.reject());
    ASSERT_EQ(ours->context, library.context());
    ASSERT_EQ(ours->entries.size(), static_cast<std::size_t>(library.entries_size()));
    for (int e = 0; e < library.entries_size(); ++e) {
      const raft::Entry& entry = ours->entries[static_cast<std::size_t>(e)];
      ASSERT_EQ(entry.index.value(), library.entries(e).index());
      ASSERT_EQ(entry.data.view(), library.entries(e).data());
    }
    ASSERT_EQ(ours->snapshot.metadata.conf_state.voters.size(),
              static_cast<std::size_t>(library.snapshot().metadata().conf_state().voters_size()));
  }
  EXPECT_GT(accepted, 10000);
}

TEST(RaftpbDecode, WrongWireTypesAreRefused) {
  EXPECT_FALSE(DecodeEntry(std::string("\x0a\x01x", 3)).ok()) << "type as bytes";
  EXPECT_FALSE(DecodeEntry(std::string("\x20\x01", 2)).ok()) << "data as a number";
  EXPECT_FALSE(DecodeHardState(std::string("\x0d\1\0\0\0", 5)).ok()) << "term as fixed32";
  EXPECT_FALSE(DecodeEntry(std::string("\x08\x80\x02", 3)).ok()) << "an enum above 255";
  EXPECT_FALSE(DecodeEntry(std::string("\x00\x01", 2)).ok()) << "field 0";
}

TEST(RaftpbDecode, UnknownFieldsAreSkipped) {
  // 15 varint, 16 fixed64, 17 bytes, 18 fixed32, 19 group holding one field.
  const std::string unknown(
      "\x78\x05\x81\x01"
      "12345678"
      "\x8a\x01\x02hi\x95\x01"
      "1234"
      "\x9b\x01\x08\x01\x9c\x01",
      29);
  const auto entry = DecodeEntry("\x10\x02" + unknown + "\x18\x04");
  ASSERT_TRUE(entry.ok());
  EXPECT_EQ(entry->term, Term(2));
  EXPECT_EQ(entry->index, Index(4));
  EXPECT_FALSE(DecodeEntry("\x9b\x01\x08\x01").ok()) << "a group without an end";
  EXPECT_FALSE(DecodeEntry("\x9c\x01").ok()) << "an end without a group";
  EXPECT_FALSE(DecodeEntry(std::string(100000, '\x0b')).ok()) << "nesting is bounded";
}

}  // namespace
}  // namespace etcd::raftcodec
