#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "server/net/loop.h"
#include "server/net/readiness.h"
#include "server/net/stream.h"
#include "server/net/timer_queue.h"
#include "server/transport/client_loop.h"
#include "server/transport/context.h"
#include "server/transport/protocol.h"

namespace etcd::transport {

// One client connection: moves bytes between the socket and the protocol, which the first bytes
// choose. Loop thread only; kept alive by its loop until it is closed, and by handlers under way.
class Connection final : public net::Flushable, public std::enable_shared_from_this<Connection> {
 public:
  Connection(ClientLoop& loop, ServerContext& context, const ListenEndpoint& endpoint,
             std::unique_ptr<net::ByteStream> stream, std::string peer);
  ~Connection() override = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Start();
  // There is something to write: Flush runs before the loop sleeps.
  void WantFlush();
  void Flush() override;
  // Ends now. What was not written is lost.
  void Close();
  // Ends after what is to be written, so that the peer can read the reason.
  void CloseAfterFlush();
  void Drain();

  // The peer has proved to speak a protocol of ours.
  void Established();

  ClientLoop& loop() { return loop_; }
  ServerContext& context() { return context_; }
  const ListenEndpoint& endpoint() const { return endpoint_; }
  const std::string& peer() const { return peer_; }

 private:
  enum class State : std::uint8_t { kOpen, kFlushing, kLingering, kClosed };

  void ArmRead();
  void ArmWrite();
  void OnReadable();
  void OnPeerEnd();
  bool Deliver(std::string_view bytes);
  bool Sniff(std::string_view bytes);
  bool WriteOut(OutBuffer& out);
  void AfterFlush();

  ClientLoop& loop_;
  ServerContext& context_;
  const ListenEndpoint& endpoint_;
  std::string peer_;
  // Declared before the descriptor, which lets go of the number before the stream closes it.
  std::unique_ptr<net::ByteStream> stream_;  // null when closed
  net::Readiness readiness_;
  std::unique_ptr<Protocol> protocol_;  // null until the first bytes told
  std::string sniffed_;                 // bytes before that
  OutBuffer unsent_;                    // what the socket did not take
  net::Timer deadline_;                 // handshake, then lingering
  State state_ = State::kOpen;
  bool dirty_ = false;
  bool reading_ = false;  // a wait for readable is under way
  bool writing_ = false;
  bool half_open_ = false;
  bool draining_ = false;
};

}  // namespace etcd::transport
