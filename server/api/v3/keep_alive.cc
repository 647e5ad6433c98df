#include "server/api/v3/keep_alive.h"

#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "server/api/v3/lease.h"
#include "server/api/v3/wire.h"
#include "server/base/bytes.h"
#include "server/base/mutex.h"
#include "server/base/status.h"
#include "server/lease/lessor.h"

namespace etcd::api::v3 {
namespace {

// A client that sends without end and reads nothing is cut off here.
constexpr std::size_t kWaitingMax = 65'536;
constexpr std::size_t kPendingBytesMax = 4 << 20;

// Thread-safe: requests come on the loop, renewals may be answered anywhere. One driver at a time
// takes requests off the queue.
class Renewals : public std::enable_shared_from_this<Renewals> {
 public:
  Renewals(const Core& core, base::CallContextPtr context, base::StreamSinkPtr sink)
      : core_(core), context_(std::move(context)), sink_(std::move(sink)) {}

  void Add(LeaseId id) {
    bool too_many = sink_->PendingBytes() > kPendingBytesMax;
    bool drive = false;
    {
      const base::MutexLock lock(mu_);
      too_many = too_many || waiting_.size() >= kWaitingMax;
      if (!too_many) {
        waiting_.push_back(id);
        drive = !std::exchange(driven_, true);
      }
    }
    if (too_many) return sink_->Finish(Error(Errc::kTooManyRequests));
    if (drive) Drive();
  }

  // No more requests come; the stream ends when the last one is answered.
  void End() {
    {
      const base::MutexLock lock(mu_);
      ended_ = true;
      if (driven_) return;
    }
    sink_->Finish(absl::OkStatus());
  }

 private:
  enum class Step : std::uint8_t { kRest, kFinish, kConfirm, kRenew };

  void Drive() {
    LeaseId id;
    while (true) {
      switch (NextStep(id)) {
        case Step::kRest:
          return;
        case Step::kFinish:
          return sink_->Finish(absl::OkStatus());
        case Step::kConfirm:
          return Confirm();
        case Step::kRenew:
          if (!RenewAtOnce(id)) return;
      }
    }
  }

  // With kRenew, the lease in `id`.
  Step NextStep(LeaseId& id) {
    const base::MutexLock lock(mu_);
    if (waiting_.empty()) {
      driven_ = false;
      return ended_ ? Step::kFinish : Step::kRest;
    }
    if (confirmed_ == 0) return Step::kConfirm;
    id = waiting_.front();
    waiting_.pop_front();
    --confirmed_;
    return Step::kRenew;
  }

  // Drives on afterwards: all that wait now may be renewed here, or the first one was elsewhere.
  // Not those that come meanwhile: their leases may be granted and not yet applied here.
  void Confirm() {
    LeaseId id;
    std::size_t waiting = 0;
    {
      const base::MutexLock lock(mu_);
      id = waiting_.front();
      waiting = waiting_.size();
    }
    std::string request;  // LeaseKeepAliveRequest: 1 ID
    base::AppendVarintField(request, 1, static_cast<std::uint64_t>(id.value()));
    AskPrimary(core_, context_, {"/leases", std::move(request)},
               [self = shared_from_this(), id,
                waiting](absl::StatusOr<std::optional<std::string>> answer) {
                 if (answer.ok() && !answer->has_value()) return self->DriveHere(waiting);
                 if (self->AnswerElsewhere(id, std::move(answer))) self->Drive();
               });
  }

  void DriveHere(std::size_t confirmed) {
    {
      const base::MutexLock lock(mu_);
      confirmed_ = confirmed;
    }
    Drive();
  }

  // LeaseKeepAliveResponse of the primary: 2 ID, 3 TTL.
  bool AnswerElsewhere(LeaseId id, absl::StatusOr<std::optional<std::string>> answer) {
    {
      const base::MutexLock lock(mu_);
      waiting_.pop_front();
    }
    std::string head;
    core_.AppendHeader(head, core_.store().current_revision());
    if (!answer.ok()) return Answer(id, std::move(head), answer.status());
    std::int64_t ttl = 0;
    WireReader reader(**answer);
    for (WireField field; reader.Next(field);) {
      if (field.IsVarint(3)) ttl = static_cast<std::int64_t>(field.varint);
    }
    return Answer(id, std::move(head), ttl);
  }

  // True when the answer came within the call; else the answer drives on.
  bool RenewAtOnce(LeaseId id) {
    // Header of before the renewal, as in etcd.
    std::string head;
    core_.AppendHeader(head, core_.store().current_revision());
    // Set by whoever comes second: the answer or the end of this function.
    auto met = std::make_shared<std::atomic_flag>();
    core_.deps().lessor.Renew(id, [self = shared_from_this(), id, met, head = std::move(head)](
                                      absl::StatusOr<std::int64_t> ttl) mutable {
      if (!self->Answer(id, std::move(head), std::move(ttl))) return;
      if (met->test_and_set()) self->Drive();
    });
    return met->test_and_set();
  }

  // LeaseKeepAliveResponse: 1 header, 2 ID, 3 TTL. An unknown lease has TTL 0. False when the
  // stream has ended with an error.
  bool Answer(LeaseId id, std::string head, absl::StatusOr<std::int64_t> ttl) {
    if (!ttl.ok()) {
      if (ErrcOf(ttl.status()) != Errc::kLeaseNotFound) {
        sink_->Finish(ttl.status());
        return false;
      }
      ttl = 0;
    }
    base::AppendVarintField(head, 2, static_cast<std::uint64_t>(id.value()));
    base::AppendVarintField(head, 3, static_cast<std::uint64_t>(*ttl));
    sink_->Send(base::Rope(std::move(head)));
    return true;
  }

  const Core& core_;
  const base::CallContextPtr context_;
  const base::StreamSinkPtr sink_;
  base::Mutex mu_;
  std::deque<LeaseId> waiting_ ABSL_GUARDED_BY(mu_);  // in order of arrival
  std::size_t confirmed_ ABSL_GUARDED_BY(mu_) = 0;    // how many of them may be renewed now
  bool driven_ ABSL_GUARDED_BY(mu_) = false;          // someone will answer `waiting_`
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
};

class KeepAliveCall final : public base::StreamHandler {
 public:
  KeepAliveCall(const Core& core, base::CallContextPtr context, base::StreamSinkPtr sink)
      : core_(core),
        sink_(sink),
        renewals_(std::make_shared<Renewals>(core, std::move(context), std::move(sink))) {}

  void OnMessage(std::string_view message) override {
    LeaseId id;
    WireReader reader(message);
    for (WireField field; reader.Next(field);) {
      if (field.IsVarint(1)) id = LeaseId(static_cast<std::int64_t>(field.varint));
    }
    if (!reader.ok()) {
      core_.CountReceiveFailure("lease-keepalive");
      return sink_->Finish(MalformedStreamMessage());
    }
    renewals_->Add(id);
  }
  void OnHalfClose() override { renewals_->End(); }
  void OnClose() override {}

 private:
  const Core& core_;
  const base::StreamSinkPtr sink_;
  const std::shared_ptr<Renewals> renewals_;
};

}  // namespace

std::unique_ptr<base::StreamHandler> OpenKeepAlive(const Core& core, base::CallContextPtr context,
                                                   base::StreamSinkPtr sink) {
  return std::make_unique<KeepAliveCall>(core, std::move(context), std::move(sink));
}

}  // namespace etcd::api::v3
