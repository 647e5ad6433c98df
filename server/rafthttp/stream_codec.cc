#include "server/rafthttp/stream_codec.h"

#include <algorithm>

#include "server/base/bytes.h"
#include "server/base/status.h"
#include "server/raftcodec/raftpb.h"
#include "server/raftcodec/wire.h"
#include "server/rafthttp/message_check.h"

namespace etcd::rafthttp {
namespace {

constexpr char kLinkHeartbeat = 0;
constexpr char kAppEntries = 1;
constexpr char kApp = 2;
// Below this a copy costs less than a reference and its place in the iovec.
constexpr std::size_t kReferenceFrom = 4096;
// A buffer that one large frame has left behind is given back.
constexpr std::size_t kKeptCapacity = 1 << 20;

absl::Status Broken(std::string_view why) {
  return base::MakeStatus(absl::StatusCode::kInvalidArgument, why);
}

void AppendLengthPrefixed(const raft::Message& message, std::string& out) {
  base::AppendBigEndian64(out, raftcodec::EncodedSize(message));
  raftcodec::AppendTo(out, message);
}

// The same bytes as raftcodec's, with a reference to the payload.
void AppendEntry(const raft::Entry& entry, FrameBuffer& out) {
  base::AppendBigEndian64(out.tail(), raftcodec::EncodedSize(entry));
  if (entry.data.size() < kReferenceFrom) {
    raftcodec::AppendTo(out.tail(), entry);
    return;
  }
  raftcodec::SmallWriter<48> head;
  head.Varint(0x08, static_cast<std::uint64_t>(entry.type));
  head.Varint(0x10, entry.term.value());
  head.Varint(0x18, entry.index.value());
  head.Varint(0x22, entry.data.size());
  out.tail().append(head.view());
  out.AppendPayload(entry.data);
}

Index LastIndex(const raft::Message& message) {
  return message.entries.empty() ? message.index : message.entries.back().index;
}

bool IsLinkHeartbeat(const raft::Message& message) {
  return message.type == raft::MessageType::kHeartbeat && !message.to && !message.from;
}

}  // namespace

std::string_view PathName(StreamKind kind) {
  return kind == StreamKind::kMessage ? "message" : "msgapp";
}

std::string_view LogName(StreamKind kind) {
  return kind == StreamKind::kMessage ? "stream Message" : "stream MsgApp v2";
}

void FrameBuffer::AppendPayload(const raft::Payload& payload) {
  rope_.Append(std::exchange(tail_, {}));
  rope_.Append(base::Slice{payload.view(), payload.owner()});
}

base::Rope FrameBuffer::Take() {
  rope_.Append(std::exchange(tail_, {}));
  return std::exchange(rope_, {});
}

absl::Status FrameDecoder::Feed(std::string_view bytes, std::vector<raft::Message>& out) {
  while (true) {
    if (pending_.empty() && bytes.size() >= need_) {  // no copy
      const std::string_view item = bytes.substr(0, need_);
      bytes.remove_prefix(need_);
      RETURN_IF_ERROR(OnItem(item, out));
      continue;
    }
    const std::size_t taken = std::min(need_ - pending_.size(), bytes.size());
    pending_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (pending_.size() < need_) return absl::OkStatus();
    RETURN_IF_ERROR(OnItem(pending_, out));
    pending_.clear();
    if (pending_.capacity() > kKeptCapacity) pending_.shrink_to_fit();
  }
}

absl::Status FrameDecoder::ReadLength(std::string_view item, std::size_t used,
                                      std::size_t& length) const {
  const std::uint64_t value = base::LoadBigEndian64(item.data());
  if (value > message_bytes_max_ || used > message_bytes_max_ - value) {
    return Broken("rafthttp: error limit exceeded");
  }
  length = static_cast<std::size_t>(value);
  return absl::OkStatus();
}

void MessageEncoder::Append(const raft::Message& message, FrameBuffer& out) {
  AppendLengthPrefixed(message, out.tail());
}

void MessageEncoder::AppendHeartbeat(FrameBuffer& out) { Append(raft::Message{}, out); }

absl::Status MessageDecoder::OnItem(std::string_view item, std::vector<raft::Message>& out) {
  if (!in_body_) {
    in_body_ = true;
    return ReadLength(item, 0, need_);
  }
  in_body_ = false;
  need_ = 8;
  ASSIGN_OR_RETURN(raft::Message message, DecodeFromPeer(item, Channel::kStream));
  if (!IsLinkHeartbeat(message)) out.push_back(std::move(message));
  return absl::OkStatus();
}

void MsgAppEncoder::Append(const raft::Message& message, FrameBuffer& out) {
  if (message.index == index_ && message.log_term == term_ && message.log_term == message.term) {
    out.tail().push_back(kAppEntries);
    base::AppendBigEndian64(out.tail(), message.entries.size());
    for (const raft::Entry& entry : message.entries) AppendEntry(entry, out);
    base::AppendBigEndian64(out.tail(), message.commit.value());
  } else {
    out.tail().push_back(kApp);
    AppendLengthPrefixed(message, out.tail());
    term_ = message.term;
  }
  index_ = LastIndex(message);
}

void MsgAppEncoder::AppendHeartbeat(FrameBuffer& out) { out.tail().push_back(kLinkHeartbeat); }

absl::Status MsgAppDecoder::OnItem(std::string_view item, std::vector<raft::Message>& out) {
  switch (state_) {
    case State::kType:
      return OnType(item[0]);
    case State::kCount:
      return OnCount(base::LoadBigEndian64(item.data()));
    case State::kEntryLength:
      state_ = State::kEntry;
      return ReadLength(item, entry_bytes_, need_);
    case State::kEntry:
      return OnEntry(item);
    case State::kCommit:
      OnCommit(base::LoadBigEndian64(item.data()), out);
      return absl::OkStatus();
    case State::kMessageLength:
      state_ = State::kMessage;
      return ReadLength(item, 0, need_);
    case State::kMessage:
      return OnMessage(item, out);
  }
  return Broken("no state");
}

absl::Status MsgAppDecoder::OnType(char type) {
  switch (type) {
    case kLinkHeartbeat:
      return absl::OkStatus();  // the next type follows
    case kAppEntries:
      Expect(State::kCount, 8);
      return absl::OkStatus();
    case kApp:
      Expect(State::kMessageLength, 8);
      return absl::OkStatus();
    default:
      return Broken("unknown message type of the msgapp stream");
  }
}

absl::Status MsgAppDecoder::OnCount(std::uint64_t count) {
  if (count > kEntriesPerMessageMax) return Broken("too many entries in a message");
  entries_left_ = count;
  entry_bytes_ = 0;
  message_ = raft::Message();
  message_.type = raft::MessageType::kApp;
  message_.to = local_;
  message_.from = remote_;
  message_.term = message_.log_term = term_;
  message_.index = index_;
  Expect(count > 0 ? State::kEntryLength : State::kCommit, 8);
  return absl::OkStatus();
}

absl::Status MsgAppDecoder::OnEntry(std::string_view bytes) {
  ASSIGN_OR_RETURN(raft::Entry entry, raftcodec::DecodeEntry(bytes));
  message_.entries.push_back(std::move(entry));
  entry_bytes_ += bytes.size();
  --entries_left_;
  if (entries_left_ > 0) {
    Expect(State::kEntryLength, 8);
    return absl::OkStatus();
  }
  Expect(State::kCommit, 8);
  return CheckEntries(message_);
}

void MsgAppDecoder::OnCommit(std::uint64_t commit, std::vector<raft::Message>& out) {
  message_.commit = Index(commit);
  index_ = LastIndex(message_);
  out.push_back(std::exchange(message_, {}));
  Expect(State::kType, 1);
}

absl::Status MsgAppDecoder::OnMessage(std::string_view bytes, std::vector<raft::Message>& out) {
  ASSIGN_OR_RETURN(raft::Message message, DecodeFromPeer(bytes, Channel::kStream));
  term_ = message.term;
  index_ = LastIndex(message);
  out.push_back(std::move(message));
  Expect(State::kType, 1);
  return absl::OkStatus();
}

}  // namespace etcd::rafthttp
