#include "server/transport/connection.h"

#include <sys/uio.h>
#include <utility>

#include "server/base/check.h"
#include "server/transport/h2_session.h"
#include "server/transport/http1_session.h"
#include "server/transport/sniff.h"

namespace etcd::transport {
namespace {

// How much is gathered for one write, and how much one connection writes before others get a turn.
constexpr std::size_t kFillBytes = 128 * 1024;
constexpr std::size_t kTurnBytes = 1024 * 1024;
constexpr int kReadsPerTurn = 4;
constexpr std::size_t kGatherMax = 64;
// How long a peer that was told why it is cut off may take to read that.
constexpr std::chrono::seconds kLinger(1);

}  // namespace

Connection::Connection(ClientLoop& loop, ServerContext& context, const ListenEndpoint& endpoint,
                       std::unique_ptr<net::ByteStream> stream, std::string peer)
    : loop_(loop),
      context_(context),
      endpoint_(endpoint),
      peer_(std::move(peer)),
      stream_(std::move(stream)),
      readiness_(loop),
      deadline_(loop.timers(), [this] { Close(); }) {}

void Connection::Start() {
  if (!readiness_.Watch(stream_->descriptor())) return;  // the socket closes with us
  loop_.Add(shared_from_this());
  context_.connections.Add();
  half_open_ = true;
  loop_.AddHalfOpen(this);
  deadline_.Arm(loop_.now() + context_.options.handshake_timeout);
  ArmRead();
}

void Connection::Established() {
  if (!half_open_) return;
  half_open_ = false;
  loop_.RemoveHalfOpen(this);
  if (state_ == State::kOpen) deadline_.Disarm();
}

void Connection::ArmRead() {
  if (reading_ || state_ == State::kClosed) return;
  reading_ = true;
  readiness_.OnReadable([self = shared_from_this()] {
    self->reading_ = false;
    if (self->state_ != State::kClosed) self->OnReadable();
  });
}

void Connection::ArmWrite() {
  if (writing_ || state_ == State::kClosed) return;
  writing_ = true;
  readiness_.OnWritable([self = shared_from_this()] {
    self->writing_ = false;
    if (self->state_ != State::kClosed) self->Flush();
  });
}

void Connection::OnReadable() {
  const std::span<char> buffer = loop_.read_buffer();
  for (int turn = 0; turn < kReadsPerTurn; ++turn) {
    const net::IoResult result = stream_->Read(buffer);
    switch (result.kind) {
      case net::IoResult::Kind::kBytes:
        break;
      case net::IoResult::Kind::kWantRead:
        ArmRead();
        return;
      case net::IoResult::Kind::kWantWrite:
        ArmWrite();
        return;
      case net::IoResult::Kind::kEnd:
        OnPeerEnd();
        return;
      case net::IoResult::Kind::kError:
        Close();
        return;
    }
    if (state_ == State::kOpen && !Deliver({buffer.data(), result.bytes})) CloseAfterFlush();
    if (state_ == State::kClosed) return;
    if (state_ == State::kOpen) WantFlush();
    // A short read has emptied the socket.
    if (result.bytes < buffer.size()) break;
    if (protocol_ != nullptr && protocol_->Overloaded()) break;
  }
  // While the peer does not read the answers to what it sends, Flush resumes the reading.
  if (protocol_ == nullptr || !protocol_->Overloaded()) ArmRead();
}

void Connection::OnPeerEnd() {
  if (state_ != State::kOpen || protocol_ == nullptr || !protocol_->OnEnd()) {
    Close();
    return;
  }
  WantFlush();  // a half-closed HTTP/1 client still reads its answer
}

bool Connection::Deliver(std::string_view bytes) {
  if (protocol_ != nullptr) return protocol_->OnBytes(bytes);
  if (sniffed_.empty()) return Sniff(bytes);
  sniffed_.append(bytes);
  return Sniff(std::string(sniffed_));
}

bool Connection::Sniff(std::string_view bytes) {
  switch (transport::Sniff(bytes)) {
    case Sniffed::kUnknownYet:
      if (sniffed_.empty()) sniffed_ = bytes;
      return true;
    case Sniffed::kHttp2:
      if (!endpoint_.serve_grpc) break;
      protocol_ = std::make_unique<H2Session>(*this);
      break;
    case Sniffed::kHttp1:
      if (!endpoint_.serve_http || context_.http == nullptr) break;
      protocol_ = std::make_unique<Http1Session>(*this);
      break;
    case Sniffed::kGarbage:
      break;
  }
  sniffed_ = std::string();
  if (protocol_ == nullptr) {
    Close();  // without a byte
    return true;
  }
  if (draining_) protocol_->Drain();
  return protocol_->OnBytes(bytes);
}

void Connection::WantFlush() {
  if (dirty_ || state_ == State::kClosed) return;
  dirty_ = true;
  loop_.MarkDirty(shared_from_this());
}

void Connection::Flush() {
  dirty_ = false;
  if (state_ == State::kClosed || protocol_ == nullptr) {
    if (state_ == State::kFlushing) Close();
    return;
  }
  if (!unsent_.empty()) {
    if (!WriteOut(unsent_)) return;
    unsent_ = OutBuffer();  // idle connections hold no buffers
  }
  OutBuffer& scratch = loop_.scratch();
  std::size_t written = 0;
  while (true) {
    protocol_->Fill(scratch, kFillBytes);
    if (state_ == State::kClosed) {
      scratch.Clear();
      return;
    }
    if (scratch.empty()) break;
    written += scratch.size();
    if (!WriteOut(scratch)) {
      if (state_ != State::kClosed) std::swap(unsent_, scratch);
      scratch.Clear();
      return;
    }
    if (written >= kTurnBytes) {
      WantFlush();
      return;
    }
  }
  AfterFlush();
}

// True when all of `out` went into the socket. Otherwise the write is continued when the socket is
// writable, or the connection is closed.
bool Connection::WriteOut(OutBuffer& out) {
  while (!out.empty()) {
    iovec entries[kGatherMax];
    const net::IoResult result = stream_->Write(entries, out.Gather(entries, kGatherMax));
    switch (result.kind) {
      case net::IoResult::Kind::kBytes:
        out.Consume(result.bytes);
        break;
      case net::IoResult::Kind::kWantWrite:
        ArmWrite();
        return false;
      case net::IoResult::Kind::kWantRead:
        ArmRead();
        return false;
      case net::IoResult::Kind::kEnd:
      case net::IoResult::Kind::kError:
        Close();
        return false;
    }
  }
  return true;
}

void Connection::AfterFlush() {
  if (state_ == State::kOpen && protocol_->Finished()) state_ = State::kFlushing;
  if (state_ == State::kFlushing) {
    // Closing with unread input would make the kernel reset the connection, and the peer could lose
    // what it has not read yet: say the end, then read and ignore for a moment.
    state_ = State::kLingering;
    stream_->ShutdownWrite();
    deadline_.Arm(loop_.now() + kLinger);
  }
  if (!protocol_->Overloaded()) ArmRead();
}

void Connection::CloseAfterFlush() {
  if (state_ != State::kOpen) return;
  state_ = State::kFlushing;
  // A peer that does not read at all is not waited for.
  deadline_.Arm(loop_.now() + context_.options.handshake_timeout);
  WantFlush();
}

void Connection::Drain() {
  if (draining_ || state_ != State::kOpen) return;
  draining_ = true;
  if (protocol_ == nullptr) {
    Close();
    return;
  }
  protocol_->Drain();
  WantFlush();
}

void Connection::Close() {
  if (state_ == State::kClosed) return;
  const std::shared_ptr<Connection> self = shared_from_this();
  state_ = State::kClosed;
  deadline_.Disarm();
  if (half_open_) {
    half_open_ = false;
    loop_.RemoveHalfOpen(this);
  }
  if (protocol_ != nullptr) protocol_->OnClosed();
  readiness_.Release();
  stream_.reset();  // now, not when the last handler under way lets go of us
  loop_.Remove(self);
  context_.connections.Remove();
}

}  // namespace etcd::transport
