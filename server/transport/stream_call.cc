#include "server/transport/stream_call.h"

#include <utility>

#include "server/base/status.h"

namespace etcd::transport {

void StreamCall::OnBegun() {
  auto self = std::static_pointer_cast<StreamCall>(shared_from_this());
  handler_ = method().entry->stream->Open(SharedContext(), std::move(self));
}

bool StreamCall::OnMessage(std::string_view message) {
  if (ended_.load(std::memory_order_relaxed)) return false;
  handler_->OnMessage(message);
  // A handler that finished meanwhile wants no more.
  return !ended_.load(std::memory_order_relaxed);
}

void StreamCall::OnEndStream() {
  if (finished() || ended_.load(std::memory_order_relaxed)) return;
  if (reader().held_bytes() > 0) {
    GrpcCall::Finish(base::MakeStatus(absl::StatusCode::kInternal, "unexpected EOF"), nullptr);
    return;
  }
  handler_->OnHalfClose();
}

void StreamCall::OnGone() {
  ended_.store(true, std::memory_order_relaxed);
  pending_bytes_.store(0, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mu_);
    pending_.clear();
  }
  if (handler_ != nullptr) handler_->OnClose();
  handler_.reset();
  CheckRoom();
}

void StreamCall::Send(base::Rope message) {
  if (ended_.load(std::memory_order_relaxed)) return;
  pending_bytes_.fetch_add(message.size());
  const std::lock_guard lock(mu_);
  if (finish_) return;
  pending_.push_back(std::move(message));
  TellLoop();
}

void StreamCall::Finish(absl::Status status) {
  const std::lock_guard lock(mu_);
  if (finish_) return;
  finish_.emplace(std::move(status));
  ended_.store(true, std::memory_order_relaxed);
  TellLoop();
}

void StreamCall::SetMetadata(base::ResponseMetadata metadata) {
  const std::lock_guard lock(mu_);
  metadata_ = std::make_unique<base::ResponseMetadata>(std::move(metadata));
}

void StreamCall::TellLoop() {
  if (told_) return;
  told_ = true;
  mailbox()->Push(shared_from_this());
}

void StreamCall::RunOnLoop() {
  std::optional<absl::Status> finish;
  base::ResponseMetadata* metadata = nullptr;
  {
    const std::lock_guard lock(mu_);
    told_ = false;
    taken_.swap(pending_);
    finish = finish_;
    metadata = metadata_.get();
  }
  if (session() == nullptr || finished()) {
    taken_.clear();
    ended_.store(true);
    pending_bytes_.store(0);
    CheckRoom();
    return;
  }
  if (!taken_.empty()) SendHeaders(metadata);
  for (base::Rope& message : taken_) {
    CountSent(message.size());
    counted_bytes_ += message.size();
    queue().PushMessage(std::move(message));
  }
  taken_.clear();
  if (finish) {
    GrpcCall::Finish(*finish, metadata);
  } else {
    Resume();
  }
}

void StreamCall::OnProgress() {
  // The queue counts prefixes too, so it can hold more than what Send was charged for.
  const std::size_t left = queue().ready_bytes();
  if (left < counted_bytes_) {
    pending_bytes_.fetch_sub(counted_bytes_ - left);
    counted_bytes_ = left;
  }
  if (room_.wanted()) CheckRoom();
}

void StreamCall::NotifyWhenBelow(std::size_t bytes, absl::AnyInvocable<void()> ready) {
  room_.Set(bytes, std::move(ready));
  CheckRoom();
}

}  // namespace etcd::transport
