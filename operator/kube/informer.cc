#include "operator/kube/informer.h"

#include <pthread.h>
#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::kube {

Informer::Informer(Client& client, const base::Clock& clock, InformerOptions options,
                   OnChange on_change)
    : client_(client),
      clock_(clock),
      options_(std::move(options)),
      on_change_(std::move(on_change)),
      store_(options_.group_of),
      reflector_(options_.reflector, options_.seed) {
  MarkAlive();
}

Informer::~Informer() { Stop(); }

void Informer::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
  pthread_setname_np(thread_.native_handle(), "kube-informer");
}

void Informer::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

base::Clock::Monotonic Informer::last_alive() const {
  return base::Clock::Monotonic(std::chrono::nanoseconds(last_alive_ns_.load()));
}

void Informer::MarkAlive() {
  last_alive_ns_ = std::chrono::nanoseconds(clock_.Now().time_since_epoch()).count();
}

void Informer::Run(const std::stop_token& stop) noexcept {
  const Sleep sleep = RealSleep(stop);
  while (!stop.stop_requested()) {
    MarkAlive();
    const Reflector::Action action = reflector_.Next(clock_.Now());
    switch (action.step) {
      case Reflector::Step::kList:
        ListOnce(stop);
        break;
      case Reflector::Step::kWatch:
        WatchOnce(action, stop);
        break;
      case Reflector::Step::kWait:
        sleep(action.wait);
        break;
    }
  }
}

void Informer::ListOnce(const std::stop_token& stop) {
  CallOptions call;
  call.retries = 0;  // the reflector waits
  call.stop = stop;
  absl::StatusOr<ObjectList> list = client_.List(
      options_.resource,
      {.ns = options_.ns, .label_selector = options_.label_selector, .trim = options_.trim}, call);
  if (!list.ok()) {
    if (stop.stop_requested()) return;
    LOG_WARN("list failed", {"resource", options_.resource.plural}, {"error", list.status()});
    if (options_.observer != nullptr) {
      options_.observer->OnListFailed(options_.resource, list.status());
    }
    forbidden_.store(Is(list.status(), ApiErrc::kForbidden), std::memory_order_release);
    reflector_.OnListFailed(clock_.Now(), list.status());
    return;
  }
  if (options_.observer != nullptr) {
    options_.observer->OnListed(options_.resource, list->items.size());
  }
  const std::vector<Change> changes = store_.Replace(std::move(list->items));
  reflector_.OnListed(std::move(list->resource_version));
  synced_.store(true, std::memory_order_release);
  forbidden_.store(false, std::memory_order_release);
  for (const Change& change : changes) on_change_(change);
}

absl::Status Informer::OnEvent(WatchEvent event) {
  MarkAlive();
  std::optional<Change> change;
  if (event.type == WatchEventType::kDeleted) {
    change = store_.Remove(event.object.key());
    // The last state, as the server tells it with the deletion.
    if (change.has_value()) change->before = event.object;
  } else if (event.type != WatchEventType::kBookmark) {
    change = store_.Put(std::move(event.object));
  }
  reflector_.OnEvent(std::move(event.resource_version));
  if (change.has_value()) on_change_(*change);
  return absl::OkStatus();
}

void Informer::WatchOnce(const Reflector::Action& action, const std::stop_token& stop) {
  const WatchOptions watch = {.ns = options_.ns,
                              .label_selector = options_.label_selector,
                              .resource_version = action.resource_version,
                              .timeout = action.watch_timeout,
                              .trim = options_.trim};
  const absl::Status status = client_.Watch(
      options_.resource, watch, [this](WatchEvent event) { return OnEvent(std::move(event)); },
      stop);
  if (stop.stop_requested()) return;
  if (!status.ok()) {
    LOG_INFO("watch ended early", {"resource", options_.resource.plural}, {"error", status});
  }
  if (options_.observer != nullptr) options_.observer->OnWatchEnded(options_.resource, status);
  reflector_.OnWatchEnded(clock_.Now(), status);
}

}  // namespace etcd::kube
