#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "operator/kube/resource.h"
#include "server/base/clock.h"
#include "server/base/ids.h"

namespace etcd::loop {

// What is remembered of a cluster between two reconciles. None of it matters for what is decided to
// be right: it spares work, and measures how long something has been so. After a restart it begins
// anew. Used by one reconcile at a time.
struct Memory {
  using Time = base::Clock::Monotonic;
  // What was applied last, and what the server made of it; no body: it was seen to be gone.
  struct Applied {
    std::string body{};
    std::string resource_version{};
    Time at{};
  };

  bool is_in_flux = true;                     // the next look goes to the API server itself
  std::map<std::string, Applied> applied{};   // by kind and name
  std::optional<Time> participating_since{};  // all voters
  std::optional<Time> silent_since{};         // no linearizable list
  std::optional<Time> withdrawn_since{};      // the pod of the member that leaves
  std::map<MemberId, Time> foreign_since{};   // entries that are not ours
  std::optional<Time> flux_since{};           // the last step that was done
  std::optional<Time> backing_off_until{};    // after a member that did not catch up
  std::optional<Time> status_at{};            // when the status was written last
  int given_up = 0;                           // members that did not catch up
  // Of the member on its way in.
  std::string growing{};
  std::uint64_t growing_index = 0;
  Time growing_at{};  // when it was first seen, or its index last advanced
  std::map<std::string, std::optional<Time>> warned_at{};  // by type of condition
  std::map<std::string, std::string> warned{};  // kind of warning -> text that was told last
};

// Thread-safe; the memory of one key is used by its worker only.
class Memories {
 public:
  std::shared_ptr<Memory> Of(const kube::ObjectKey& key) {
    const std::lock_guard lock(mu_);
    std::shared_ptr<Memory>& memory = all_[key];
    if (memory == nullptr) memory = std::make_shared<Memory>();
    return memory;
  }
  void Forget(const kube::ObjectKey& key) {
    const std::lock_guard lock(mu_);
    all_.erase(key);
  }

 private:
  std::mutex mu_;
  std::map<kube::ObjectKey, std::shared_ptr<Memory>> all_;  // guarded by mu_
};

}  // namespace etcd::loop
