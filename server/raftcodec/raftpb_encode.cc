#include <vector>

#include "server/raftcodec/raftpb.h"
#include "server/raftcodec/wire.h"

// Tags are written as the bytes they are: (field << 3) | wire type.
namespace etcd::raftcodec {
namespace {

template <typename T>
void AppendSubmessage(std::string& out, std::uint8_t tag, const T& value) {
  SmallWriter<11> head;
  head.Varint(tag, EncodedSize(value));
  out.append(head.view());
  AppendTo(out, value);
}

void AppendBytes(std::string& out, std::uint8_t tag, std::string_view bytes) {
  if (bytes.empty()) return;
  SmallWriter<11> head;
  head.Varint(tag, bytes.size());
  out.append(head.view());
  out.append(bytes);
}

std::size_t IdsSize(const std::vector<MemberId>& ids) {
  std::size_t size = 0;
  for (const MemberId id : ids) size += VarintFieldSize(id.value());
  return size;
}

// Unpacked: one tag per element.
void AppendIds(std::string& out, std::uint8_t tag, const std::vector<MemberId>& ids) {
  for (const MemberId id : ids) {
    SmallWriter<11> field;
    field.Varint(tag, id.value());
    out.append(field.view());
  }
}

bool CarriesSnapshot(const raft::Message& message) {
  return message.type == raft::MessageType::kSnap;
}

}  // namespace

// Entry: 08 type | 10 term | 18 index | 22 data (when not empty)
std::size_t EncodedSize(const raft::Entry& entry) {
  std::size_t size = VarintFieldSize(static_cast<std::uint64_t>(entry.type)) +
                     VarintFieldSize(entry.term.value()) + VarintFieldSize(entry.index.value());
  if (!entry.data.empty()) size += BytesFieldSize(entry.data.size());
  return size;
}

void AppendTo(std::string& out, const raft::Entry& entry) {
  SmallWriter<44> head;
  head.Varint(0x08, static_cast<std::uint64_t>(entry.type));
  head.Varint(0x10, entry.term.value());
  head.Varint(0x18, entry.index.value());
  if (!entry.data.empty()) head.Varint(0x22, entry.data.size());
  out.append(head.view());
  out.append(entry.data.view());
}

// HardState: 08 term | 10 vote | 18 commit
std::size_t EncodedSize(const raft::HardState& state) {
  return VarintFieldSize(state.term.value()) + VarintFieldSize(state.vote.value()) +
         VarintFieldSize(state.commit.value());
}

void AppendTo(std::string& out, const raft::HardState& state) {
  SmallWriter<33> fields;
  fields.Varint(0x08, state.term.value());
  fields.Varint(0x10, state.vote.value());
  fields.Varint(0x18, state.commit.value());
  out.append(fields.view());
}

// ConfState: 08 voter … | 10 learner … | 18 outgoing voter … | 20 next learner … | 28 auto_leave
std::size_t EncodedSize(const raft::ConfState& state) {
  return IdsSize(state.voters) + IdsSize(state.learners) + IdsSize(state.voters_outgoing) +
         IdsSize(state.learners_next) + 2;
}

void AppendTo(std::string& out, const raft::ConfState& state) {
  AppendIds(out, 0x08, state.voters);
  AppendIds(out, 0x10, state.learners);
  AppendIds(out, 0x18, state.voters_outgoing);
  AppendIds(out, 0x20, state.learners_next);
  SmallWriter<2> last;
  last.Varint(0x28, state.auto_leave ? 1 : 0);
  out.append(last.view());
}

// ConfChange: 08 id | 10 type | 18 node_id | 22 context (when not empty)
std::size_t EncodedSize(const raft::ConfChange& change) {
  std::size_t size = VarintFieldSize(change.id) +
                     VarintFieldSize(static_cast<std::uint64_t>(change.type)) +
                     VarintFieldSize(change.node_id.value());
  if (!change.context.empty()) size += BytesFieldSize(change.context.size());
  return size;
}

void AppendTo(std::string& out, const raft::ConfChange& change) {
  SmallWriter<33> head;
  head.Varint(0x08, change.id);
  head.Varint(0x10, static_cast<std::uint64_t>(change.type));
  head.Varint(0x18, change.node_id.value());
  out.append(head.view());
  AppendBytes(out, 0x22, change.context);
}

// SnapshotMetadata: 0a conf_state | 10 index | 18 term
std::size_t EncodedSize(const raft::SnapshotMetadata& metadata) {
  return BytesFieldSize(EncodedSize(metadata.conf_state)) +
         VarintFieldSize(metadata.index.value()) + VarintFieldSize(metadata.term.value());
}

void AppendTo(std::string& out, const raft::SnapshotMetadata& metadata) {
  AppendSubmessage(out, 0x0a, metadata.conf_state);
  SmallWriter<22> rest;
  rest.Varint(0x10, metadata.index.value());
  rest.Varint(0x18, metadata.term.value());
  out.append(rest.view());
}

// Snapshot: 0a data (when not empty) | 12 metadata
std::size_t EncodedSize(const raft::Snapshot& snapshot) {
  std::size_t size = BytesFieldSize(EncodedSize(snapshot.metadata));
  if (!snapshot.data.empty()) size += BytesFieldSize(snapshot.data.size());
  return size;
}

void AppendTo(std::string& out, const raft::Snapshot& snapshot) {
  AppendBytes(out, 0x0a, snapshot.data);
  AppendSubmessage(out, 0x12, snapshot.metadata);
}

// Message: 08 type | 10 to | 18 from | 20 term | 28 logTerm | 30 index | 3a entry … | 40 commit |
// 4a snapshot (kSnap only) | 50 reject | 58 rejectHint | 62 context (when not empty) | 68 00 vote
std::size_t EncodedSize(const raft::Message& message) {
  std::size_t size =
      VarintFieldSize(static_cast<std::uint64_t>(message.type)) +
      VarintFieldSize(message.to.value()) + VarintFieldSize(message.from.value()) +
      VarintFieldSize(message.term.value()) + VarintFieldSize(message.log_term.value()) +
      VarintFieldSize(message.index.value()) + VarintFieldSize(message.commit.value()) + 2 +
      VarintFieldSize(message.reject_hint.value()) + 2;
  for (const raft::Entry& entry : message.entries) size += BytesFieldSize(EncodedSize(entry));
  if (CarriesSnapshot(message)) size += BytesFieldSize(EncodedSize(message.snapshot));
  if (!message.context.empty()) size += BytesFieldSize(message.context.size());
  return size;
}

void AppendTo(std::string& out, const raft::Message& message) {
  SmallWriter<66> head;
  head.Varint(0x08, static_cast<std::uint64_t>(message.type));
  head.Varint(0x10, message.to.value());
  head.Varint(0x18, message.from.value());
  head.Varint(0x20, message.term.value());
  head.Varint(0x28, message.log_term.value());
  head.Varint(0x30, message.index.value());
  out.append(head.view());
  for (const raft::Entry& entry : message.entries) AppendSubmessage(out, 0x3a, entry);
  SmallWriter<11> commit;
  commit.Varint(0x40, message.commit.value());
  out.append(commit.view());
  if (CarriesSnapshot(message)) AppendSubmessage(out, 0x4a, message.snapshot);
  SmallWriter<13> tail;
  tail.Varint(0x50, message.reject ? 1 : 0);
  tail.Varint(0x58, message.reject_hint.value());
  out.append(tail.view());
  AppendBytes(out, 0x62, message.context);
  out.append(std::string_view("\x68\0", 2));
}

}  // namespace etcd::raftcodec
