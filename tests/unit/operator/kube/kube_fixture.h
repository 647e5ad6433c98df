#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "operator/kube/client.h"
#include "tests/support/fake_kube.h"
#include "tests/support/virtual_executor.h"

namespace etcd::kube {

// A client of the API server in memory, on virtual time: what it waits is written down and passes
// at once.
struct KubeFixture {
  explicit KubeFixture(ClientOptions options = {.field_manager = "op"})
      : client(
            server, credentials, clock,
            [this](std::chrono::nanoseconds wait) {
              waits.push_back(wait);
              clock.Set(clock.Now() + wait);
              return true;
            },
            1, std::move(options)) {}

  testing::FakeKube server;
  testing::VirtualClock clock;
  CredentialSource credentials{CredentialConfig{}};
  std::vector<std::chrono::nanoseconds> waits;
  Client client;
};

// Lets a test thread wait for what other threads do. A minute is longer than any of it takes.
class Signal {
 public:
  template <class Change>
  void Do(const Change& change) {
    {
      const std::lock_guard lock(mu_);
      change();
    }
    changed_.notify_all();
  }
  template <class Condition>
  bool WaitUntil(const Condition& condition) {
    std::unique_lock lock(mu_);
    return changed_.wait_for(lock, std::chrono::minutes(1), condition);
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
};

// The same for what gives no notice.
template <class Condition>
bool Eventually(const Condition& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace etcd::kube
