#include "server/transport/unary_call.h"

#include <ctime>
#include <utility>

#include "server/base/status.h"

namespace etcd::transport {
namespace {

constexpr std::uint64_t kSendMessageBytesMax = 2147483647;  // the peer of old: MaxInt32
constexpr std::chrono::milliseconds kBudgetPoll(5);
constexpr std::chrono::milliseconds kTickMax(10);

// What the handler is given to answer with. Fits into the callback without an allocation.
class AnswerOnce {
 public:
  explicit AnswerOnce(std::shared_ptr<UnaryCall> call) : call_(std::move(call)) {}
  AnswerOnce(AnswerOnce&&) noexcept = default;
  AnswerOnce& operator=(AnswerOnce&&) = delete;
  ~AnswerOnce() {
    // A callback that was dropped must not leave the client waiting.
    if (call_ != nullptr) {
      call_->Answer(base::MakeStatus(absl::StatusCode::kInternal, "the call was dropped"));
    }
  }
  void operator()(absl::StatusOr<base::Body> result) {
    std::exchange(call_, nullptr)->Answer(std::move(result));
  }

 private:
  std::shared_ptr<UnaryCall> call_;
};

}  // namespace

bool UnaryCall::OnMessage(std::string_view message) {
  if (has_request_) {
    Finish(base::MakeStatus(absl::StatusCode::kInternal,
                            "grpc: received a second request message for a unary call"),
           nullptr);
    return false;
  }
  has_request_ = true;
  request_.assign(message);
  return Hold(request_.size());
}

void UnaryCall::OnEndStream() {
  if (finished()) return;
  if (!has_request_ || reader().held_bytes() > 0) {
    Finish(base::MakeStatus(absl::StatusCode::kInternal, "unexpected EOF"), nullptr);
    return;
  }
  wait_end_ = session()->loop().now() + session()->context().options.response_wait_max;
  Dispatch();
}

// Answers that wait for slow readers fill the budget: then requests wait here, where they are
// small, instead of as answers.
void UnaryCall::Dispatch() {
  const auto self = shared_from_this();
  if (finished() || session() == nullptr) return;
  if (!session()->context().response_budget.Exceeded()) {
    Start();
    return;
  }
  const net::Loop::Time now = session()->loop().now();
  if (now >= wait_end_) {
    Finish(OverloadedStatus(), nullptr);
    return;
  }
  if (!retry_) retry_.emplace(session()->loop().timers(), [this] { Dispatch(); });
  retry_->Arm(now + kBudgetPoll);
}

void UnaryCall::Start() {
  Hold(0);
  auto self = std::static_pointer_cast<UnaryCall>(shared_from_this());
  method().entry->unary->Start(SharedContext(), request_, AnswerOnce(std::move(self)));
}

void UnaryCall::Answer(absl::StatusOr<base::Body> result) {
  if (mailbox()->OnLoopThread()) {
    Complete(std::move(result));
    return;
  }
  result_.emplace(std::move(result));
  mailbox()->Push(shared_from_this());
}

void UnaryCall::RunOnLoop() {
  absl::StatusOr<base::Body> result = std::move(*result_);
  result_.reset();
  Complete(std::move(result));
}

// The coarse clock is nearly free, which matters on every call; it lags by a tick at most.
void UnaryCall::Report(const absl::StatusOr<base::Body>& result) {
  MethodObserver* const observer = method().observer;
  if (observer == nullptr) return;
  timespec coarse{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &coarse);
  const net::Loop::Time now(std::chrono::seconds(coarse.tv_sec) +
                            std::chrono::nanoseconds(coarse.tv_nsec));
  const std::chrono::nanoseconds above = observer->report_above();
  if (now - begun() + kTickMax <= above) return;
  const auto took = std::chrono::steady_clock::now() - begun();
  if (took > above) observer->Answered({context(), request_, result, took});
}

void UnaryCall::Complete(absl::StatusOr<base::Body> result) {
  Report(result);
  if (finished() || session() == nullptr) return;
  if (!result.ok()) {
    Finish(result.status(), nullptr);
    return;
  }
  const std::uint64_t bytes = result->size();
  const std::unique_ptr<base::ResponseMetadata> metadata = std::move(result->metadata);
  if (bytes > kSendMessageBytesMax) {
    Finish(
        base::MakeStatus(absl::StatusCode::kResourceExhausted,
                         "grpc: trying to send message larger than max (" + std::to_string(bytes) +
                             " vs. " + std::to_string(kSendMessageBytesMax) + ")"),
        metadata.get());
    return;
  }
  CountSent(bytes);
  queue().PushBody(*std::move(result));
  SendHeaders(metadata.get());
  Finish(absl::OkStatus(), metadata.get());
}

}  // namespace etcd::transport
