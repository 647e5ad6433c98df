#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "server/base/call.h"
#include "server/net/loop.h"
#include "server/net/timer_queue.h"
#include "server/transport/context.h"
#include "server/transport/h2_session.h"
#include "server/transport/h2_stream.h"
#include "server/transport/message_reader.h"

namespace etcd::transport {

// A call of a method that exists: what unary and streaming calls have in common. Loop thread only,
// but for what the handler holds (context, answer or sink).
class GrpcCall : public H2Stream,
                 public net::LoopTask,
                 public std::enable_shared_from_this<GrpcCall> {
 public:
  GrpcCall(H2Session& session, std::int32_t id, const Method& method);

  base::CallContext& context() { return context_; }
  MessageReader& reader() { return reader_; }
  // "+proto" when the client named one: echoed in the answer.
  void SetContentSubtype(std::string subtype) { content_subtype_ = std::move(subtype); }
  // The context is complete: counts the call, arms its deadline and tells the handler.
  void Begin();

  void OnData(std::string_view bytes) override;

 protected:
  virtual void OnBegun() = 0;
  // False: no more messages are wanted.
  virtual bool OnMessage(std::string_view message) = 0;
  void OnClosed() override;
  virtual void OnGone() = 0;

  // Response headers go out, before the first message.
  void SendHeaders(const base::ResponseMetadata* metadata);
  // Ends the call towards the client; trailers-only when no headers went out. Once.
  void Finish(const absl::Status& status, const base::ResponseMetadata* metadata);
  bool finished() const { return finished_; }
  bool headers_sent() const { return headers_sent_; }

  // True when an incomplete or waiting request of `bytes` may be held; else the call has failed.
  bool Hold(std::size_t bytes);
  void CountSent(std::size_t bytes);
  const Method& method() const { return method_; }
  std::chrono::steady_clock::time_point begun() const { return begun_; }
  const net::MailboxPtr& mailbox() const { return mailbox_; }
  base::CallContextPtr SharedContext() { return {shared_from_this(), &context_}; }

 private:
  void CountHandled(absl::StatusCode code);
  void OnDeadline();

  const Method method_;
  const net::MailboxPtr mailbox_;  // outlives the session: handlers may be late
  base::CallContext context_;
  MessageReader reader_;
  std::optional<net::Timer> deadline_;
  std::string content_subtype_;
  std::chrono::steady_clock::time_point begun_;
  std::size_t held_bytes_ = 0;
  bool headers_sent_ = false;
  bool finished_ = false;  // status given
  bool counted_ = false;
};

// Makes the response header and trailer fields of a status.
HeaderFields TrailerFields(const absl::Status& status, const base::Metadata* metadata);

// Too many bytes wait here for clients. etcd's text, so that clients know what to do; unlike the
// row of errc.h, the code is the one that the text promises.
absl::Status OverloadedStatus();

}  // namespace etcd::transport
