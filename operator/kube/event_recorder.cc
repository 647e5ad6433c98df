#include "operator/kube/event_recorder.h"

#include <pthread.h>
#include <utility>

#include <nlohmann/json.hpp>

#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::kube {
namespace {

constexpr std::size_t kQueueMax = 1000;
constexpr std::chrono::minutes kTick{1};
constexpr std::chrono::milliseconds kDrainTime{1000};

}  // namespace

EventRecorder::EventRecorder(Client& client, const base::Clock& clock, Correlator::Options who,
                             Options options)
    : client_(client), clock_(clock), options_(options), correlator_(std::move(who)) {}

EventRecorder::~EventRecorder() { Stop(); }

void EventRecorder::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
  pthread_setname_np(thread_.native_handle(), "events");
}

void EventRecorder::Stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  Drain();
}

std::uint64_t EventRecorder::dropped() const {
  const std::lock_guard lock(mu_);
  return dropped_;
}

void EventRecorder::Push(Correlator::Write write) {
  if (queue_.size() >= kQueueMax) {
    queue_.pop_front();
    ++dropped_;
  }
  queue_.push_back(std::move(write));
}

void EventRecorder::Record(const EventText& text) {
  {
    const std::lock_guard lock(mu_);
    std::optional<Correlator::Write> write =
        correlator_.OnEvent(clock_.Now(), clock_.WallNow(), text);
    if (!write.has_value()) return;
    Push(*std::move(write));
  }
  changed_.notify_one();
}

bool EventRecorder::WaitForWrite(const std::stop_token& stop, Correlator::Write& out) {
  std::unique_lock lock(mu_);
  changed_.wait_for(lock, stop, kTick, [this] { return !queue_.empty(); });
  if (stop.stop_requested()) return false;
  for (Correlator::Write& write : correlator_.OnTick(clock_.Now())) Push(std::move(write));
  if (queue_.empty()) return false;
  out = std::move(queue_.front());
  queue_.pop_front();
  return true;
}

absl::Status EventRecorder::Send(const Correlator::Write& write, const CallOptions& call) {
  ASSIGN_OR_RETURN(const Json body, ParseJson(write.body));
  if (write.is_patch) {
    return client_.Patch(kEvents, write.key, PatchType::kMerge, body).status();
  }
  return client_.Create(kEvents, body, call).status();
}

void EventRecorder::WriteOut(const Correlator::Write& write, const std::stop_token& stop) {
  const Sleep sleep = RealSleep(stop);
  CallOptions call;
  call.stop = stop;
  for (int tries = 1;; ++tries) {
    const absl::Status status = Send(write, call);
    // Already there: an earlier try of ours. Not there: it has expired, and a count without its
    // event says nothing.
    if (status.ok() || Is(status, ApiErrc::kAlreadyExists) || Is(status, ApiErrc::kNotFound))
      return;
    const bool may_help = IsOutcomeUnknown(status) || Is(status, ApiErrc::kNotSent) ||
                          Is(status, ApiErrc::kTooManyRequests);
    if (!may_help || tries >= options_.tries || !sleep(options_.retry_after)) {
      LOG_WARN("event lost", {"event", write.key.name}, {"error", status});
      const std::lock_guard lock(mu_);
      ++dropped_;
      return;
    }
  }
}

void EventRecorder::Run(const std::stop_token& stop) noexcept {
  while (!stop.stop_requested()) {
    Correlator::Write write;
    if (WaitForWrite(stop, write)) WriteOut(write, stop);
  }
}

// What led to the end is worth reading.
void EventRecorder::Drain() {
  const auto deadline = clock_.Now() + kDrainTime;
  while (clock_.Now() < deadline) {
    Correlator::Write write;
    {
      const std::lock_guard lock(mu_);
      if (queue_.empty()) return;
      write = std::move(queue_.front());
      queue_.pop_front();
    }
    CallOptions call;
    call.retries = 0;
    call.timeout = kDrainTime;
    base::IgnoreError(Send(write, call), "the process ends");
  }
}

}  // namespace etcd::kube
