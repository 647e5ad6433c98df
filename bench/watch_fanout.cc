// watch_fanout: what one event costs the watch thread per watcher, without transport.
//
//   watch_fanout [streams [watchers per stream [events]]]
//
// One key is written `events` times; every watcher of it gets every event. The sinks do what an API
// layer does at least: take the shared block and count bytes. Time is thread CPU time of the hub's
// tasks alone (the store's writes are outside).
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <vector>

#include "server/base/check.h"
#include "server/storage/engine/mem_engine.h"
#include "server/storage/mvcc/store.h"
#include "server/watch/watch_hub.h"
#include "tests/support/virtual_executor.h"

namespace etcd::watch {
namespace {

struct CountingSink final : WatchSink {
  void Deliver(std::span<WatchMessage> batch) override {
    for (WatchMessage& message : batch) {
      bytes += message.events.bytes.size();
      last = std::move(message.events);
    }
    messages += batch.size();
  }
  std::size_t PendingBytes() const override { return 0; }
  void NotifyWhenBelow(std::size_t, absl::AnyInvocable<void()> ready) override { ready(); }
  std::size_t messages = 0, bytes = 0;
  base::Slice last;
};

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Shape {
  std::size_t streams, per_stream, events;
  bool prefix;  // each watcher its own prefix range that holds the key, instead of the key
};

void Measure(const Shape& shape) {
  engine::MemEngine engine;
  testing::VirtualExecutor compaction, executor;
  auto store = std::move(*mvcc::OpenStore(engine, compaction, {}));
  WatchHub hub(*store, executor, std::make_unique<base::SeededRandom>(1), nullptr, {});
  store->SetObserver(&hub);
  std::vector<std::shared_ptr<CountingSink>> sinks;
  std::size_t number = 0;
  for (std::size_t i = 0; i < shape.streams; ++i) {
    sinks.push_back(std::make_shared<CountingSink>());
    const StreamId stream = hub.OpenStream(sinks.back());
    for (std::size_t j = 0; j < shape.per_stream; ++j) {
      WatchSpec spec;
      spec.key = shape.prefix ? "k" : "key";
      if (shape.prefix) spec.range_end = "l" + std::to_string(number++);
      hub.Create(stream, spec);
    }
  }
  executor.RunDue();
  for (auto& sink : sinks) sink->messages = 0;
  double cpu = 0;
  for (std::size_t i = 0; i < shape.events; ++i) {
    engine::WriteBatch batch;
    store->BeginBatch(batch);
    store->BeginTxn()->Put("key", std::string(32, 'v'), LeaseId(0));
    store->SealBatch();
    CHECK_OK(engine.Write(batch));
    store->Publish();
    const double start = CpuSeconds();
    executor.RunDue();
    cpu += CpuSeconds() - start;
  }
  std::size_t messages = 0;
  for (auto& sink : sinks) messages += sink->messages;
  std::printf("%-6s %4zu streams x %5zu watchers, %6zu revisions: %9zu events, %.3f us/event\n",
              shape.prefix ? "ranges" : "key", shape.streams, shape.per_stream, shape.events,
              messages, cpu * 1e6 / static_cast<double>(messages));
  store->SetObserver(nullptr);
  hub.Stop();
  executor.RunDue();
  store->Stop();
}

}  // namespace
}  // namespace etcd::watch

int main(int argc, char** argv) {
  using etcd::watch::Measure;
  const auto argument = [&](int i, std::size_t otherwise) {
    return argc > i ? std::strtoull(argv[i], nullptr, 10) : otherwise;
  };
  if (argc > 1) {
    Measure({argument(1, 10), argument(2, 100), argument(3, 1000), false});
    return 0;
  }
  Measure({10, 100, 2000, false});
  Measure({100, 100, 200, false});
  Measure({1000, 1, 2000, false});
  Measure({1, 1, 200000, false});
  Measure({10, 300, 500, true});
}
