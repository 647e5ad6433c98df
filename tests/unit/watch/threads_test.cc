#include <atomic>
#include <thread>

#include "server/base/mutex.h"
#include "server/base/thread_executor.h"
#include "tests/unit/watch/hub_fixture.h"

namespace etcd::watch {
namespace {

// Called on the watch thread, read by the test.
class CountingSink final : public WatchSink {
 public:
  void Deliver(std::span<WatchMessage> messages) override {
    const base::MutexLock lock(mu_);
    for (const WatchMessage& message : messages) {
      for (const Event& event : DecodeEvents(message.events.bytes)) {
        ordered_ = ordered_ && event.mod == last_ + 1;
        last_ = event.mod;
      }
    }
  }
  std::size_t PendingBytes() const override { return 0; }
  void NotifyWhenBelow(std::size_t, absl::AnyInvocable<void()> ready) override { ready(); }
  std::int64_t last() const {
    const base::MutexLock lock(mu_);
    return last_;
  }
  bool ordered() const {
    const base::MutexLock lock(mu_);
    return ordered_;
  }

 private:
  mutable base::Mutex mu_;
  std::int64_t last_ ABSL_GUARDED_BY(mu_) = 1;
  bool ordered_ ABSL_GUARDED_BY(mu_) = true;
};

// The apply thread writes, loops open and close streams, the hub runs on its own thread. For TSan.
TEST(WatchThreads, ApplyLoopsAndTheHubRunTogether) {
  TestStore db;
  const base::SystemClock clock;
  base::ThreadExecutor executor("watch", clock);
  auto hub = std::make_unique<WatchHub>(
      *db.store, executor, std::make_unique<base::SeededRandom>(1), nullptr, WatchOptions{});
  db.store->SetObserver(hub.get());
  auto sink = std::make_shared<CountingSink>();
  const StreamId stream = hub->OpenStream(sink);
  WatchSpec spec;
  spec.key = "a";
  spec.prev_kv = true;
  spec.start_revision = Revision(2);
  hub->Create(stream, spec);
  std::atomic<bool> stop = false;
  std::thread loop([&] {
    while (!stop) {
      const StreamId other = hub->OpenStream(std::make_shared<CountingSink>());
      hub->Create(other, spec);
      hub->RequestProgress(other);
      hub->CloseStream(other);
      std::this_thread::yield();
    }
  });
  Revision head;
  for (int i = 0; i < 500; ++i) head = db.Put("a", std::to_string(i));
  stop = true;
  loop.join();
  std::atomic<bool> done = false;
  hub->Restored(*db.store, [&] { done = true; });
  while (!done || sink->last() < head.value()) std::this_thread::yield();
  EXPECT_TRUE(sink->ordered());
  db.store->SetObserver(nullptr);
  hub->Stop();
  executor.Stop();
}

}  // namespace
}  // namespace etcd::watch
