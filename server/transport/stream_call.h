#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "server/transport/grpc_call.h"
#include "server/transport/room_notice.h"

namespace etcd::transport {

// A client-, server- or bidirectional stream. The incoming half runs on the loop thread; the
// outgoing half (StreamSink) is used by any thread: it queues under a lock and tells the loop once
// for all that was queued meanwhile.
class StreamCall final : public GrpcCall, public base::StreamSink {
 public:
  using GrpcCall::GrpcCall;

  void OnEndStream() override;
  void RunOnLoop() override;

  // StreamSink; any thread.
  void Send(base::Rope message) override;
  void Finish(absl::Status status) override;
  std::size_t PendingBytes() const override { return pending_bytes_.load(); }
  void NotifyWhenBelow(std::size_t bytes, absl::AnyInvocable<void()> ready) override;
  void SetMetadata(base::ResponseMetadata metadata) override;

 private:
  void OnBegun() override;
  bool OnMessage(std::string_view message) override;
  void OnGone() override;
  void OnProgress() override;

  void TellLoop();
  void CheckRoom() { room_.Check(PendingBytes(), ended_.load(std::memory_order_relaxed)); }

  std::unique_ptr<base::StreamHandler> handler_;
  std::vector<base::Rope> taken_;  // what RunOnLoop moves to the queue; kept for its memory
  std::size_t counted_bytes_ = 0;  // of the queue, as pending_bytes_ knows it

  // Bytes accepted and not yet given to the connection. Prefixes of 5 bytes are not counted before
  // a message is in the queue, which no producer minds.
  std::atomic<std::size_t> pending_bytes_{0};
  std::atomic<bool> ended_{false};  // Send and Finish do nothing any more

  std::mutex mu_;
  std::vector<base::Rope> pending_;                   // guarded by mu_
  std::optional<absl::Status> finish_;                // guarded by mu_
  std::unique_ptr<base::ResponseMetadata> metadata_;  // guarded by mu_
  bool told_ = false;                                 // guarded by mu_: RunOnLoop will come
  RoomNotice room_;
};

}  // namespace etcd::transport
