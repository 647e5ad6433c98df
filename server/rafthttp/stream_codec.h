#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>

#include "server/base/ids.h"
#include "server/base/rope.h"
#include "server/raft/types.h"

// The two framings of a stream (raft-peer-storage.md 3.5, 3.6). Pure; a codec belongs to one
// connection.
//
//   message   u64be length | raftpb.Message
//   msgapp    00                                                       heartbeat of the link
//             01 | u64be n | n x (u64be length | Entry) | u64be commit kApp that goes on where the
//                                                                      last one ended
//             02 | u64be length | raftpb.Message                       any other kApp
namespace etcd::rafthttp {

enum class StreamKind : std::uint8_t { kMessage, kMsgApp };
// "message", "msgapp": the path.
std::string_view PathName(StreamKind kind);
// As in etcd's logs: "stream Message", "stream MsgApp v2".
std::string_view LogName(StreamKind kind);

// Bytes on their way out: small pieces are gathered, large payloads referenced.
class FrameBuffer {
 public:
  std::string& tail() { return tail_; }
  void AppendPayload(const raft::Payload& payload);
  std::size_t size() const { return rope_.size() + tail_.size(); }
  base::Rope Take();

 private:
  base::Rope rope_;
  std::string tail_;  // after rope_
};

class FrameEncoder {
 public:
  virtual ~FrameEncoder() = default;
  virtual void Append(const raft::Message& message, FrameBuffer& out) = 0;
  virtual void AppendHeartbeat(FrameBuffer& out) = 0;
};

// Takes the bytes of a stream as they come.
class FrameDecoder {
 public:
  virtual ~FrameDecoder() = default;

  // Appends the messages that are whole now; heartbeats of the link are swallowed. After an error
  // the stream cannot be read any further. Memory: what has really come of one frame, at most
  // `message_bytes_max`, and what DecodeFromPeer makes of it.
  absl::Status Feed(std::string_view bytes, std::vector<raft::Message>& out);

  // Bytes held for a frame that is not whole.
  std::size_t held_bytes() const { return pending_.size(); }

 protected:
  FrameDecoder(std::size_t first, std::size_t message_bytes_max)
      : need_(first), message_bytes_max_(message_bytes_max) {}
  // `item` has need_ bytes; sets need_ for the next one.
  virtual absl::Status OnItem(std::string_view item, std::vector<raft::Message>& out) = 0;
  // A u64be length within bounds; `used` counts towards the same message.
  absl::Status ReadLength(std::string_view item, std::size_t used, std::size_t& length) const;

  std::size_t need_;
  const std::size_t message_bytes_max_;

 private:
  std::string pending_;
};

class MessageEncoder final : public FrameEncoder {
 public:
  void Append(const raft::Message& message, FrameBuffer& out) override;
  void AppendHeartbeat(FrameBuffer& out) override;
};

class MessageDecoder final : public FrameDecoder {
 public:
  explicit MessageDecoder(std::size_t message_bytes_max) : FrameDecoder(8, message_bytes_max) {}

 private:
  absl::Status OnItem(std::string_view item, std::vector<raft::Message>& out) override;
  bool in_body_ = false;
};

// kApp only.
class MsgAppEncoder final : public FrameEncoder {
 public:
  void Append(const raft::Message& message, FrameBuffer& out) override;
  void AppendHeartbeat(FrameBuffer& out) override;

 private:
  Term term_;
  Index index_;
};

class MsgAppDecoder final : public FrameDecoder {
 public:
  // Who talks to whom: frames of type 1 do not say it.
  MsgAppDecoder(MemberId local, MemberId remote, std::size_t message_bytes_max)
      : FrameDecoder(1, message_bytes_max), local_(local), remote_(remote) {}

 private:
  enum class State : std::uint8_t {
    kType,
    kCount,
    kEntryLength,
    kEntry,
    kCommit,
    kMessageLength,
    kMessage
  };
  absl::Status OnItem(std::string_view item, std::vector<raft::Message>& out) override;
  absl::Status OnType(char type);
  absl::Status OnCount(std::uint64_t count);
  absl::Status OnEntry(std::string_view bytes);
  void OnCommit(std::uint64_t commit, std::vector<raft::Message>& out);
  absl::Status OnMessage(std::string_view bytes, std::vector<raft::Message>& out);
  void Expect(State state, std::size_t bytes) {
    state_ = state;
    need_ = bytes;
  }

  const MemberId local_;
  const MemberId remote_;
  State state_ = State::kType;
  Term term_;
  Index index_;
  std::uint64_t entries_left_ = 0;
  std::size_t entry_bytes_ = 0;  // of the frame so far
  raft::Message message_;        // being built
};

}  // namespace etcd::rafthttp
