#include "server/rafthttp/stream_writer.h"

#include <utility>

#include "server/base/log.h"
#include "server/rafthttp/http.h"

namespace etcd::rafthttp {
namespace {

// Bytes that wait for the socket; above it messages stay in the queue.
constexpr std::size_t kUnwrittenMax = 1 << 20;

std::size_t PayloadBytes(const raft::Message& message) {
  std::size_t bytes = message.context.size();
  for (const raft::Entry& entry : message.entries) bytes += entry.data.size();
  return bytes;
}

std::unique_ptr<FrameEncoder> MakeEncoder(StreamKind kind) {
  if (kind == StreamKind::kMsgApp) return std::make_unique<MsgAppEncoder>();
  return std::make_unique<MessageEncoder>();
}

}  // namespace

StreamWriter::StreamWriter(Link& link, StreamKind kind)
    : link_(link),
      kind_(kind),
      heartbeat_(link.context.loop.timers(), [this] { SendHeartbeat(); }) {}

void StreamWriter::Attach(ConnectionPtr connection, std::string head) {
  if (attached()) {
    LOG_WARN("closed TCP streaming connection with remote peer",
             {"stream-writer-type", LogName(kind_)},
             {"remote-peer-id", base::FormatHex(link_.id.value())});
  }
  Close();
  connection_ = std::move(connection);
  link_.context.observer.OnStream(link_.id, 1);
  connection_->SetHandler(this);
  connection_->SetReadTimeout(std::nullopt);  // nothing more comes from there
  encoder_ = MakeEncoder(kind_);
  connection_->Write(base::Rope(std::move(head)));
  LOG_INFO("established TCP streaming connection with remote peer",
           {"stream-writer-type", LogName(kind_)},
           {"local-member-id", base::FormatHex(link_.context.self.id.value())},
           {"remote-peer-id", base::FormatHex(link_.id.value())});
  // At once: the dialer sees that frames come, and the deadline of its reads starts anew.
  SendHeartbeat();
}

bool StreamWriter::Queue(raft::Message message) {
  const std::size_t bytes = PayloadBytes(message);
  const TransportOptions& options = link_.context.options;
  if (queue_.size() >= options.stream_messages_max ||
      queued_bytes_ + bytes > options.stream_payload_bytes_max) {
    return false;
  }
  queued_bytes_ += bytes;
  queue_.push_back(std::move(message));
  return true;
}

void StreamWriter::Pump() {
  if (!attached() || queue_.empty() || connection_->pending_bytes() >= kUnwrittenMax) return;
  FrameBuffer frames;
  while (!queue_.empty() && frames.size() < kUnwrittenMax) {
    const raft::Message& message = queue_.front();
    const std::size_t before = frames.size();
    encoder_->Append(message, frames);
    link_.context.observer.OnSent(link_.id, frames.size() - before);
    queued_bytes_ -= PayloadBytes(message);
    queue_.pop_front();
  }
  WriteChunk(frames);
}

void StreamWriter::WriteChunk(FrameBuffer& frames) {
  base::Rope chunk(ChunkHead(frames.size()));
  chunk.Append(frames.Take());
  chunk.Append(base::Slice{"\r\n", nullptr});
  connection_->Write(std::move(chunk));
}

void StreamWriter::SendHeartbeat() {
  FrameBuffer frames;
  encoder_->AppendHeartbeat(frames);
  link_.context.observer.OnSent(link_.id, frames.size());
  WriteChunk(frames);
  heartbeat_.Arm(link_.context.loop.now() + link_.context.options.read_timeout / 3);
}

void StreamWriter::OnClosed(const absl::Status& why) {
  LOG_WARN("lost TCP streaming connection with remote peer", {"stream-writer-type", LogName(kind_)},
           {"local-member-id", base::FormatHex(link_.context.self.id.value())},
           {"remote-peer-id", base::FormatHex(link_.id.value())}, {"error", why});
  link_.context.observer.OnSendFailed(link_.id);
  Close();
  link_.status.Deactivate("stream lost");
  // What was on its way may be lost: raft probes anew.
  link_.context.receiver.ReportUnreachable(link_.id);
}

void StreamWriter::Close() {
  heartbeat_.Disarm();
  if (connection_ != nullptr) {
    std::exchange(connection_, nullptr)->Close();
    link_.context.observer.OnStream(link_.id, -1);
  }
  queue_.clear();
  queued_bytes_ = 0;
}

}  // namespace etcd::rafthttp
