#include "tests/simulation/stream.h"

#include <algorithm>
#include <utility>

namespace etcd::simulation {
namespace {

Nanos Latency(World& world) {
  return Between(world.random.network, std::chrono::microseconds(20),
                 std::chrono::microseconds(400));
}

}  // namespace

// ---- Server side

void Stream::Send(base::Rope message) {
  if (finished_ || ended_ || process_.is_doomed()) return;
  pending_ += message.size();
  buffer_.push_back(message.Flatten());
  ScheduleDrain();
}

void Stream::Finish(absl::Status /*status*/) {
  if (finished_ || ended_ || process_.is_doomed()) return;
  finished_ = true;
  ScheduleDrain();
}

void Stream::NotifyWhenBelow(std::size_t bytes, absl::AnyInvocable<void()> ready) {
  wake_below_ = bytes;
  writer_ = std::move(ready);
  WakeWriter();
}

void Stream::WakeWriter() {
  if (!writer_ || (pending_ > wake_below_ && !ended_)) return;
  loop_.Post(std::exchange(writer_, nullptr));
}

// ---- Client side

void Stream::ScheduleDrain() {
  if (drain_scheduled_ || ended_) return;
  drain_scheduled_ = true;
  const Nanos due = std::max(world_.now() + Latency(world_), stalled_until_);
  world_.After(due - world_.now(), [self = shared_from_this()] { self->Drain(); });
}

void Stream::Drain() {
  drain_scheduled_ = false;
  if (ended_) return;
  if (world_.now() < stalled_until_) return ScheduleDrain();
  if (buffer_.empty()) {
    if (finished_) End();
    return;
  }
  const std::string message = std::move(buffer_.front());
  buffer_.pop_front();
  pending_ -= message.size();
  on_message_(message);
  WakeWriter();
  if (!buffer_.empty() || finished_) ScheduleDrain();
}

void Stream::StallFor(Nanos duration) { stalled_until_ = world_.now() + duration; }

void Stream::SendRequest(std::string message) {
  // Requests of a stream do not overtake each other.
  last_request_due_ = std::max(last_request_due_ + Nanos(1), world_.now() + Latency(world_));
  world_.After(last_request_due_ - world_.now(),
               [self = shared_from_this(), message = std::move(message)]() mutable {
                 if (self->ended_) return;
                 self->loop_.Post([self, message = std::move(message)] {
                   if (self->handler_ != nullptr && !self->ended_) {
                     self->handler_->OnMessage(message);
                   }
                 });
               });
}

void Stream::Close() {
  if (ended_) return;
  ended_ = true;
  buffer_.clear();
  pending_ = 0;
  loop_.Post([self = shared_from_this()] {
    self->WakeWriter();
    if (self->handler_ == nullptr) return;
    self->handler_->OnClose();
    self->handler_.reset();
  });
}

void Stream::End() {
  Close();
  on_end_();
}

void Stream::Break() {
  writer_ = nullptr;
  handler_.reset();
  if (ended_) return;
  ended_ = true;
  world_.After(Latency(world_), [self = shared_from_this()] { self->on_end_(); });
}

}  // namespace etcd::simulation
