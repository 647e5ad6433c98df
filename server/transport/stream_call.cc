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
  Notify();
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
    Notify();
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
    // Sequentially consistent, as is NotifyWhenBelow: either it sees these bytes gone, or the wish
    // is seen here.
    pending_bytes_.fetch_sub(counted_bytes_ - left);
    counted_bytes_ = left;
  }
  if (wants_notice_.load()) Notify();
}

void StreamCall::NotifyWhenBelow(std::size_t bytes, absl::AnyInvocable<void()> ready) {
  {
    const std::lock_guard lock(mu_);
    notify_below_ = bytes;
    notify_ = std::move(ready);
    wants_notice_.store(true);
  }
  Notify();
}

void StreamCall::Notify() {
  absl::AnyInvocable<void()> ready;
  {
    const std::lock_guard lock(mu_);
    const bool over = ended_.load(std::memory_order_relaxed);
    if (!notify_ || (!over && PendingBytes() > notify_below_)) return;
    ready = std::move(notify_);
    notify_ = nullptr;
    wants_notice_.store(false);
  }
  ready();  // without the lock: it may send
}

}  // namespace etcd::transport
