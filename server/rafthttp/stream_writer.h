#pragma once

#include <cstddef>
#include <deque>
#include <memory>

#include "server/raft/types.h"
#include "server/rafthttp/connection.h"
#include "server/rafthttp/link.h"
#include "server/rafthttp/stream_codec.h"

namespace etcd::rafthttp {

// The sending side of one stream: the peer dialed, its GET is being answered without end. Loop
// thread only.
//
// Queue: messages that are not encoded yet, at most stream_messages_max and
// stream_payload_bytes_max; full: the message is dropped and the peer reported. A message is
// encoded when the connection has little left to write, so a slow peer costs references to
// payloads, not copies.
class StreamWriter final : public Connection::Handler {
 public:
  StreamWriter(Link& link, StreamKind kind);
  ~StreamWriter() override { Close(); }

  bool attached() const { return connection_ != nullptr; }
  // Takes the place of the connection before it. `head`: of the answer.
  void Attach(ConnectionPtr connection, std::string head);
  // False: the queue is full. Goes out with the next Pump.
  bool Queue(raft::Message message);
  // Writes what was queued, as one chunk.
  void Pump();
  void Close();

  void OnBytes(std::string_view /*bytes*/) override {}  // a dialer has nothing to say
  void OnClosed(const absl::Status& why) override;
  void OnDrained() override { Pump(); }

 private:
  void SendHeartbeat();
  void WriteChunk(FrameBuffer& frames);

  Link& link_;
  const StreamKind kind_;
  net::Timer heartbeat_;
  ConnectionPtr connection_;  // null: not attached
  std::unique_ptr<FrameEncoder> encoder_;
  std::deque<raft::Message> queue_;
  std::size_t queued_bytes_ = 0;  // payloads in queue_
};

}  // namespace etcd::rafthttp
