#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "server/base/rope.h"
#include "server/net/loop.h"
#include "server/net/readiness.h"
#include "server/net/stream.h"
#include "server/net/timer_queue.h"

namespace etcd::rafthttp {

// One connection on the loop: bytes in, a queue of bytes out, and the two deadlines that find a
// dead peer. Knows no protocol. Loop thread only; kept alive by its owner, while it waits for the
// descriptor also by the loop.
class Connection final : public net::Flushable, public std::enable_shared_from_this<Connection> {
 public:
  class Handler {
   public:
    virtual ~Handler() = default;
    // What came; nothing is kept by the connection. May close it, or change the handler.
    virtual void OnBytes(std::string_view bytes) = 0;
    // Gone, for another reason than Close by the handler. Last call.
    virtual void OnClosed(const absl::Status& why) = 0;
    // All that was queued has gone out.
    virtual void OnDrained() {}
  };

  Connection(net::Loop& loop, std::unique_ptr<net::ByteStream> stream,
             std::chrono::nanoseconds write_timeout, std::string peer);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The handler must stay until Close, OnClosed or the next SetHandler.
  void SetHandler(Handler* handler) { handler_ = handler; }
  // Begins to read.
  void Start();
  void SetReading(bool reading);
  // Closes when no byte has come for so long; nullopt: waits for ever. Counts from now.
  void SetReadTimeout(std::optional<std::chrono::nanoseconds> timeout);

  // Queued; goes out at the end of the round. A queue that does not move for write_timeout closes
  // the connection.
  void Write(base::Rope bytes);
  std::size_t pending_bytes() const { return pending_bytes_; }
  // Closes once the queue is empty. No more OnBytes; OnClosed is still called.
  void CloseAfterWrite();

  // At once, without telling the handler.
  void Close();
  bool closed() const { return stream_ == nullptr; }
  // Hands the stream over to a thread of its own; null when closed. The connection is closed then.
  std::unique_ptr<net::ByteStream> Release();

  const std::string& peer() const { return peer_; }
  net::Loop& loop() { return loop_; }

  void Flush() override;

 private:
  void ArmRead();
  void ArmWrite();
  void OnReadable();
  void OnWritable();
  bool WriteSome();
  void Consume(std::size_t bytes);
  void Fail(absl::Status why);
  void CountRead();

  net::Loop& loop_;
  std::unique_ptr<net::ByteStream> stream_;  // null: closed
  net::Readiness readiness_;
  const std::chrono::nanoseconds write_timeout_;
  const std::string peer_;
  Handler* handler_ = nullptr;

  std::deque<base::Slice> out_;  // the first one from out_offset_ on
  std::size_t out_offset_ = 0;
  std::size_t pending_bytes_ = 0;

  std::optional<std::chrono::nanoseconds> read_timeout_;
  net::Timer read_timer_;
  net::Timer write_timer_;
  bool reading_ = false;
  bool read_armed_ = false;
  bool write_armed_ = false;
  bool read_wants_write_ = false;  // a TLS handshake in the middle of a read
  bool dirty_ = false;
  bool closing_ = false;  // after the queue
};
using ConnectionPtr = std::shared_ptr<Connection>;

}  // namespace etcd::rafthttp
