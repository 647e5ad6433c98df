#include "server/transport/h2_stream.h"

#include <algorithm>

#include "server/base/log.h"
#include "server/transport/h2_session.h"

namespace etcd::transport {

void H2Stream::Close() {
  if (session_ == nullptr) return;
  SettleBudget(0);
  OnClosed();
  session_ = nullptr;
}

H2Stream::Pull H2Stream::NextFrame(std::size_t bytes_max, std::size_t& bytes) {
  // The source is asked for more than one frame at a time: reading it costs per call.
  constexpr std::size_t kSourceBytes = 64 * 1024;
  const absl::StatusOr<std::size_t> available = queue_.Available(kSourceBytes);
  if (!available.ok()) {
    LOG_WARN("response source failed", {"error", available.status()});
    return Pull::kAbort;
  }
  SettleBudget(queue_.ready_bytes());
  bytes = std::min(*available, bytes_max);
  if (ended_ && bytes == *available && queue_.EndsAfter(bytes)) return Pull::kEnd;
  if (bytes > 0) return Pull::kData;
  waiting_ = true;
  return Pull::kWait;
}

void H2Stream::WriteFrame(std::size_t bytes, OutBuffer& out) {
  queue_.Pop(bytes, out);
  SettleBudget(queue_.ready_bytes());
  OnProgress();
}

void H2Stream::Resume() {
  if (session_ == nullptr) return;
  SettleBudget(queue_.ready_bytes());
  if (waiting_) {
    waiting_ = false;
    session_->ResumeData(*this);
  }
  session_->WantFlush();
}

void H2Stream::EndQueue(HeaderFields trailers) {
  ended_ = true;
  trailers_ = std::move(trailers);
}

void H2Stream::SettleBudget(std::size_t bytes_now) {
  if (!budgeted_ || session_ == nullptr) return;
  MemoryBudget& budget = session_->context().response_budget;
  if (bytes_now > charged_bytes_) budget.Charge(bytes_now - charged_bytes_);
  if (bytes_now < charged_bytes_) budget.Release(charged_bytes_ - bytes_now);
  charged_bytes_ = bytes_now;
}

}  // namespace etcd::transport
