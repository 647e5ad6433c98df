#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/http_call.h"
#include "server/net/loop.h"
#include "server/transport/room_notice.h"

namespace etcd::transport {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// The connection's side of an exchange. Loop thread only.
class HttpAnswerWriter {
 public:
  virtual ~HttpAnswerWriter() = default;
  // `length`: of the whole body, when it is known.
  virtual void WriteHead(int status, HttpHeaders headers, std::optional<std::uint64_t> length) = 0;
  virtual void WriteBody(base::Rope bytes) = 0;
  virtual void WriteEnd() = 0;
  // The answer is longer than its reader takes: give up on the connection or stream.
  virtual void Abandon() = 0;
};

// The responder of one HTTP request. Handlers use it from any thread; the connection through
// Attach, Sent and Gone on its loop.
class HttpExchange final : public base::HttpResponder,
                           public net::LoopTask,
                           public std::enable_shared_from_this<HttpExchange> {
 public:
  HttpExchange(net::MailboxPtr mailbox, HttpAnswerWriter& writer, std::size_t pending_bytes_max)
      : mailbox_(std::move(mailbox)), writer_(&writer), pending_bytes_max_(pending_bytes_max) {}

  // HttpResponder; any thread.
  void Begin(int status, HttpHeaders headers) override;
  void Write(base::Rope bytes) override;
  void End() override;
  void OnGone(std::function<void()> gone) override;
  void Reply(int status, HttpHeaders headers, std::string body) override;
  std::size_t PendingBytes() const override { return pending_bytes_.load(); }
  void NotifyWhenBelow(std::size_t bytes, absl::AnyInvocable<void()> ready) override;

  // Loop thread.
  void RunOnLoop() override;
  // Body bytes have left the queue of the connection.
  void Sent(std::size_t bytes);
  // The client has gone or the answer is complete. The writer is not called any more.
  void Gone();

 private:
  struct Step {  // what RunOnLoop has to write, in one batch
    bool head = false;
    int status = 0;
    HttpHeaders headers;
    std::optional<std::uint64_t> length;
    base::Rope body;
    bool end = false;
  };
  void TellLoop();
  void CheckRoom();

  const net::MailboxPtr mailbox_;
  HttpAnswerWriter* writer_;  // loop thread; null when gone
  const std::size_t pending_bytes_max_;
  std::atomic<std::size_t> pending_bytes_{0};
  RoomNotice room_;

  std::mutex mu_;  // guards the rest
  Step step_;
  bool begun_ = false;
  bool ended_ = false;
  bool gone_ = false;
  bool told_ = false;
  std::function<void()> on_gone_;
};

}  // namespace etcd::transport
