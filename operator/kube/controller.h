#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "operator/kube/client.h"
#include "operator/kube/event_recorder.h"
#include "operator/kube/store.h"
#include "operator/kube/work_queue.h"

namespace etcd::kube {

// What the program keeps a cache of for its controllers: one per kind and namespace, whoever asked
// for it.
class Caches {
 public:
  virtual ~Caches() = default;
  // Null when the kind or the namespace is not watched. Groups are "<namespace>/<cluster>", from
  // the label of the cluster. Lives as long as the program.
  virtual const Store* StoreOf(const Resource& resource, const std::string& ns) const = 0;
};

// What a controller works with. Everything outlives it and is thread-safe.
struct ControllerContext {
  Client& client;
  const base::Clock& clock;
  EventRecorder& events;
  const Caches& caches;
  // The fence of leadership: whether something that takes up to `call_timeout` ends while we still
  // lead. To be asked before each step that two must not do: it then is given up, and the key comes
  // back by itself when we lead on.
  std::function<bool(std::chrono::nanoseconds call_timeout)> may_act;
};

// Reconciles one kind of object. The program runs one informer per watched kind, one queue for all
// controllers, and calls Reconcile only while it leads; never twice at once for the same key.
class Controller {
 public:
  struct Watched {
    Resource resource{};
    // Objects with this label only ("a=b"); of several watches of a kind all must ask for the same.
    std::string label_selector{};
    // Keys that the change concerns, usually the object itself or its owner. On the informer's
    // thread: must not block. A change of status that the controller wrote itself should give none.
    std::function<std::vector<WorkKey>(const Change&)> keys_of;
  };

  virtual ~Controller() = default;

  // Of its keys, for example "EtcdBackup".
  virtual std::string_view kind() const = 0;
  virtual std::vector<Watched> watched() const = 0;
  // Looks, does at most one step, says when it wants to look again. An error is logged, counted
  // and comes back with growing delay. An object that is gone is no error.
  virtual WorkQueue::Result Reconcile(const WorkKey& key, const std::stop_token& stop) = 0;
};

}  // namespace etcd::kube
