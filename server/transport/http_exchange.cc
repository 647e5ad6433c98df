#include "server/transport/http_exchange.h"

namespace etcd::transport {

void HttpExchange::Begin(int status, HttpHeaders headers) {
  const std::lock_guard lock(mu_);
  if (begun_ || gone_) return;
  begun_ = true;
  step_.head = true;
  step_.status = status;
  step_.headers = std::move(headers);
  TellLoop();
}

void HttpExchange::Write(base::Rope bytes) {
  const std::lock_guard lock(mu_);
  if (!begun_ || ended_ || gone_ || bytes.empty()) return;
  pending_bytes_.fetch_add(bytes.size());
  step_.body.Append(std::move(bytes));
  TellLoop();
}

void HttpExchange::End() {
  const std::lock_guard lock(mu_);
  if (!begun_ || ended_ || gone_) return;
  ended_ = true;
  step_.end = true;
  TellLoop();
}

void HttpExchange::Reply(int status, HttpHeaders headers, std::string body) {
  const std::lock_guard lock(mu_);
  if (begun_ || gone_) return;
  begun_ = ended_ = true;
  pending_bytes_.fetch_add(body.size());
  step_ = Step{true, status, std::move(headers), body.size(), base::Rope(std::move(body)), true};
  TellLoop();
}

void HttpExchange::OnGone(std::function<void()> gone) {
  {
    const std::lock_guard lock(mu_);
    if (!gone_) {
      on_gone_ = std::move(gone);
      return;
    }
  }
  gone();
}

void HttpExchange::TellLoop() {
  if (told_) return;
  told_ = true;
  mailbox_->Push(shared_from_this());
}

void HttpExchange::RunOnLoop() {
  Step step;
  {
    const std::lock_guard lock(mu_);
    told_ = false;
    std::swap(step, step_);
  }
  const auto self = shared_from_this();
  if (writer_ != nullptr && step.head) {
    writer_->WriteHead(step.status, std::move(step.headers), step.length);
  }
  if (writer_ != nullptr && !step.body.empty()) writer_->WriteBody(std::move(step.body));
  if (writer_ != nullptr && step.end) writer_->WriteEnd();
  if (writer_ != nullptr && !step.length && PendingBytes() > pending_bytes_max_) {
    writer_->Abandon();
  }
}

void HttpExchange::Sent(std::size_t bytes) {
  pending_bytes_.fetch_sub(bytes);
  if (room_.wanted()) CheckRoom();
}

void HttpExchange::Gone() {
  writer_ = nullptr;
  std::function<void()> gone;
  {
    const std::lock_guard lock(mu_);
    if (gone_) return;
    gone_ = true;
    gone = std::move(on_gone_);
  }
  if (gone) gone();
  CheckRoom();
}

void HttpExchange::NotifyWhenBelow(std::size_t bytes, absl::AnyInvocable<void()> ready) {
  room_.Set(bytes, std::move(ready));
  CheckRoom();
}

void HttpExchange::CheckRoom() {
  bool over = false;
  {
    const std::lock_guard lock(mu_);
    over = gone_;
  }
  room_.Check(PendingBytes(), over);
}

}  // namespace etcd::transport
