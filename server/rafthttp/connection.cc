#include "server/rafthttp/connection.h"

#include <array>
#include <utility>

#include "server/base/status.h"

namespace etcd::rafthttp {
namespace {

// Reads of one connection before the others get their turn.
constexpr int kReadsPerTurn = 4;
constexpr std::size_t kPiecesPerWrite = 64;

absl::Status Lost(std::string_view why) {
  return base::MakeStatus(absl::StatusCode::kUnavailable, why);
}

}  // namespace

Connection::Connection(net::Loop& loop, std::unique_ptr<net::ByteStream> stream,
                       std::chrono::nanoseconds write_timeout, std::string peer)
    : loop_(loop),
      stream_(std::move(stream)),
      readiness_(loop),
      write_timeout_(write_timeout),
      peer_(std::move(peer)),
      read_timer_(loop.timers(), [this] { Fail(Lost("i/o timeout")); }),
      write_timer_(loop.timers(), [this] { Fail(Lost("i/o timeout")); }) {
  // Fails when epoll has no room: nothing moves then, and the deadlines end it.
  static_cast<void>(readiness_.Watch(stream_->descriptor()));
}

Connection::~Connection() { Close(); }

void Connection::Start() { SetReading(true); }

void Connection::SetReading(bool reading) {
  reading_ = reading;
  if (reading_ && !closed()) ArmRead();
}

void Connection::SetReadTimeout(std::optional<std::chrono::nanoseconds> timeout) {
  read_timeout_ = timeout;
  read_timer_.Disarm();
  CountRead();
}

void Connection::CountRead() {
  if (read_timeout_ && !closed()) read_timer_.Arm(loop_.now() + *read_timeout_);
}

void Connection::ArmRead() {
  if (std::exchange(read_armed_, true)) return;
  readiness_.OnReadable([self = shared_from_this()] {
    self->read_armed_ = false;
    if (!self->closed()) self->OnReadable();
  });
}

void Connection::ArmWrite() {
  if (std::exchange(write_armed_, true)) return;
  readiness_.OnWritable([self = shared_from_this()] {
    self->write_armed_ = false;
    if (!self->closed()) self->OnWritable();
  });
}

void Connection::OnReadable() {
  for (int i = 0; i < kReadsPerTurn; ++i) {
    if (closed() || !reading_) return;
    const std::span<char> buffer = loop_.read_buffer();
    const net::IoResult result = stream_->Read(buffer);
    switch (result.kind) {
      case net::IoResult::Kind::kBytes:
        CountRead();
        if (!closing_ && handler_ != nullptr) handler_->OnBytes({buffer.data(), result.bytes});
        if (result.bytes < buffer.size()) i = kReadsPerTurn;  // there is no more for now
        break;
      case net::IoResult::Kind::kWantWrite:
        read_wants_write_ = true;
        return ArmWrite();
      case net::IoResult::Kind::kWantRead:
        i = kReadsPerTurn;
        break;
      case net::IoResult::Kind::kEnd:
        return Fail(Lost("EOF"));
      case net::IoResult::Kind::kError:
        return Fail(Lost("connection reset by peer"));
    }
  }
  if (!closed() && reading_) ArmRead();
}

void Connection::OnWritable() {
  if (std::exchange(read_wants_write_, false)) OnReadable();
  if (!closed()) Flush();
}

void Connection::Write(base::Rope bytes) {
  if (closed() || bytes.empty()) return;
  if (pending_bytes_ == 0) write_timer_.Arm(loop_.now() + write_timeout_);
  pending_bytes_ += bytes.size();
  for (const base::Slice& slice : bytes.slices()) out_.push_back(slice);
  if (!std::exchange(dirty_, true)) loop_.MarkDirty(shared_from_this());
}

void Connection::Flush() {
  dirty_ = false;
  if (closed() || write_armed_) return;
  while (pending_bytes_ > 0) {
    if (!WriteSome()) return;
  }
  write_timer_.Disarm();
  if (closing_) return Fail(absl::OkStatus());
  if (handler_ != nullptr) handler_->OnDrained();
}

// False: the rest has to wait, or the connection is gone.
bool Connection::WriteSome() {
  std::array<iovec, kPiecesPerWrite> pieces;
  std::size_t count = 0;
  std::size_t skip = out_offset_;
  for (auto slice = out_.begin(); slice != out_.end() && count < pieces.size(); ++slice) {
    pieces[count++] = {const_cast<char*>(slice->bytes.data() + skip), slice->bytes.size() - skip};
    skip = 0;
  }
  const net::IoResult result = stream_->Write(pieces.data(), count);
  switch (result.kind) {
    case net::IoResult::Kind::kBytes:
      Consume(result.bytes);
      write_timer_.Arm(loop_.now() + write_timeout_);
      return true;
    case net::IoResult::Kind::kWantWrite:
      ArmWrite();
      return false;
    case net::IoResult::Kind::kWantRead:  // TLS: the next read goes on with it
      if (!reading_) SetReading(true);
      return false;
    default:
      Fail(Lost("broken pipe"));
      return false;
  }
}

void Connection::Consume(std::size_t bytes) {
  pending_bytes_ -= bytes;
  while (bytes > 0) {
    const std::size_t left = out_.front().bytes.size() - out_offset_;
    if (bytes < left) {
      out_offset_ += bytes;
      return;
    }
    bytes -= left;
    out_offset_ = 0;
    out_.pop_front();
  }
}

void Connection::CloseAfterWrite() {
  closing_ = true;
  // An empty queue: closed at the end of the round, not under the caller's feet.
  if (!closed() && !std::exchange(dirty_, true)) loop_.MarkDirty(shared_from_this());
}

void Connection::Close() {
  if (closed()) return;
  Release();
}

std::unique_ptr<net::ByteStream> Connection::Release() {
  if (closed()) return nullptr;
  read_timer_.Disarm();
  write_timer_.Disarm();
  readiness_.Release();
  out_.clear();
  pending_bytes_ = 0;
  handler_ = nullptr;
  return std::move(stream_);
}

void Connection::Fail(absl::Status why) {
  const ConnectionPtr self = shared_from_this();  // the handler may let go of it
  Handler* const handler = handler_;
  Close();
  if (handler != nullptr) handler->OnClosed(why);
}

}  // namespace etcd::rafthttp
