#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "operator/kube/client.h"
#include "operator/kube/reflector.h"
#include "operator/kube/store.h"

namespace etcd::kube {

// Told of what the informers go through, on their threads.
class InformerObserver {
 public:
  virtual ~InformerObserver() = default;
  // `reason` is empty when the server ended the watch as announced.
  virtual void OnWatchEnded(const Resource& resource, const absl::Status& reason) = 0;
  virtual void OnListed(const Resource& resource, std::size_t objects) = 0;
  virtual void OnListFailed(const Resource& resource, const absl::Status& reason) = 0;
};

struct InformerOptions {
  Resource resource{};
  std::string ns{};  // empty: all
  std::string label_selector{};
  std::uint64_t seed = 1;  // of the jitter
  Reflector::Options reflector{};
  Store::GroupOf group_of{};
  InformerObserver* observer = nullptr;
  Object::Trim trim = nullptr;  // of what the store keeps
};

// Keeps a store equal to what the API server has of one kind. A thread of its own lists, watches
// and calls `on_change` for each change after it is in the store; that call must not block for long
// (usually it adds a key to a queue).
class Informer {
 public:
  using OnChange = std::function<void(const Change&)>;

  // The client and the clock outlive it.
  Informer(Client& client, const base::Clock& clock, InformerOptions options, OnChange on_change);
  ~Informer();
  Informer(const Informer&) = delete;
  Informer& operator=(const Informer&) = delete;

  void Start();
  // Ends requests that are running, then joins. Idempotent.
  void Stop();

  const Store& store() const { return store_; }
  // The first list is in the store.
  bool has_synced() const { return synced_.load(std::memory_order_acquire); }
  // The last list was refused for want of a right: the store is not to be believed until
  // has_synced, and whoever needs these objects asks for them himself, and is refused with a
  // sentence.
  bool is_forbidden() const { return forbidden_.load(std::memory_order_acquire); }
  // When it last heard of the server or began to wait. Older than twice the longest watch: the
  // thread hangs.
  base::Clock::Monotonic last_alive() const;

 private:
  void Run(const std::stop_token& stop) noexcept;
  void ListOnce(const std::stop_token& stop);
  void WatchOnce(const Reflector::Action& action, const std::stop_token& stop);
  absl::Status OnEvent(WatchEvent event);
  void MarkAlive();

  Client& client_;
  const base::Clock& clock_;
  const InformerOptions options_;
  const OnChange on_change_;
  Store store_;
  Reflector reflector_;  // of the thread
  std::atomic<bool> synced_ = false;
  std::atomic<bool> forbidden_ = false;
  std::atomic<std::int64_t> last_alive_ns_;  // since the clock's epoch
  std::jthread thread_;
};

}  // namespace etcd::kube
