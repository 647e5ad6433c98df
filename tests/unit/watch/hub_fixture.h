#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/bytes.h"
#include "server/base/check.h"
#include "server/storage/engine/mem_engine.h"
#include "server/storage/mvcc/store.h"
#include "server/watch/watch_hub.h"
#include "tests/support/virtual_executor.h"

namespace etcd::watch {

using Kind = WatchMessage::Kind;

// A proto3 message as number -> values, for messages of varints and byte strings.
struct Fields {
  std::map<std::uint64_t, std::vector<std::string>> bytes;
  std::map<std::uint64_t, std::uint64_t> numbers;

  explicit Fields(std::string_view in) {
    while (!in.empty()) {
      std::uint64_t tag = 0, value = 0;
      CHECK(base::ConsumeVarint(in, tag) && base::ConsumeVarint(in, value));
      if ((tag & 7) == base::kWireVarint) {
        numbers[tag >> 3] = value;
        continue;
      }
      CHECK((tag & 7) == base::kWireBytes && value <= in.size());
      bytes[tag >> 3].emplace_back(in.substr(0, value));
      in.remove_prefix(value);
    }
  }
  std::string One(std::uint64_t field) const {
    const auto it = bytes.find(field);
    return it == bytes.end() ? "" : it->second.front();
  }
  std::int64_t Number(std::uint64_t field) const {
    const auto it = numbers.find(field);
    return it == numbers.end() ? 0 : static_cast<std::int64_t>(it->second);
  }
};

struct Event {
  bool is_delete = false;
  std::string key, value;
  std::int64_t create = 0, mod = 0, version = 0;
  bool has_prev = false;
  std::string prev_value;
  std::int64_t prev_mod = 0;
};

inline std::vector<Event> DecodeEvents(std::string_view block) {
  std::vector<Event> events;
  const Fields response(block);
  const auto it = response.bytes.find(11);
  if (it == response.bytes.end()) return events;
  for (const std::string& raw : it->second) {
    const Fields event(raw);
    const Fields kv(event.One(2));
    Event e;
    e.is_delete = event.Number(1) == 1;
    e.key = kv.One(1);
    e.value = kv.One(5);
    e.create = kv.Number(2);
    e.mod = kv.Number(3);
    e.version = kv.Number(4);
    e.has_prev = event.bytes.contains(3);
    if (e.has_prev) {
      const Fields prev(event.One(3));
      e.prev_value = prev.One(5);
      e.prev_mod = prev.Number(3);
    }
    events.push_back(std::move(e));
  }
  return events;
}

// A client's end of a stream. With `reading` off nothing leaves the transport's queue.
class TestSink final : public WatchSink {
 public:
  void Deliver(std::span<WatchMessage> messages) override {
    for (WatchMessage& message : messages) {
      pending += message.events.bytes.size() + 32;
      received.push_back(std::move(message));
    }
    if (reading) pending = 0;
  }
  std::size_t PendingBytes() const override { return pending; }
  void NotifyWhenBelow(std::size_t bytes, absl::AnyInvocable<void()> ready) override {
    EXPECT_FALSE(ready_) << "two at a time";
    ready_ = std::move(ready);
    below_ = bytes;
    Check();
  }
  // The client reads what is queued.
  void Drain() {
    pending = 0;
    Check();
  }
  void Check() {
    if (ready_ && pending <= below_) std::exchange(ready_, nullptr)();
  }
  // Forgets and returns what was received.
  std::vector<WatchMessage> Take() { return std::exchange(received, {}); }

  std::vector<WatchMessage> received;
  std::size_t pending = 0;
  bool reading = true;

 private:
  absl::AnyInvocable<void()> ready_;
  std::size_t below_ = 0;
};

struct Gauges final : WatchObserver {
  void OnStreams(std::int64_t d) override { streams += d; }
  void OnWatchers(std::int64_t d) override { watchers += d; }
  void OnSlowWatchers(std::int64_t d) override { slow += d; }
  void OnEvents(std::int64_t n) override { events += n; }
  std::int64_t streams = 0, watchers = 0, slow = 0, events = 0;
};

// A real store over the memory engine, written as the apply thread does.
class TestStore {
 public:
  TestStore() : store(std::move(*mvcc::OpenStore(engine, compaction, {}))) {
    store->StartCompaction();
  }
  ~TestStore() { store->Stop(); }

  template <typename F>
  Revision Apply(F&& change) {
    engine::WriteBatch batch;
    store->BeginBatch(batch);
    change(*store);
    store->SealBatch();
    CHECK_OK(engine.Write(batch));
    store->Publish();
    return store->current_revision();
  }
  Revision Put(std::string_view key, std::string_view value) {
    return Txn([&](mvcc::WriteTxn& txn) { txn.Put(key, value, LeaseId(0)); });
  }
  Revision Delete(std::string_view key) {
    return Txn([&](mvcc::WriteTxn& txn) {
      txn.DeleteRange({key, ""}, [](std::string_view, const mvcc::KvRef&) {});
    });
  }
  template <typename F>
  Revision Txn(F&& body) {
    return Apply([&](mvcc::Store& s) {
      const auto txn = s.BeginTxn();
      body(*txn);
    });
  }
  // With the physical deletion, unless told otherwise.
  void Compact(Revision revision, bool run = true) {
    Apply([&](mvcc::Store& s) { CHECK_OK(s.Compact(revision)); });
    if (run) compaction.Advance(std::chrono::seconds(10));
  }

  engine::MemEngine engine;
  testing::VirtualExecutor compaction;
  std::unique_ptr<mvcc::Store> store;
};

class HubFixture : public ::testing::Test {
 protected:
  explicit HubFixture(WatchOptions options = {}) { Start(options); }
  ~HubFixture() override {
    db.store->SetObserver(nullptr);
    hub->Stop();
    Run();
  }

  void Start(WatchOptions options) {
    if (hub) {
      db.store->SetObserver(nullptr);
      hub->Stop();
      Run();
    }
    hub = std::make_unique<WatchHub>(*db.store, executor, std::make_unique<base::SeededRandom>(1),
                                     &gauges, options);
    db.store->SetObserver(hub.get());
    sink = std::make_shared<TestSink>();
    stream = hub->OpenStream(sink);
    Run();
  }
  void Run() { executor.RunDue(); }

  static WatchSpec Spec(std::string key, std::string end = "", std::int64_t start = 0) {
    WatchSpec spec;
    spec.key = std::move(key);
    spec.range_end = std::move(end);
    spec.start_revision = Revision(start);
    return spec;
  }
  // Creates on the main stream and returns the answer. History is read by later tasks.
  WatchMessage Create(WatchSpec spec) {
    Run();
    hub->Create(stream, std::move(spec));
    executor.RunOne();
    const auto answer = std::ranges::find_if(sink->received, [](const WatchMessage& message) {
      return message.kind == Kind::kCreated || message.kind == Kind::kRefused;
    });
    CHECK(answer != sink->received.end());
    WatchMessage taken = *answer;
    sink->received.erase(answer);
    return taken;
  }
  std::vector<WatchMessage> Received() {
    Run();
    return sink->Take();
  }
  // Events of all messages, in order; checks that nothing else came.
  std::vector<Event> ReceivedEvents() {
    std::vector<Event> events;
    for (const WatchMessage& message : Received()) {
      EXPECT_EQ(message.kind, Kind::kEvents);
      for (Event& event : DecodeEvents(message.events.bytes)) events.push_back(std::move(event));
    }
    return events;
  }

  TestStore db;
  testing::VirtualExecutor executor;
  Gauges gauges;
  std::unique_ptr<WatchHub> hub;
  std::shared_ptr<TestSink> sink;
  StreamId stream;
};

}  // namespace etcd::watch
