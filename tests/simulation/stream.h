#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "server/base/call.h"
#include "tests/simulation/world.h"

namespace etcd::simulation {

// One streaming call: the server's sink on one side, the client on the other, the connection's
// buffer between them. The client takes messages at its own pace and may stall.
class Stream final : public base::StreamSink, public std::enable_shared_from_this<Stream> {
 public:
  using OnMessage = std::function<void(const std::string& message)>;
  using OnEnd = std::function<void()>;

  // `loop` is the connection's loop in `process`.
  Stream(World& world, Process& process, base::Executor& loop, OnMessage on_message, OnEnd on_end)
      : world_(world),
        process_(process),
        loop_(loop),
        on_message_(std::move(on_message)),
        on_end_(std::move(on_end)) {}

  // Server side.
  void Send(base::Rope message) override;
  void Finish(absl::Status status) override;
  std::size_t PendingBytes() const override { return pending_; }
  void NotifyWhenBelow(std::size_t bytes, absl::AnyInvocable<void()> ready) override;

  // Client side.
  void SendRequest(std::string message);
  void StallFor(Nanos duration);
  void Close();
  bool is_open() const { return !ended_; }
  // Both sides are done with it.
  bool is_gone() const { return ended_ && handler_ == nullptr; }

  // The process is gone, and with it what the client had not read yet.
  void Break();

  // Between the constructor and the first request.
  void Attach(std::unique_ptr<base::StreamHandler> handler) { handler_ = std::move(handler); }

 private:
  void ScheduleDrain();
  void Drain();
  void WakeWriter();
  void End();

  World& world_;
  Process& process_;
  base::Executor& loop_;
  OnMessage on_message_;
  OnEnd on_end_;
  std::unique_ptr<base::StreamHandler> handler_;

  std::deque<std::string> buffer_;
  std::size_t pending_ = 0;
  bool finished_ = false;  // by the server
  bool ended_ = false;     // the client has seen the end, or closed
  bool drain_scheduled_ = false;
  Nanos stalled_until_{0};
  Nanos last_request_due_{0};
  std::size_t wake_below_ = 0;
  absl::AnyInvocable<void()> writer_;
};

}  // namespace etcd::simulation
