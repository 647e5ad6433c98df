#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "operator/kube/client.h"
#include "operator/kube/election.h"

namespace etcd::kube {

// Runs an Election against the API server, on a thread of its own.
class Elector {
 public:
  // Called on that thread; must not block, and must not call Stop.
  struct Callbacks {
    std::function<void()> on_elected;
    // Leadership is gone without our doing: the process must end at once, non-zero.
    std::function<void()> on_lost;
  };

  Elector(Client& client, const base::Clock& clock, Election::Options options, std::uint64_t seed,
          Callbacks callbacks);
  ~Elector();
  Elector(const Elector&) = delete;
  Elector& operator=(const Elector&) = delete;

  void Start();
  // Stops renewing and, when we lead, gives the lease up so that another takes over within seconds.
  // Whoever acts as the leader must have stopped before. Idempotent.
  void Stop();

  bool is_leader() const { return MayAct(std::chrono::nanoseconds(0)); }
  // The fence: whether something that takes up to `call_timeout` ends while we still lead. To be
  // asked before each step that must not be done by two. Thread-safe.
  bool MayAct(std::chrono::nanoseconds call_timeout) const;

 private:
  void Run(const std::stop_token& stop) noexcept;
  void Do(const Election::Action& action, const std::stop_token& stop);
  void Write(bool is_new, const CallOptions& call);
  void Publish();

  Client& client_;
  const base::Clock& clock_;
  const Election::Options options_;
  const Callbacks callbacks_;
  Election election_;  // of the thread; after it, of Stop
  bool was_elected_ = false;
  std::atomic<std::int64_t> leads_until_ns_;  // since the clock's epoch
  std::jthread thread_;
};

}  // namespace etcd::kube
