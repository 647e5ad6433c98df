#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/net/timer_queue.h"
#include "server/transport/connection.h"
#include "server/transport/http_exchange.h"
#include "server/transport/protocol.h"
#include "server/transport/send_queue.h"

namespace etcd::transport {

// HTTP/1.0 and 1.1 on one connection, parsed by Beast. One request at a time: what a client sends
// ahead (pipelining) waits until the answer is complete. The body of a request that its handler
// streams is parsed while it is answered. Loop thread only.
class Http1Session final : public Protocol, public HttpAnswerWriter {
 public:
  explicit Http1Session(Connection& connection);
  ~Http1Session() override;

  // Protocol
  bool OnBytes(std::string_view bytes) override;
  bool OnEnd() override;
  void Fill(OutBuffer& out, std::size_t bytes_hint) override;
  bool Finished() const override { return closing_ && queue_.ready_bytes() == 0 && !exchange_; }
  bool Overloaded() const override { return input_.size() > kInputAheadMax; }
  void Drain() override;
  void OnClosed() override;

  // HttpAnswerWriter
  void WriteHead(int status, HttpHeaders headers, std::optional<std::uint64_t> length) override;
  void WriteBody(base::Rope bytes) override;
  void WriteEnd() override;
  void Abandon() override;

 private:
  struct BodyTarget;
  struct StreamedBody;
  struct Parser;
  // Requests ahead of their turn; above it nothing is read from the client.
  static constexpr std::size_t kInputAheadMax = 64 * 1024;

  // What is left of a streamed body after the answer is thrown away, up to this.
  static constexpr std::size_t kDiscardMax = 256 * 1024;

  bool Parse();
  void NewParser();
  // One step of the parser; false: it has what it can use of the input, or the connection ends.
  bool ParseStep();
  void OnHead();
  void OnRequestEnd();
  void OnParseError(int status);
  void EndReading();
  void StartExchange();
  void StartStreaming();
  void Refuse(int status, std::string_view text);
  void OnTimer();
  void ArmIdle();

  Connection& connection_;
  std::unique_ptr<Parser> parser_;  // of the request being received
  // Of a connection that was upgraded, or waits for the answer to that: gets all that comes.
  std::shared_ptr<base::HttpBodyReader> tunnel_;
  std::string input_;                       // bytes not parsed yet
  std::shared_ptr<HttpExchange> exchange_;  // request being answered
  SendQueue queue_;
  std::size_t unsent_body_bytes_ = 0;  // of the exchange, in queue_
  net::Timer timer_;           // header deadline, idle time, or patience with a half-closed client
  bool head_request_ = false;  // HEAD: the answer has no body
  bool version_1_0_ = false;
  bool keep_alive_ = false;
  bool chunked_ = false;
  bool upgrade_ = false;   // the request asked for a WebSocket: the last one of the connection
  bool bodyless_ = false;  // status without a body
  bool head_written_ = false;
  bool closing_ = false;  // after the current answer
  bool peer_ended_ = false;
  bool in_parse_ = false;
};

}  // namespace etcd::transport
