#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "operator/kube/client.h"
#include "operator/kube/correlator.h"

namespace etcd::kube {

// Writes events on a thread of its own, so that nobody waits for them. Bounded queue of kQueueMax;
// when full the oldest is dropped. A write is tried 12 times, 10 s apart.
class EventRecorder {
 public:
  struct Options {
    int tries = 12;
    std::chrono::nanoseconds retry_after = std::chrono::seconds(10);
  };
  EventRecorder(Client& client, const base::Clock& clock, Correlator::Options who, Options options);
  EventRecorder(Client& client, const base::Clock& clock, Correlator::Options who)
      : EventRecorder(client, clock, std::move(who), Options()) {}
  ~EventRecorder();
  EventRecorder(const EventRecorder&) = delete;
  EventRecorder& operator=(const EventRecorder&) = delete;

  // Thread-safe; never blocks.
  void Record(const EventText& text);

  void Start();
  // Tries what is in the queue once more, for at most a second, then ends. Idempotent.
  void Stop();

  // Lost: the queue was full, or every try failed.
  std::uint64_t dropped() const;

 private:
  void Run(const std::stop_token& stop) noexcept;
  bool WaitForWrite(const std::stop_token& stop, Correlator::Write& out);
  void WriteOut(const Correlator::Write& write, const std::stop_token& stop);
  absl::Status Send(const Correlator::Write& write, const CallOptions& call);
  void Push(Correlator::Write write);
  void Drain();

  Client& client_;
  const base::Clock& clock_;
  const Options options_;
  mutable std::mutex mu_;
  std::condition_variable_any changed_;
  Correlator correlator_;                // guarded by mu_
  std::deque<Correlator::Write> queue_;  // guarded by mu_
  std::uint64_t dropped_ = 0;            // guarded by mu_
  std::jthread thread_;
};

}  // namespace etcd::kube
